"""Parameter mapping and mapping templates: what becomes of a request, and of an integration's answer.

Developer guide, "Parameter mapping for REST APIs in API Gateway", "Mapping template transformations for REST APIs" and
"Override your API's request and response parameters and status codes".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cloudlet.core.background.workers import LARGE, offload_if
from cloudlet.services.apigateway import templates
from cloudlet.services.apigateway.answers import HEADER_NAME, remapped
from cloudlet.services.apigateway.rest.binary import media_type
from cloudlet.services.apigateway.rest.refusal import Refusal, internal
from cloudlet.services.apigateway.vtl import VtlError, json_path, values
from cloudlet.services.apigateway.vtl.steps import RUNNING, Steps

if TYPE_CHECKING:
    from cloudlet.services.apigateway.rest.call import Call
    from cloudlet.services.apigateway.rest.compiled import Integration, Response

_JSON = "application/json"
_OF_REQUEST, _OF_ANSWER = "method.request.body", "integration.response.body"


@dataclass(slots=True)
class Outgoing:
    """A request to an integration. Header names are in lower case."""

    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, list[str]] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    """The values of variables in the integration's URI."""
    body: bytes = b""


@dataclass(slots=True)
class Received:
    """An integration's answer. Header names are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    matched: str
    """What the selection patterns of integration responses are compared with."""

    def header(self, name: str) -> str | None:
        values = [value for known, value in self.headers if known == name]
        return ",".join(values) if values else None


_InBody = dict[str, "str | None"]
"""What sources have found in a body."""


async def _in_body(call: Call, body: bytes, place: str, sources: Iterable[str]) -> _InBody:
    """Return what those sources find that are of the body in a place; it is read once for all of them."""
    paths = {source: source.removeprefix(place) for source in sources if source.startswith(place)}
    if not paths:
        return {}
    takes_long = (len(body) + 1) * len(paths) > LARGE or any(".." in path for path in paths.values())
    return await offload_if(takes_long, call.place.account, _found, body, paths)


def _found(body: bytes, paths: Mapping[str, str]) -> _InBody:
    """Return what JSON paths find in a body: text as it is, all else as JSON, and the whole body for an empty one."""
    token = RUNNING.set(Steps())
    try:
        document = values.of_json(body) if any(paths.values()) else None
    except VtlError:
        document = None
    found: _InBody = {}
    try:
        for source, path in paths.items():
            if not path:
                found[source] = body.decode("utf-8", "replace")
                continue
            try:
                value = None if document is None else json_path.found(document, f"${path}")
                found[source] = value if value is None or isinstance(value, str) else values.to_json(value)
            except VtlError:
                found[source] = None
    finally:
        RUNNING.reset(token)
    return found


def _sent(call: Call, source: str, in_body: _InBody) -> list[str]:
    """Return the values that a source of a request's parameter has."""
    if source.startswith("'"):
        return [source[1:-1]]
    if source.startswith(_OF_REQUEST):
        found = in_body[source]
        return [] if found is None else [found]
    if source.startswith("method.request.multivaluequerystring."):
        return call.query_values().get(source.removeprefix("method.request.multivaluequerystring."), [])
    value = call.lookup(source)
    return [] if value is None else [value]


async def mapped_parameters(call: Call, integration: Integration, outgoing: Outgoing) -> None:
    """Put the mapped parameters of a request into what goes out."""
    in_body = await _in_body(call, call.body, _OF_REQUEST, integration.parameters.values())
    for target, source in integration.parameters.items():
        place, _, name = target.partition(".")
        found = _sent(call, source, in_body)
        if not found:
            continue
        match place:
            case "header":
                outgoing.headers[name.lower()] = ",".join(found)
            case "querystring":
                outgoing.query[name] = found
            case "path":
                outgoing.path[name] = ",".join(found)


async def _rendered(call: Call, template: str, body: bytes, context: dict[str, Any]) -> bytes:
    """Return what a template makes. Raises Refusal."""
    params = {"path": call.variables, "querystring": call.queries, "header": call.titled_headers}
    try:
        return await templates.rendered(call.place.account, template, body, params, context, call.stage.variables)
    except VtlError as error:
        raise internal(f"Unable to transform: {error}") from error


async def request_body(call: Call, integration: Integration, body: bytes, outgoing: Outgoing) -> None:
    """Set the body that goes out, by the template for its content type, and what the template overrides.

    Raises Refusal where there is no template for it, and it may not pass as it is.
    """
    kind = media_type(call.headers.get("content-type", "")) or _JSON
    by_type = {each.lower(): text for each, text in integration.templates.items()}
    template = by_type.get(kind)
    if template is None:
        if integration.passthrough == "NEVER" or (by_type and integration.passthrough == "WHEN_NO_TEMPLATES"):
            raise Refusal("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type", f"there is no template for {kind}")
        outgoing.body = body
        return
    context = call.context()
    override: dict[str, Any] = {"header": {}, "querystring": {}, "path": {}}
    context["requestOverride"] = override
    context["responseOverride"] = call.response_override
    outgoing.body = await _rendered(call, template, body, context)
    for name, value in _map(override.get("header")).items():
        outgoing.headers[name.lower()] = _text(value)
    for name, value in _map(override.get("querystring")).items():
        outgoing.query[name] = [_text(each) for each in (value if isinstance(value, list) else [value])]
    for name, value in _map(override.get("path")).items():
        outgoing.path[name] = _text(value)


def _text(value: Any) -> str:
    """Return what a template overrides something by. Raises Refusal."""
    try:
        return values.text(value)
    except VtlError as error:
        raise internal(f"Unable to transform: {error}") from error


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _answered(call: Call, received: Received, source: str, in_body: _InBody) -> list[str]:
    """Return the values that a source of an answer's header has."""
    if source.startswith("'"):
        return [source[1:-1]]
    if source.startswith(_OF_ANSWER):
        found = in_body[source]
        return [] if found is None else [found]
    if source.startswith("integration.response."):
        place, _, name = source.removeprefix("integration.response.").partition(".")
        every = [value for known, value in received.headers if known == name.lower()]
        return every if place == "multivalueheader" else every[-1:]
    value = call.lookup(source)
    return [] if value is None else [value]


async def response(
    call: Call, received: Received, chosen: Response, body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of the answer that an integration response makes. Raises Refusal."""
    status = chosen.status
    in_body = await _in_body(call, received.body, _OF_ANSWER, chosen.parameters.values())
    headers = [
        (name, value)
        for name, source in chosen.parameters.items()
        for value in _answered(call, received, source, in_body)
    ]
    content_type = _JSON
    if chosen.templates:
        content_type = _template_type(chosen.templates, call.headers.get("accept", ""))
        context = call.context()
        override = call.response_override
        context["responseOverride"] = override
        context["requestOverride"] = {}
        body = await _rendered(call, chosen.templates[content_type], body, context)
    override = call.response_override
    for name, value in _map(override.get("header")).items():
        if not HEADER_NAME.fullmatch(name):
            raise internal(f"Invalid header name in responseOverride: {name}")
        headers = [pair for pair in headers if pair[0] != name.lower()]
        every = value if isinstance(value, list) else [value]
        headers += [(name.lower(), _text(each)) for each in every]
    if override.get("status") is not None:
        shown = _text(override["status"])
        if not (shown.isascii() and shown.isdecimal()):
            raise internal(f"Invalid status code in responseOverride: {shown}")
        status = int(shown[:9])
    if not 200 <= status <= 599:
        raise internal(f"A response cannot have the status code {status}")
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", content_type))
    return status, remapped(headers), body


def _template_type(by_type: dict[str, str], accept: str) -> str:
    """Return the content type whose template is used: one that the client accepts, or else the first."""
    for each in accept.split(","):
        kind = media_type(each)
        if kind in by_type:
            return kind
    return _JSON if _JSON in by_type else next(iter(by_type))
