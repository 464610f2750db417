"""HTTP APIs as OpenAPI 3.0 documents. Developer guide, "Export HTTP APIs from API Gateway"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core.aws.tags import is_system_key
from cloudlet.services.apigateway import openapi
from cloudlet.services.apigateway.deploying import Snapshot
from cloudlet.services.apigateway.documents import Document

_EXPORT_VERSION = "1.0"
_ANSWER = {"default": {"description": "Default response"}}


def document(snapshot: Snapshot, server: str, tags: dict[str, str], *, extended: bool) -> dict[str, Any]:
    """Return the document of an API; `extended` with API Gateway's extensions."""
    api = snapshot["Api"]
    info = {"title": api["Name"], "version": api.get("Version", "")}
    if "Description" in api:
        info["description"] = api["Description"]
    result: dict[str, Any] = {"openapi": "3.0.1", "info": info, "servers": [{"url": server}]}
    own = {name: value for name, value in tags.items() if not is_system_key(name)}
    if own:
        shown = [{"name": name, **({openapi.TAG_VALUE: value} if extended else {})} for name, value in own.items()]
        result["tags"] = shown
    integrations = {part["IntegrationId"]: part for part in snapshot["Integration"]}
    authorizers = {part["AuthorizerId"]: part for part in snapshot["Authorizer"]}
    paths: dict[str, Any] = {}
    schemes: dict[str, Any] = {}
    for route in sorted(snapshot["Route"], key=lambda part: str(part["RouteKey"])):
        path, method, operation = _operation(route, integrations, authorizers, schemes, extended)
        paths.setdefault(path, {})[method] = operation
    result["paths"] = paths
    if schemes:
        result["components"] = {"securitySchemes": schemes}
    if extended:
        if "CorsConfiguration" in api:
            cors = api["CorsConfiguration"]
            result[openapi.CORS] = {_lower(member): value for member, value in cors.items()}
        result["x-amazon-apigateway-importexport-version"] = _EXPORT_VERSION
    return result


def _operation(
    route: Document,
    integrations: dict[str, Document],
    authorizers: dict[str, Document],
    schemes: dict[str, Any],
    extended: bool,
) -> tuple[str, str, dict[str, Any]]:
    """Return the path and the method of a route, and the operation; its security scheme goes to `schemes`."""
    operation: dict[str, Any] = {}
    if "OperationName" in route:
        operation["operationId"] = route["OperationName"]
    method, _, path = route["RouteKey"].partition(" ")
    parameters = [segment[1:-1].rstrip("+") for segment in path.split("/") if segment.startswith("{")]
    if parameters:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parameters
        ]
    operation["responses"] = _ANSWER
    kind = route["AuthorizationType"]
    authorizer = authorizers.get(route.get("AuthorizerId", ""))
    if kind == "AWS_IAM":
        operation["security"] = [{"sigv4": []}]
        scheme = {"type": "apiKey", "name": "Authorization", "in": "header"}
        schemes["sigv4"] = {**scheme, **({openapi.AUTH_TYPE: openapi.SIGV4} if extended else {})}
    elif authorizer is not None:
        operation["security"] = [{authorizer["Name"]: route.get("AuthorizationScopes") or []}]
        schemes[authorizer["Name"]] = _scheme(authorizer, extended)
    integration = integrations.get(route.get("Target", "").removeprefix("integrations/"))
    if extended and integration is not None:
        operation[openapi.INTEGRATION] = _integration(integration)
    if not path:
        return openapi.DEFAULT_PATH, openapi.ANY_METHOD, {**operation, "isDefaultRoute": True}
    return path, openapi.ANY_METHOD if method == "ANY" else method.lower(), operation


def _scheme(authorizer: Document, extended: bool) -> dict[str, Any]:
    sources = authorizer.get("IdentitySource") or []
    shown: dict[str, Any] = {"identitySource": ",".join(sources)}
    if authorizer["AuthorizerType"] == "JWT":
        configuration = authorizer["JwtConfiguration"]
        scheme: dict[str, Any] = {"type": "oauth2", "flows": {}}
        shown |= {
            "type": "jwt",
            "jwtConfiguration": {"issuer": configuration["Issuer"], "audience": configuration["Audience"]},
        }
    else:
        place, _, name = (
            (sources[0] if sources else "$request.header.Authorization").removeprefix("$request.").partition(".")
        )
        scheme = {"type": "apiKey", "name": name, "in": "query" if place == "querystring" else "header"}
        shown["type"] = "request"
        shown |= _shown(authorizer, openapi.AUTHORIZER_MEMBERS)
    return {**scheme, openapi.AUTHORIZER: shown} if extended else scheme


def _integration(integration: Document) -> dict[str, Any]:
    shown = _shown(integration, openapi.INTEGRATION_MEMBERS)
    if "TlsConfig" in integration:
        shown["tlsConfig"] = {"serverNameToVerify": integration["TlsConfig"]["ServerNameToVerify"]}
    return shown


def _shown(part: Document, names: dict[str, str]) -> dict[str, Any]:
    return {name: part[member] for name, member in names.items() if member in part}


def _lower(member: str) -> str:
    return member[0].lower() + member[1:]


def written(document: dict[str, Any], output: str) -> bytes:
    """Return a document as JSON or as YAML; the latter is slow."""
    if output == "JSON":
        return msgspec.json.format(msgspec.json.encode(document))
    import yaml

    class Plain(yaml.SafeDumper):  # type: ignore[misc]
        """Writes what occurs twice twice."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    text: str = yaml.dump(document, Dumper=Plain, sort_keys=False, allow_unicode=True)
    return text.encode()
