"""A deployed REST API as an OpenAPI definition. Developer guide, "Export a REST API from API Gateway"."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.rest.definitions import AUTHORIZER_MEMBERS, INTEGRATION_MEMBERS, X
from cloudlet.services.apigateway.rest.deploying import Snapshot
from cloudlet.services.apigateway.rest.method_check import LONGEST_MILLIS

_PLACES = {"path": "path", "querystring": "query", "header": "header"}
_KEY = "api_key"
_USUAL_TIMEOUT = ("timeoutInMillis", LONGEST_MILLIS)
_REFERENCE = re.compile(r"models\\?/(\w+)")
_SIGNED = "sigv4"


class Exporter:
    """Writes a stage's definition. `extensions` are those wanted of "integrations", "authorizers" and "apigateway"."""

    def __init__(self, snapshot: Snapshot, url: str, stage: str, *, is_swagger: bool, extensions: set[str]) -> None:
        self._snapshot = snapshot
        self._url = url
        self._stage = stage
        self._is_swagger = is_swagger
        self._all = "apigateway" in extensions
        self._with_integrations = self._all or "integrations" in extensions
        self._with_authorizers = self._all or "authorizers" in extensions
        self._authorizers = {part["id"]: part for part in snapshot["authorizers"]}
        self._validators = {part["id"]: part for part in snapshot["validators"]}
        self._schemes: dict[str, Any] = {}

    def document(self) -> dict[str, Any]:
        """Return the definition."""
        api = self._snapshot["api"]
        info = {"title": api["name"], "version": api.get("version") or "1"}
        if api.get("description"):
            info["description"] = api["description"]
        result: dict[str, Any] = {"swagger": "2.0"} if self._is_swagger else {"openapi": "3.0.1"}
        result["info"] = info
        scheme, _, rest = self._url.partition("://")
        host, _, path = rest.partition("/")
        base = f"/{path}/{self._stage}" if path else f"/{self._stage}"
        if self._is_swagger:
            result |= {"host": host, "basePath": base, "schemes": [scheme]}
        else:
            variables = {"basePath": {"default": base}}
            result["servers"] = [{"url": f"{scheme}://{host}{{basePath}}", "variables": variables}]
        result["paths"] = self._paths()
        schemas = self._used_schemas()
        if self._is_swagger:
            if self._schemes:
                result["securityDefinitions"] = self._schemes
            result["definitions"] = schemas
        else:
            components = {"securitySchemes": self._schemes} if self._schemes else {}
            result["components"] = {"schemas": schemas, **components}
        if self._all:
            result |= self._extensions(api)
        return result

    def _extensions(self, api: Document) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self._snapshot["validators"]:
            result[f"{X}request-validators"] = {
                part["name"]: {name: part[name] for name in ("validateRequestBody", "validateRequestParameters")}
                for part in self._snapshot["validators"]
            }
        if self._snapshot["responses"]:
            result[f"{X}gateway-responses"] = {
                part["responseType"]: {
                    name: part[name]
                    for name in ("statusCode", "responseParameters", "responseTemplates")
                    if part.get(name)
                }
                for part in self._snapshot["responses"]
            }
        if api.get("binaryMediaTypes"):
            result[f"{X}binary-media-types"] = api["binaryMediaTypes"]
        if api.get("policy"):
            result[f"{X}policy"] = msgspec.json.decode(api["policy"])
        if api.get("minimumCompressionSize") is not None:
            result[f"{X}minimum-compression-size"] = api["minimumCompressionSize"]
        if api["apiKeySource"] != "HEADER":
            result[f"{X}api-key-source"] = api["apiKeySource"]
        return result

    def _used_schemas(self) -> dict[str, Any]:
        """Return the models that methods refer to, themselves or by other models; AWS leaves out all others."""
        known = {model["name"]: model["schema"] for model in self._snapshot["models"]}
        waiting = [
            name
            for _, method in self._snapshot["methods"]
            for models in (
                method.get("requestModels"),
                *(each.get("responseModels") for each in (method.get("methodResponses") or {}).values()),
            )
            for name in (models or {}).values()
        ]
        used: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in known and name not in used:
                used.add(name)
                waiting += _REFERENCE.findall(known[name])
        return {name: self._schema(schema) for name, schema in known.items() if name in used}

    def _schema(self, text: str) -> Any:
        """Return the schema of a model, with references as definitions have them."""
        try:
            schema = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return {}
        return self._referring(schema)

    def _referring(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._referring(each) for each in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str) and "/models/" in reference:
            return self._reference(reference.rpartition("/")[2])
        return {key: self._referring(each) for key, each in value.items() if key != "$schema"}

    def _reference(self, model: str) -> dict[str, str]:
        return {"$ref": f"#/{'definitions' if self._is_swagger else 'components/schemas'}/{model}"}

    def _paths(self) -> dict[str, Any]:
        paths = {each["id"]: each["path"] for each in self._snapshot["resources"]}
        result: dict[str, Any] = {}
        for resource, method in sorted(self._snapshot["methods"], key=lambda each: paths[each[0]]):
            verb = method["httpMethod"]
            name = f"{X}any-method" if verb == "ANY" else verb.lower()
            result.setdefault(paths[resource], {})[name] = self._operation(method)
        return result

    def _operation(self, method: Document) -> dict[str, Any]:
        operation: dict[str, Any] = {}
        if method.get("operationName"):
            operation["operationId"] = method["operationName"]
        parameters = []
        for name, is_required in (method.get("requestParameters") or {}).items():
            place, _, key = name.removeprefix("method.request.").partition(".")
            parameter: dict[str, Any] = {"name": key, "in": _PLACES[place], "required": place == "path" or is_required}
            parameters.append(parameter | ({"type": "string"} if self._is_swagger else {"schema": {"type": "string"}}))
        models = method.get("requestModels") or {}
        if models and self._is_swagger:
            operation["consumes"] = list(models)
            model = self._reference(next(iter(models.values())))
            parameters.append({"in": "body", "name": "body", "required": True, "schema": model})
        elif models:
            content = {kind: {"schema": self._reference(name)} for kind, name in models.items()}
            operation["requestBody"] = {"content": content, "required": True}
        if parameters:
            operation["parameters"] = parameters
        produced = dict.fromkeys(
            kind for each in (method.get("methodResponses") or {}).values() for kind in each.get("responseModels") or ()
        )
        if produced and self._is_swagger:
            operation["produces"] = list(produced)
        operation["responses"] = {
            status: self._response(each) for status, each in (method.get("methodResponses") or {}).items()
        }
        security = self._security(method)
        if security:
            operation["security"] = security
        validator = self._validators.get(method.get("requestValidatorId", ""))
        if validator is not None and self._all:
            operation[f"{X}request-validator"] = validator["name"]
        if self._with_integrations and "methodIntegration" in method:
            operation[f"{X}integration"] = self._integration(method["methodIntegration"])
        return operation

    def _response(self, response: Document) -> dict[str, Any]:
        result: dict[str, Any] = {"description": f"{response['statusCode']} response"}
        typed: dict[str, Any] = {"type": "string"} if self._is_swagger else {"schema": {"type": "string"}}
        headers = {
            name.removeprefix("method.response.header."): typed for name in response.get("responseParameters") or {}
        }
        if headers:
            result["headers"] = headers
        models = response.get("responseModels") or {}
        if models and self._is_swagger:
            result["schema"] = self._reference(next(iter(models.values())))
        elif models:
            result["content"] = {kind: {"schema": self._reference(name)} for kind, name in models.items()}
        return result

    def _security(self, method: Document) -> list[dict[str, list[str]]]:
        result: list[dict[str, list[str]]] = []
        header: dict[str, Any] = {"type": "apiKey", "in": "header"}
        authorizer = self._authorizers.get(method.get("authorizerId", ""))
        if authorizer is not None and method["authorizationType"] == "CUSTOM":
            source = (authorizer.get("identitySource") or "").rpartition(".")[2] or "Unused"
            scheme = {**header, "name": source if authorizer["type"] == "TOKEN" else "Unused"}
            if self._with_authorizers:
                told = {name: authorizer[name] for name in AUTHORIZER_MEMBERS if authorizer.get(name) is not None}
                scheme[f"{X}authtype"] = authorizer["authType"]
                scheme[f"{X}authorizer"] = {"type": authorizer["type"].lower(), **told}
            self._schemes[authorizer["name"]] = scheme
            result.append({authorizer["name"]: []})
        if method["authorizationType"] == "AWS_IAM":
            self._schemes[_SIGNED] = {**header, "name": "Authorization", f"{X}authtype": "awsSigv4"}
            result.append({_SIGNED: []})
        if method["apiKeyRequired"]:
            self._schemes[_KEY] = {**header, "name": "x-api-key"}
            result.append({_KEY: []})
        return result

    def _integration(self, part: Document) -> dict[str, Any]:
        result: dict[str, Any] = {"type": part["type"].lower()}
        for name in INTEGRATION_MEMBERS:
            if part.get(name) not in (None, [], {}) and (name, part[name]) != _USUAL_TIMEOUT:
                result[name] = part[name]
        result["passthroughBehavior"] = part["passthroughBehavior"].lower()
        responses = {}
        for each in (part.get("integrationResponses") or {}).values():
            told = {
                name: each[name] for name in ("statusCode", "responseParameters", "responseTemplates") if each.get(name)
            }
            if each.get("contentHandling"):
                told["contentHandling"] = each["contentHandling"]
            responses[each.get("selectionPattern") or "default"] = told
        if responses:
            result["responses"] = responses
        return result
