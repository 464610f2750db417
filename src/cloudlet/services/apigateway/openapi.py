"""OpenAPI 3.0 documents with API Gateway's extensions, read: what an HTTP API is to be made of.

Developer guide, "Use OpenAPI definitions for HTTP APIs" and "OpenAPI extensions for API Gateway".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from cloudlet.core import AwsError, Params
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.json_depth import is_deeper
from cloudlet.services.apigateway import errors, yaml_text
from cloudlet.services.apigateway.definition_values import as_list, as_map, resolved

LARGEST_BYTES = 6 << 20
_DEEPEST = 200
INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTH_TYPE = "x-amazon-apigateway-authtype"
ANY_METHOD = "x-amazon-apigateway-any-method"
CORS = "x-amazon-apigateway-cors"
TAG_VALUE = "x-amazon-apigateway-tag-value"
DEFAULT_PATH = "/$default"
SIGV4 = "awsSigv4"
METHODS = ("delete", "get", "head", "options", "patch", "post", "put")
_CORS_MEMBERS = {
    "allowCredentials": "AllowCredentials",
    "allowHeaders": "AllowHeaders",
    "allowMethods": "AllowMethods",
    "allowOrigins": "AllowOrigins",
    "exposeHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}
INTEGRATION_MEMBERS = {
    "connectionId": "ConnectionId",
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "description": "Description",
    "httpMethod": "IntegrationMethod",
    "integrationSubtype": "IntegrationSubtype",
    "payloadFormatVersion": "PayloadFormatVersion",
    "requestParameters": "RequestParameters",
    "responseParameters": "ResponseParameters",
    "timeoutInMillis": "TimeoutInMillis",
    "type": "IntegrationType",
    "uri": "IntegrationUri",
}
"""Members of an integration in a document → of the API."""
AUTHORIZER_MEMBERS = {
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    "authorizerUri": "AuthorizerUri",
    "enableSimpleResponses": "EnableSimpleResponses",
}


@dataclass
class PlannedRoute:
    """A route to be made; `integration` has the parameters of CreateIntegration, `authorizer` names one."""

    params: Params
    integration: Params | None
    authorizer: str = ""


@dataclass
class Plan:
    """What an API is to be made of; all in the parameters of the operations that make it."""

    api: Params
    authorizers: dict[str, Params] = field(default_factory=dict)
    routes: list[PlannedRoute] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _wrong(reason: str) -> AwsError:
    return errors.bad_request(f"Unable to import API: {reason}")


_map = partial(as_map, wrong=_wrong)
_list = partial(as_list, wrong=_wrong)


def import_document(text: str, account: str, region: str) -> dict[str, Any]:
    """Return a document that an account imports in a region. Raises BadRequestException.

    Developer guide, "AWS variables for OpenAPI import".
    """
    variables = {"AccountId": account, "Partition": partition_of(region), "Region": region}
    for name, value in variables.items():
        text = text.replace(f"${{AWS::{name}}}", value)
    return parse(text)


def parse(text: str) -> dict[str, Any]:
    """Return the document in a JSON or YAML text; YAML may take seconds. Raises BadRequestException."""
    if len(text) > LARGEST_BYTES:
        raise _wrong(f"the definition is larger than {LARGEST_BYTES} bytes")
    try:
        document = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        try:
            document = yaml_text.read(text)
        except yaml_text.Refused as refused:
            raise _wrong(str(refused)) from refused
    if not isinstance(document, dict):
        raise _wrong("the definition is not an object")
    if is_deeper(document, _DEEPEST):
        raise _wrong("the definition is nested too deeply")
    return document


class Reader:
    """Reads one document."""

    def __init__(self, document: dict[str, Any], basepath: str) -> None:
        self._document = document
        self._basepath = basepath

    def plan(self) -> Plan:
        """Return what the document asks for. Raises BadRequestException."""
        document = self._document
        version = document.get("openapi")
        if not isinstance(version, str) or not version.startswith("3.0"):
            raise _wrong("only OpenAPI 3.0 definitions are supported for HTTP APIs")
        info = _map(document.get("info"), "info")
        title = info.get("title")
        if not isinstance(title, str) or not title:
            raise _wrong("info.title is required")
        api: Params = {"Name": title, "ProtocolType": "HTTP"}
        if info.get("version") not in (None, ""):
            api["Version"] = str(info["version"])[:64]
        if info.get("description"):
            api["Description"] = str(info["description"])[:1024]
        if CORS in document:
            api["CorsConfiguration"] = self._cors(_map(document[CORS], CORS))
        tags = {
            str(tag["name"]): str(tag[TAG_VALUE])
            for tag in _list(document.get("tags"), "tags")
            if isinstance(tag, dict) and "name" in tag and TAG_VALUE in tag
        }
        if tags:
            api["Tags"] = tags
        plan = Plan(api)
        self._authorizers(plan)
        prefix = self._prefix()
        for path, item in _map(document.get("paths"), "paths").items():
            self._path(plan, prefix, path, _map(item, f"paths.{path}"))
        return plan

    def _prefix(self) -> str:
        """Return what goes before all paths, by the URL of the first server."""
        if self._basepath == "ignore":
            return ""
        servers = _list(self._document.get("servers"), "servers")
        server = _map(servers[0], "servers[0]") if servers else {}
        url = str(server.get("url", ""))
        for name, variable in _map(server.get("variables"), "servers[0].variables").items():
            url = url.replace(f"{{{name}}}", str(_map(variable, name).get("default", "")))
        try:
            path = urlsplit(url).path.strip("/")
        except ValueError:
            raise _wrong("the URL of the server is not valid") from None
        if self._basepath == "split":
            path = path.partition("/")[2]
        return f"/{path}" if path else ""

    def _cors(self, given: dict[str, Any]) -> Params:
        result: Params = {}
        for name, member in _CORS_MEMBERS.items():
            value = given.get(name)
            if value is None:
                continue
            if name in ("allowCredentials", "maxAge"):
                wanted = bool if name == "allowCredentials" else int
                if not isinstance(value, wanted):
                    raise _wrong(f"{CORS}.{name} is of a wrong type")
                result[member] = value
            else:
                values = [value] if isinstance(value, str) else _list(value, f"{CORS}.{name}")
                result[member] = [str(each) for each in values]
        return result

    def _authorizers(self, plan: Plan) -> None:
        for name, scheme in self._schemes.items():
            given = scheme.get(AUTHORIZER)
            if given is None:
                continue
            authorizer = self._resolved(given, AUTHORIZER)
            kind = str(authorizer.get("type", "")).lower()
            sources = authorizer.get("identitySource", [])
            listed = sources.split(",") if isinstance(sources, str) else _list(sources, "identitySource")
            params: Params = {"Name": name, "IdentitySource": [str(each).strip() for each in listed if each]}
            if kind == "jwt":
                configuration = _map(authorizer.get("jwtConfiguration"), "jwtConfiguration")
                audience = configuration.get("audience", [])
                params |= {
                    "AuthorizerType": "JWT",
                    "JwtConfiguration": {
                        "Issuer": str(configuration.get("issuer", "")),
                        "Audience": [
                            str(each) for each in ([audience] if isinstance(audience, str) else audience or ())
                        ],
                    },
                }
            elif kind == "request":
                params["AuthorizerType"] = "REQUEST"
                params |= _members(authorizer, AUTHORIZER_MEMBERS)
            else:
                raise _wrong(f"the authorizer {name} is of the unsupported type {kind or 'none'}")
            plan.authorizers[name] = params

    @cached_property
    def _schemes(self) -> dict[str, dict[str, Any]]:
        components = _map(self._document.get("components"), "components")
        schemes = _map(components.get("securitySchemes"), "securitySchemes")
        return {name: self._resolved(scheme, f"securitySchemes.{name}") for name, scheme in schemes.items()}

    def _path(self, plan: Plan, prefix: str, path: str, item: dict[str, Any]) -> None:
        # Templates of AWS have the default route without its slash, too.
        path = DEFAULT_PATH if path == DEFAULT_PATH[1:] else path
        if not path.startswith("/"):
            raise _wrong(f"the path {path} does not begin with a slash")
        for method in (*METHODS, ANY_METHOD):
            if method not in item:
                continue
            operation = _map(item[method], f"paths.{path}.{method}")
            if path == DEFAULT_PATH and method == ANY_METHOD and operation.get("isDefaultRoute"):
                key = "$default"
            else:
                key = f"{'ANY' if method == ANY_METHOD else method.upper()} {prefix}{path}"
            plan.routes.append(self._route(plan, key, operation))

    def _route(self, plan: Plan, key: str, operation: dict[str, Any]) -> PlannedRoute:
        params: Params = {"RouteKey": key}
        if operation.get("operationId"):
            params["OperationName"] = str(operation["operationId"])[:64]
        authorizer = self._security(plan, params, operation)
        given = operation.get(INTEGRATION)
        if given is None:
            plan.warnings.append(f"There is no integration for the route {key}")
            return PlannedRoute(params, None, authorizer)
        integration = self._resolved(given, f"{key}.{INTEGRATION}")
        made = _members(integration, INTEGRATION_MEMBERS)
        made["IntegrationType"] = str(made.get("IntegrationType", "")).upper()
        tls = integration.get("tlsConfig")
        if isinstance(tls, dict) and tls.get("serverNameToVerify"):
            made["TlsConfig"] = {"ServerNameToVerify": str(tls["serverNameToVerify"])}
        return PlannedRoute(params, made, authorizer)

    def _security(self, plan: Plan, params: Params, operation: dict[str, Any]) -> str:
        """Set what a route says of who may call it; return the name of its authorizer."""
        wanted = operation.get("security", self._document.get("security"))
        schemes = self._schemes
        for requirement in _list(wanted, "security"):
            for name, scopes in _map(requirement, "security").items():
                scheme = schemes.get(name)
                if scheme is None:
                    raise _wrong(f"the security scheme {name} is not defined")
                if scheme.get(AUTH_TYPE) == SIGV4:
                    params["AuthorizationType"] = "AWS_IAM"
                    return ""
                authorizer = plan.authorizers.get(name)
                if authorizer is None:
                    plan.warnings.append(f"The security scheme {name} has no authorizer: it is ignored")
                    continue
                params["AuthorizationType"] = "JWT" if authorizer["AuthorizerType"] == "JWT" else "CUSTOM"
                if scopes and params["AuthorizationType"] == "JWT":
                    params["AuthorizationScopes"] = [str(scope) for scope in _list(scopes, "scopes")]
                return name
        return ""

    def _resolved(self, given: Any, where: str) -> dict[str, Any]:
        """Return an object of the document, or what a reference to one (`$ref`) names."""
        return resolved(self._document, given, where, _wrong)


def _members(given: dict[str, Any], names: dict[str, str]) -> Params:
    """Return an object's members as parameters; values are text where the API has text. Raises BadRequestException."""
    result: Params = {}
    for name, member in names.items():
        value = given.get(name)
        if value is None:
            continue
        if name in ("timeoutInMillis", "authorizerResultTtlInSeconds"):
            if not isinstance(value, int) or isinstance(value, bool):
                raise _wrong(f"{name} is not a number")
            result[member] = value
        elif name == "enableSimpleResponses":
            result[member] = bool(value)
        elif name == "requestParameters":
            result[member] = {key: str(each) for key, each in _map(value, name).items()}
        elif name == "responseParameters":
            result[member] = {
                status: {key: str(each) for key, each in _map(mappings, name).items()}
                for status, mappings in _map(value, name).items()
            }
        else:
            result[member] = str(value)
    return result
