"""Parameter mapping of HTTP APIs: what is added to requests and answers, put in place of something, or taken away.

Developer guide, "Transform API requests and responses for HTTP APIs in API Gateway".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cloudlet.services.apigateway import errors, expressions
from cloudlet.services.apigateway.answers import HEADER_NAME
from cloudlet.services.apigateway.expressions import Expression, Lookup

_KEY = re.compile(
    r"(?P<action>append|overwrite|remove):(?P<place>header|querystring|path|statuscode)(?:\.(?P<name>\S+))?"
)
_RESERVED = frozenset(
    (
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-location",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    )
)
_RESERVED_PREFIXES = ("access-control-", "apigw-", "x-amz-", "x-amzn-")
_STATUS = re.compile(r"[1-5]\d\d")


class Change(NamedTuple):
    """One change: `action` is append, overwrite or remove, `place` header, querystring, path or statuscode."""

    action: str
    place: str
    name: str
    value: Expression


def _read(key: str, value: str, places: tuple[str, ...]) -> Change:
    match = _KEY.fullmatch(key)
    if (
        match is None
        or match["place"] not in places
        or (match["place"] in ("header", "querystring")) != bool(match["name"])
    ):
        raise errors.bad_request(f"Invalid mapping expression specified: {key}")
    if match["place"] in ("path", "statuscode") and match["action"] != "overwrite":
        raise errors.bad_request(f"Invalid mapping expression specified: {key}")
    if match["action"] != "remove" and not expressions.has_known(value, of_answers="statuscode" in places):
        raise errors.bad_request(f"Invalid mapping expression specified: {value}")
    name = match["name"] or ""
    if match["place"] == "header":
        if not HEADER_NAME.fullmatch(name):
            raise errors.bad_request(f"Invalid mapping expression specified: {key}")
        name = name.lower()
        if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
            raise errors.bad_request(f"Operations on header {name} are restricted")
    return Change(match["action"], match["place"], name, expressions.compiled(value))


def request(parameters: Mapping[str, str]) -> tuple[Change, ...]:
    """Return what an integration's request parameters say. Raises BadRequestException."""
    return tuple(_read(key, value, ("header", "querystring", "path")) for key, value in parameters.items())


def check_request(parameters: Mapping[str, str]) -> None:
    """Raise BadRequestException for request parameters that make no sense."""
    request(parameters)


def responses(parameters: Mapping[str, Mapping[str, str]]) -> dict[int, tuple[Change, ...]]:
    """Return, by status, what an integration's response parameters say. Raises BadRequestException."""
    result = {}
    for status, mappings in parameters.items():
        if not _STATUS.fullmatch(status):
            raise errors.bad_request(f"Invalid status code {status} specified in ResponseParameters")
        result[int(status)] = tuple(_read(key, value, ("header", "statuscode")) for key, value in mappings.items())
    return result


def check_responses(parameters: Mapping[str, Mapping[str, str]]) -> None:
    """Raise BadRequestException for response parameters that make no sense."""
    responses(parameters)


Pairs = list[tuple[str, str]]


def changed_pairs(pairs: Pairs, mapping: Change, lookup: Lookup) -> Pairs:
    """Return headers (names in lower case), or parameters of a query, with a change made to them."""
    name = mapping.name
    if mapping.action == "remove":
        return [pair for pair in pairs if pair[0] != name]
    value = mapping.value.value(lookup)
    if value is None:
        return pairs
    kept = pairs if mapping.action == "append" else [pair for pair in pairs if pair[0] != name]
    return [*kept, (name, value)]
