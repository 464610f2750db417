"""OpenAPI definitions (2.0, which is Swagger, and 3.0) with API Gateway's extensions: what a REST API is to be made of.

Developer guide, "Develop REST APIs using OpenAPI in API Gateway" and "OpenAPI extensions for API Gateway".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.definition_values import as_list, as_map, resolved
from cloudlet.services.apigateway.documents import Document

X = "x-amazon-apigateway-"
VERBS = ("get", "put", "post", "delete", "options", "head", "patch", f"{X}any-method")
_PLACES = {"path": "path", "query": "querystring", "header": "header"}
INTEGRATION_MEMBERS = (
    "cacheKeyParameters",
    "cacheNamespace",
    "connectionId",
    "connectionType",
    "contentHandling",
    "credentials",
    "httpMethod",
    "passthroughBehavior",
    "requestParameters",
    "requestTemplates",
    "responseTransferMode",
    "timeoutInMillis",
    "tlsConfig",
    "uri",
)
AUTHORIZER_MEMBERS = (
    "authorizerCredentials",
    "authorizerResultTtlInSeconds",
    "authorizerUri",
    "identitySource",
    "identityValidationExpression",
)
_OF_APIS = (
    "api-key-source",
    "binary-media-types",
    "documentation",
    "endpoint-configuration",
    "gateway-responses",
    "minimum-compression-size",
    "policy",
    "request-validator",
    "request-validators",
)
"""The extensions of whole definitions."""
_BASE_PATHS = ("ignore", "prepend", "split")


@dataclass
class PlannedMethod:
    """A method to be made: documents of it, its responses, its integration; what it names is named as in the plan."""

    path: str
    verb: str
    method: Document
    responses: dict[str, Document]
    integration: Document | None
    integration_responses: list[Document]
    authorizer: str = ""
    validator: str = ""


@dataclass
class Plan:
    """What a REST API is to be made of."""

    api: Document
    models: dict[str, Document] = field(default_factory=dict)
    validators: dict[str, Document] = field(default_factory=dict)
    authorizers: dict[str, Document] = field(default_factory=dict)
    responses: dict[str, Document] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    methods: list[PlannedMethod] = field(default_factory=list)
    documentation: list[Document] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def wrong(reason: str) -> AwsError:
    """A definition that cannot be imported."""
    return errors.bad_request(f"Errors found during import:\n\t{reason}")


_map = partial(as_map, wrong=wrong)
_list = partial(as_list, wrong=wrong)


def _texts(value: Any, where: str) -> dict[str, str]:
    return {key: _text(each) for key, each in _map(value, where).items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode() if value is not None else ""


def model_name(name: str) -> str:
    """Return the name that a schema has as a model: letters and digits."""
    return re.sub(r"[^A-Za-z0-9]", "", name)


class Reader:
    """Reads one definition."""

    def __init__(self, document: dict[str, Any], parameters: dict[str, str]) -> None:
        self._document = document
        self._parameters = parameters
        self._basepath = parameters.get("basepath") or parameters.get("basePath") or "ignore"
        if self._basepath not in _BASE_PATHS:
            raise errors.bad_request(f"Invalid value for basepath: it is one of {', '.join(_BASE_PATHS)}")
        self._is_swagger = str(document.get("swagger", "")) == "2.0"
        if not self._is_swagger and not str(document.get("openapi", "")).startswith("3.0"):
            raise errors.bad_request("Invalid OpenAPI input: the version must be 2.0 or 3.0")
        self._components = _map(document.get("components"), "components")
        self._schemes = self._security_schemes()
        self._default_validator = document.get(f"{X}request-validator") or ""

    def plan(self) -> Plan:
        """Return what the definition asks for. Raises BadRequestException."""
        document = self._document
        plan = Plan(self._api())
        unknown = [name for name in document if name.startswith(X) and name.removeprefix(X) not in _OF_APIS]
        plan.warnings = [f"The extension {name} is not supported, and ignored" for name in unknown]
        plan.tags = {
            _text(tag["name"]): _text(tag[f"{X}tag-value"])
            for tag in _list(document.get("tags"), "tags")
            if isinstance(tag, dict) and "name" in tag and f"{X}tag-value" in tag
        }
        schemas = document.get("definitions") if self._is_swagger else self._components.get("schemas")
        for name, schema in _map(schemas, "schemas").items():
            self._model(plan, name, schema)
        for name, rules in _map(document.get(f"{X}request-validators"), "request validators").items():
            rules = _map(rules, name)
            members = ("validateRequestBody", "validateRequestParameters")
            plan.validators[name] = {"name": name, **{member: bool(rules.get(member)) for member in members}}
        self._authorizers(plan)
        for kind, given in _map(document.get(f"{X}gateway-responses"), "gateway responses").items():
            response = self._resolved(given, kind)
            plan.responses[kind] = {
                "responseType": kind,
                "responseParameters": _texts(response.get("responseParameters"), kind),
                "responseTemplates": _texts(response.get("responseTemplates"), kind),
                **({"statusCode": str(response["statusCode"])} if response.get("statusCode") else {}),
            }
        prefix = self._prefix()
        for path, item in _map(document.get("paths"), "paths").items():
            self._path(plan, f"{prefix}{path if path.startswith('/') else f'/{path}'}", self._resolved(item, path))
        parts = _map(document.get(f"{X}documentation"), "documentation").get("documentationParts")
        plan.documentation = [_map(part, "documentationParts") for part in _list(parts, "documentationParts")]
        return plan

    def _api(self) -> Document:
        document = self._document
        info = _map(document.get("info"), "info")
        title = info.get("title")
        api: Document = {}
        if title not in (None, ""):
            if not isinstance(title, str):
                raise wrong("info.title must be a string")
            api["name"] = title
        if info.get("description"):
            api["description"] = _text(info["description"])
        if info.get("version") not in (None, ""):
            api["version"] = _text(info["version"])
        types = document.get(f"{X}binary-media-types")
        if types is not None:
            api["binaryMediaTypes"] = [_text(each) for each in _list(types, "binary media types")]
        if document.get(f"{X}policy"):
            api["policy"] = _text(document[f"{X}policy"])
        if document.get(f"{X}api-key-source"):
            api["apiKeySource"] = _text(document[f"{X}api-key-source"]).upper()
            if api["apiKeySource"] not in ("HEADER", "AUTHORIZER"):
                raise wrong("the API key source is HEADER or AUTHORIZER")
        size = document.get(f"{X}minimum-compression-size")
        if size is not None:
            if not isinstance(size, int) or isinstance(size, bool):
                raise wrong("the minimum compression size is not a number")
            api["minimumCompressionSize"] = size
        endpoint = _map(document.get(f"{X}endpoint-configuration"), "endpoint configuration")
        if "disableExecuteApiEndpoint" in endpoint:
            api["disableExecuteApiEndpoint"] = bool(endpoint["disableExecuteApiEndpoint"])
        kind = self._parameters.get("endpointConfigurationTypes")
        types = [kind] if kind else _list(endpoint.get("types"), "endpoint types")
        if types:
            api["endpointConfiguration"] = {"types": [_text(each) for each in types]}
        return api

    def _prefix(self) -> str:
        """Return what goes before all paths."""
        if self._basepath == "ignore":
            return ""
        path = _text(self._document.get("basePath")) if self._is_swagger else self._server_path()
        path = path.strip("/")
        if self._basepath == "split":
            path = path.partition("/")[2]
        return f"/{path}" if path else ""

    def _server_path(self) -> str:
        servers = _list(self._document.get("servers"), "servers")
        server = _map(servers[0], "servers[0]") if servers else {}
        url = _text(server.get("url"))
        for name, variable in _map(server.get("variables"), "variables").items():
            url = url.replace(f"{{{name}}}", _text(_map(variable, name).get("default")))
        try:
            return urlsplit(url).path
        except ValueError:
            raise wrong("the URL of the server is not valid") from None

    # -- models

    def _model(self, plan: Plan, name: str, schema: Any) -> str:
        """Add a model to a plan; return its name."""
        known = model_name(name)
        description = _map(schema, name).get("description")
        plan.models[known] = {
            "name": known,
            "contentType": "application/json",
            "schema": schema,
            **({"description": _text(description)} if description else {}),
        }
        return known

    def _schema(self, plan: Plan, schema: Any, where: str) -> str:
        """Return the name of the model that a schema is; one that is written in place is made one."""
        if not schema:
            return ""
        reference = _map(schema, where).get("$ref")
        if isinstance(reference, str):
            return model_name(reference.rpartition("/")[2])
        return self._model(plan, f"MODEL{len(plan.models)}{where}", schema)

    # -- who may call

    def _security_schemes(self) -> dict[str, Any]:
        found = (
            self._document.get("securityDefinitions") if self._is_swagger else self._components.get("securitySchemes")
        )
        return {name: self._resolved(scheme, name) for name, scheme in _map(found, "security schemes").items()}

    def _authorizers(self, plan: Plan) -> None:
        for name, scheme in self._schemes.items():
            given = scheme.get(f"{X}authorizer")
            if given is None:
                continue
            given = self._resolved(given, name)
            part: Document = {"name": name, "type": _text(given.get("type")).upper()}
            for member in AUTHORIZER_MEMBERS:
                if given.get(member) is not None:
                    part[member] = given[member]
            if part["type"] == "TOKEN" and "identitySource" not in part:
                part["identitySource"] = f"method.request.header.{scheme.get('name') or 'Authorization'}"
            if not isinstance(part.get("authorizerResultTtlInSeconds", 0), int):
                raise wrong(f"authorizerResultTtlInSeconds of {name} is not a number")
            part["authType"] = scheme.get(f"{X}authtype") or "custom"
            plan.authorizers[name] = part

    def _security(self, plan: Plan, planned: PlannedMethod, operation: dict[str, Any]) -> None:
        method = planned.method
        auth = _map(operation.get(f"{X}auth"), "auth")
        security = operation.get("security", self._document.get("security"))
        for requirement in _list(security, "security"):
            for name in _map(requirement, "security"):
                scheme = self._schemes.get(name)
                if scheme is None:
                    raise wrong(f"the security scheme {name} is not defined")
                if f"{X}authorizer" in scheme:
                    planned.authorizer = name
                    kind = _text(self._resolved(scheme[f"{X}authorizer"], name).get("type")).lower()
                    method["authorizationType"] = "COGNITO_USER_POOLS" if "cognito" in kind else "CUSTOM"
                elif str(scheme.get(f"{X}authtype", "")).lower() == "awssigv4":
                    method["authorizationType"] = "AWS_IAM"
                elif scheme.get("type") == "apiKey":
                    method["apiKeyRequired"] = True
                else:
                    where = f"{planned.verb} {planned.path}"
                    plan.warnings.append(f"The security scheme {name} of {where} has no authorizer: it is ignored")
        if auth.get("type"):
            method["authorizationType"] = _text(auth["type"]).upper()

    # -- paths

    def _path(self, plan: Plan, path: str, item: dict[str, Any]) -> None:
        plan.paths.append(path)
        common = _list(item.get("parameters"), f"{path}.parameters")
        for verb in VERBS:
            if verb in item:
                operation = _map(item[verb], f"{path}.{verb}")
                self._operation(plan, path, "ANY" if verb.startswith(X) else verb.upper(), operation, common)

    def _operation(self, plan: Plan, path: str, verb: str, operation: dict[str, Any], common: list[Any]) -> None:
        where = f"{path} {verb}"
        method: Document = {"httpMethod": verb, "authorizationType": "NONE"}
        if operation.get("operationId"):
            method["operationName"] = _text(operation["operationId"])
        planned = PlannedMethod(path, verb, method, {}, None, [])
        planned.validator = _text(operation.get(f"{X}request-validator") or self._default_validator)
        self._security(plan, planned, operation)
        self._parameters_of(plan, planned, operation, common)
        for status, given in _map(operation.get("responses"), where).items():
            if status.isdecimal():
                planned.responses[status] = self._response(plan, status, self._resolved(given, where), operation)
        given = operation.get(f"{X}integration")
        if given is not None:
            self._integration(planned, self._resolved(given, where), where)
        plan.methods.append(planned)

    def _parameters_of(self, plan: Plan, planned: PlannedMethod, operation: dict[str, Any], common: list[Any]) -> None:
        where = f"{planned.path} {planned.verb}"
        parameters: dict[str, bool] = {}
        models: dict[str, str] = {}
        for given in [*common, *_list(operation.get("parameters"), where)]:
            parameter = self._resolved(given, where)
            place = parameter.get("in")
            if place in _PLACES:
                name = f"method.request.{_PLACES[place]}.{parameter.get('name')}"
                parameters[name] = bool(parameter.get("required"))
            elif place == "body":
                consumed = operation.get("consumes") or self._document.get("consumes") or ["application/json"]
                name = self._schema(plan, parameter.get("schema"), f"{planned.verb}Body")
                models |= {_text(kind): name for kind in _list(consumed, where) if name}
        body = self._resolved(operation.get("requestBody"), where)
        for kind, content in _map(body.get("content"), where).items():
            name = self._schema(plan, _map(content, kind).get("schema"), f"{planned.verb}Body")
            if name:
                models[kind] = name
        if parameters:
            planned.method["requestParameters"] = parameters
        if models:
            planned.method["requestModels"] = models

    def _response(self, plan: Plan, status: str, given: dict[str, Any], operation: dict[str, Any]) -> Document:
        response: Document = {"statusCode": status}
        headers = {f"method.response.header.{name}": False for name in _map(given.get("headers"), status)}
        if headers:
            response["responseParameters"] = headers
        models: dict[str, str] = {}
        if self._is_swagger:
            produced = operation.get("produces") or self._document.get("produces") or ["application/json"]
            name = self._schema(plan, given.get("schema"), f"Response{status}")
            models = {_text(kind): name for kind in _list(produced, status) if name}
        for kind, content in _map(given.get("content"), status).items():
            name = self._schema(plan, _map(content, kind).get("schema"), f"Response{status}")
            if name:
                models[kind] = name
        if models:
            response["responseModels"] = models
        return response

    def _integration(self, planned: PlannedMethod, given: dict[str, Any], where: str) -> None:
        part: Document = {"type": _text(given.get("type")).upper()}
        if part["type"] not in ("AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"):
            raise wrong(f"Unable to parse the integration of {where}: its type is not valid")
        for member in INTEGRATION_MEMBERS:
            value = given.get(member)
            if value is None:
                continue
            if member in ("requestParameters", "requestTemplates"):
                value = _texts(value, where)
            elif member == "cacheKeyParameters":
                value = [_text(each) for each in _list(value, where)]
            elif member in ("passthroughBehavior", "contentHandling", "connectionType", "httpMethod"):
                value = _text(value).upper()
            elif member == "timeoutInMillis" and (not isinstance(value, int) or isinstance(value, bool)):
                raise wrong(f"timeoutInMillis of {where} is not a number")
            part[member] = value
        planned.integration = part
        for pattern, each in _map(given.get("responses"), where).items():
            response = _map(each, where)
            status = _text(response.get("statusCode")) or ("200" if pattern == "default" else pattern)
            made: Document = {
                "statusCode": status,
                "responseParameters": _texts(response.get("responseParameters"), where),
                "responseTemplates": _texts(response.get("responseTemplates"), where),
            }
            if pattern != "default":
                made["selectionPattern"] = pattern
            if response.get("contentHandling"):
                made["contentHandling"] = _text(response["contentHandling"]).upper()
            planned.integration_responses.append(made)

    def _resolved(self, given: Any, where: str) -> dict[str, Any]:
        """Return an object of the definition, or what a reference to one (`$ref`) names."""
        return resolved(self._document, given, where, wrong)
