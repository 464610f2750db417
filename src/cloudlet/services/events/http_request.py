"""Requests to HTTP endpoints: of an API destination, and of the server that gives its connection tokens.

User guide, "API destinations as targets" ("Headers included in requests to API destinations"); API reference,
"HttpParameters": in conflicts what a connection says counts.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from cloudlet.core.background.retrying import DeliveryError
from cloudlet.services.events.connection import API_KEY, BASIC, OAUTH, PARAMETERS, Secret
from cloudlet.services.events.destination import Destination

FIXED_HEADERS = frozenset(("accept-encoding", "connection", "content-length", "host", "range", "transfer-encoding"))
"""Headers that are EventBridge's own, in lower case."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, 5.6.2). A connection may have others, as AWS's may."""
_BODILESS = frozenset(("GET", "HEAD", "OPTIONS"))
_SHARED = {"User-Agent": "Amazon/EventBridge/ApiDestinations"}
_OWN = {"Range": "bytes=0-1048575", "Accept-Encoding": "gzip,deflate", "Connection": "close"}
Parameters = Mapping[str, Any]
"""HttpParameters of a target: PathParameterValues, HeaderParameters and QueryStringParameters."""


class Request(NamedTuple):
    """A request, as the client of HTTP takes it."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes


def to_destination(found: Destination, kind: str, secret: Secret, body: str, parameters: Parameters) -> Request:
    """Return the request by which a destination gets a body. Raises Failed where none can be made."""
    own = secret.parameters.get("InvocationHttpParameters") or {}
    headers = _merged(
        {**_SHARED, "Content-Type": "application/json; charset=utf-8"},
        parameters.get("HeaderParameters") or {},
        _pairs(own, "HeaderParameters"),
        _authorization(kind, secret),
        _OWN,
    )
    query = {**(parameters.get("QueryStringParameters") or {}), **_pairs(own, "QueryStringParameters")}
    url = _with_path(found.endpoint, parameters.get("PathParameterValues") or ())
    content = b"" if found.method in _BODILESS else _with_members(body, _pairs(own, "BodyParameters")).encode()
    return Request(found.method, _with_query(url, query.items()), headers, content)


def to_method(url: str, path: str, method: str, body: str, parameters: Parameters, trace: str) -> Request:
    """Return the request by which a method of a REST API gets a body; `path` is below `url`, with its asterisks.

    Raises Failed where none can be made.
    """
    headers = _merged(
        {"User-Agent": "AmazonEventBridge", "Content-Type": "application/json"},
        parameters.get("HeaderParameters") or {},
        {"X-Amzn-Trace-Id": trace} if trace else {},
        {"Connection": "close"},
    )
    whole = _with_path(f"{url}{path}", parameters.get("PathParameterValues") or ())
    query = parameters.get("QueryStringParameters") or {}
    return Request(method, _with_query(whole, query.items()), headers, b"" if method in _BODILESS else body.encode())


def for_token(parameters: Mapping[str, Any]) -> Request:
    """Return the request for a token, as RFC 6749 (4.4, and 2.3.1 for the client's credentials) has it."""
    client, own = parameters["ClientParameters"], parameters.get("OAuthHttpParameters") or {}
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientID"],
        "client_secret": client["ClientSecret"],
        **_pairs(own, "BodyParameters"),
    }
    method, query = parameters["HttpMethod"], _pairs(own, "QueryStringParameters")
    if method == "GET":
        query, form = {**form, **query}, {}
    headers = _merged(
        {**_SHARED, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Accept": "application/json"},
        _pairs(own, "HeaderParameters"),
        {"Connection": "close"},
    )
    url = _with_query(parameters["AuthorizationEndpoint"], query.items())
    return Request(method, url, headers, urlencode(form).encode())


def _authorization(kind: str, secret: Secret) -> dict[str, str]:
    own = secret.parameters[PARAMETERS[kind]]
    if kind == BASIC:
        pair = f"{own['Username']}:{own['Password']}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    if kind == API_KEY:
        return {own["ApiKeyName"]: own["ApiKeyValue"]}
    assert kind == OAUTH  # noqa: S101 - there are no others
    return {"Authorization": f"Bearer {secret.token}"}


def _pairs(parameters: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return parameters of a connection by their keys."""
    return {each["Key"]: each.get("Value") or "" for each in parameters.get(name) or () if each.get("Key")}


def _merged(*several: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return headers, of which later ones replace those of the same name before them. Raises DeliveryError."""
    found: dict[str, tuple[str, str]] = {}
    for headers in several:
        for name, value in headers.items():
            if not _TOKEN.fullmatch(name):
                raise DeliveryError("INVALID_PARAMETER", f"{name} cannot be the name of a header.", permanent=True)
            found[name.lower()] = (name, value)
    return list(found.values())


def _with_path(endpoint: str, values: Iterable[str]) -> str:
    """Return an endpoint with values in place of the asterisks of its path. Raises Failed."""
    parts = urlsplit(endpoint)
    first, *rest = parts.path.split("*")
    given = list(values)
    if len(given) != len(rest):
        raise DeliveryError(
            "INVALID_PARAMETER",
            f"The endpoint has {len(rest)} path parameters, and the target gives {len(given)} values.",
            permanent=True,
        )
    path = first + "".join(quote(value, safe="") + piece for value, piece in zip(given, rest, strict=True))
    return urlunsplit(parts._replace(path=path))


def _with_query(url: str, pairs: Iterable[tuple[str, str]]) -> str:
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(list(pairs))) if part)
    return urlunsplit(parts._replace(query=query))


def _with_members(body: str, members: Mapping[str, str]) -> str:
    """Return a JSON object with further members. Raises Failed for what is none."""
    if not members:
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise DeliveryError(
            "INVALID_JSON", "The connection has body parameters, and the input is no JSON object.", permanent=True
        )
    return json.dumps({**document, **members}, separators=(",", ":"), ensure_ascii=False)
