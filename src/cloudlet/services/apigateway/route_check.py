"""What a route may be. Developer guide, "Create routes for HTTP APIs" and "… for WebSocket APIs"."""

from __future__ import annotations

import re
from typing import NamedTuple

from cloudlet.core import Context, Transaction
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import Document, find_part, parts_with

MEMBERS = (
    "ApiKeyRequired",
    "AuthorizationScopes",
    "AuthorizationType",
    "AuthorizerId",
    "ModelSelectionExpression",
    "OperationName",
    "RequestModels",
    "RequestParameters",
    "RouteKey",
    "RouteResponseSelectionExpression",
    "Target",
)
MAPS = ("RequestModels", "RequestParameters")
DEFAULT = "$default"
_PARAMETER = re.compile(r"route\.request\.(header|querystring)\.\S+")
_METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_SEGMENT = re.compile(r"[^{}/]*|\{[A-Za-z0-9._-]+\+?\}")
_OF_WEBSOCKETS = (
    "ModelSelectionExpression",
    "RequestModels",
    "RequestParameters",
    "RouteResponseSelectionExpression",
)
_AUTHORIZERS = {"CUSTOM": "REQUEST", "JWT": "JWT"}


class RouteKey(NamedTuple):
    """The method and the segments of the path of a route of an HTTP API."""

    method: str
    segments: tuple[str, ...]


def parse(route_key: str) -> RouteKey:
    """Return what a route key of an HTTP API, that is not $default, says. Raises ValueError."""
    method, _, path = route_key.partition(" ")
    if method not in _METHODS or not path.startswith("/"):
        raise ValueError(route_key)
    segments = tuple(path[1:].split("/"))
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError(route_key)
    if any(segment.endswith("+}") for segment in segments[:-1]):
        raise ValueError(route_key)
    return RouteKey(method, segments)


async def check(ctx: Context, tx: Transaction, api: Document, part: Document) -> Document:
    """Return a route as it is kept. Raises AwsError."""
    protocol = api["ProtocolType"]
    key = part.get("RouteKey", "")
    if protocol == "HTTP":
        _check_http(part, key)
    elif not key:
        raise errors.bad_request("RouteKey is required")
    for other in await parts_with(tx, api["ApiId"], "Route", "RouteKey", key):
        if other["RouteId"] != part["RouteId"]:
            raise errors.conflict(f"Route with key {key} already exists for this API")
    if part.setdefault("ApiKeyRequired", False):
        if protocol == "HTTP":
            raise errors.bad_request("ApiKeyRequired is not currently supported for HTTP APIs")
        raise errors.not_built("API keys of routes of WebSocket APIs")
    _check_parameters(part, key)
    await _check_target(tx, api, part)
    await _check_authorization(tx, api, part)
    return part


def _check_http(part: Document, key: str) -> None:
    if key != DEFAULT:
        try:
            parse(key)
        except ValueError:
            raise errors.bad_request(
                "The provided route key is not formatted properly for HTTP protocol. "
                'Format should be "<Http Method> /<Path>" or "$default"'
            ) from None
    for member in _OF_WEBSOCKETS:
        if part.get(member):
            raise errors.bad_request(f"{member} is not supported for HTTP protocol")


def _check_parameters(part: Document, key: str) -> None:
    """Look at what a route of a WebSocket API wants of handshakes."""
    for name, constraints in (part.get("RequestParameters") or {}).items():
        if not _PARAMETER.fullmatch(name):
            raise errors.bad_request(f"Invalid request parameter specified: {name}")
        if constraints.get("Required") and key != "$connect":
            raise errors.not_built("required request parameters of routes other than $connect")


async def _check_target(tx: Transaction, api: Document, part: Document) -> None:
    target = part.get("Target")
    if target is None:
        return
    kind, _, id = target.partition("/")
    if kind != "integrations" or not id:
        raise errors.bad_request(f"Invalid target {target} specified: it has the form integrations/<integrationId>")
    if await find_part(tx, api["ApiId"], "Integration", id) is None:
        raise errors.no_such("Integration", id)


async def _check_authorization(tx: Transaction, api: Document, part: Document) -> None:
    kind = part.setdefault("AuthorizationType", "NONE")
    protocol = api["ProtocolType"]
    if kind == "JWT" and protocol != "HTTP":
        raise errors.bad_request("Authorization type JWT is not supported for WEBSOCKET protocol")
    if protocol == "WEBSOCKET" and kind != "NONE" and part["RouteKey"] != "$connect":
        raise errors.bad_request("Currently, authorization is restricted to the $connect route only")
    if part.get("AuthorizationScopes") and kind != "JWT":
        raise errors.bad_request("Authorization scopes are only supported for the authorization type JWT")
    wanted = _AUTHORIZERS.get(kind)
    id = part.get("AuthorizerId")
    if wanted is None:
        part.pop("AuthorizerId", None)
        return
    if id is None:
        raise errors.bad_request(f"AuthorizerId is required when the authorization type is {kind}")
    authorizer = await find_part(tx, api["ApiId"], "Authorizer", id)
    if authorizer is None:
        raise errors.no_such("Authorizer", id)
    if authorizer["AuthorizerType"] != wanted:
        raise errors.bad_request(f"Authorizer {id} is not of the type that the authorization type {kind} needs")
