"""What integrations of WebSocket APIs make of requests and answers: templates and parameters.

Developer guide, "Integration request for WebSocket APIs", "Integration response…", "WebSocket API mapping template
reference".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cloudlet.services.apigateway import errors, expressions
from cloudlet.services.apigateway import templates as rendering
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.functions import Failed
from cloudlet.services.apigateway.vtl import VtlError
from cloudlet.services.apigateway.websocket.event import Event

_DEFAULT = "$default"
_PARAMETER = re.compile(r"integration\.request\.(?P<place>header|querystring|path)\.(?P<name>[\w-]+)")
_SOURCE = re.compile(r"'[^']*'|route\.request\.(?:header|querystring|body)\.\S+|(?:context|stageVariables)\.[\w.]+")
_PATTERN = re.compile(r"/(?P<pattern>.+)/")
_LONGEST_PATTERN = 100


class Templates(NamedTuple):
    """Templates by keys, and what says which one it is."""

    by_key: dict[str, str]
    selection: expressions.Expression

    def chosen(self, lookup: Callable[[str], str | None]) -> str | None:
        """Return the template that is selected, or else that of $default."""
        key = self.selection.value(lookup)
        return self.by_key.get(key or _DEFAULT, self.by_key.get(_DEFAULT))


class Response(NamedTuple):
    """A compiled integration response."""

    key: str
    pattern: re.Pattern[str] | None
    templates: Templates


class Parameter(NamedTuple):
    """A parameter of the request to an integration: where it is, its name, and where its value is from."""

    place: str
    name: str
    source: str

    def value(self, event: Event) -> str | None:
        if self.source.startswith("'"):
            return self.source[1:-1]
        return event.lookup(self.source.removeprefix("route."))


def _selection(text: str | None) -> expressions.Expression:
    return expressions.compiled((text or _DEFAULT).replace("\\$", "$"))


def templates(by_key: Mapping[str, str] | None, selection: str | None) -> Templates:
    """Return templates, compiled as far as that goes."""
    return Templates(dict(by_key or {}), _selection(selection))


def check_templates(by_key: Mapping[str, str] | None) -> None:
    """Raise BadRequestException for templates that cannot be read."""
    for key, text in (by_key or {}).items():
        try:
            rendering.check(text)
        except VtlError as error:
            raise errors.bad_request(f"Invalid mapping template specified for {key}: {error}") from None


def parameters(given: Mapping[str, str] | None) -> tuple[Parameter, ...]:
    """Return the parameters of requests to an integration. Raises BadRequestException."""
    result = []
    for key, source in (given or {}).items():
        match = _PARAMETER.fullmatch(key)
        if match is None or not _SOURCE.fullmatch(source):
            raise errors.bad_request(f"Invalid mapping expression specified: {key} = {source}")
        name = match["name"].lower() if match["place"] == "header" else match["name"]
        result.append(Parameter(match["place"], name, source))
    return tuple(result)


def response(part: Document) -> Response:
    """Return an integration response, compiled. Raises BadRequestException."""
    key = part["IntegrationResponseKey"]
    match = _PATTERN.fullmatch(key)
    if match is None and key != _DEFAULT:
        raise errors.bad_request(
            "Invalid integration response key: it is $default, or of the form /regular expression/"
        )
    try:
        pattern = None if match is None or len(key) > _LONGEST_PATTERN else re.compile(match["pattern"])
    except re.error:
        raise errors.bad_request(f"Invalid regular expression in the integration response key {key}") from None
    return Response(key, pattern, templates(part.get("ResponseTemplates"), part.get("TemplateSelectionExpression")))


def matching(responses: tuple[Response, ...], status: int) -> Response | None:
    """Return the integration response for a status, or else that of $default."""
    for each in responses:
        if each.pattern is not None and each.pattern.fullmatch(str(status)):
            return each
    return next((each for each in responses if each.key == _DEFAULT), None)


async def rendered(template: str, event: Event, body: bytes) -> bytes:
    """Return what a template makes of a body. Raises Failed."""
    params = {"querystring": dict(event.queries()), "header": event.headers}
    try:
        return await rendering.rendered(
            event.session.place.account, template, body, params, event.request_context(), event.stage.variables
        )
    except VtlError as error:
        raise Failed(500, f"The mapping template has failed: {error}") from error
