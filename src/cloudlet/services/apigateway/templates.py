"""Mapping templates as REST and WebSocket APIs have them rendered: what may take a while beside the event loop.

Developer guide, "Mapping template transformations" and "WebSocket API mapping template reference".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cloudlet.core.background.workers import offload_if
from cloudlet.services.apigateway.verdicts import Verdicts
from cloudlet.services.apigateway.vtl import UTIL, Input, Template, VtlError, compiled

_LARGEST_BYTES = 300 << 10
_LARGE_BYTES = 32 << 10
_QUICK = 1 << 20
"""So many characters of a template, times those that it may write again and again, are rendered within milliseconds."""
_DOES_MUCH = re.compile(r"#\{?(set|define|foreach|macro)|\.\.|\?\(|\.(matches|replace\w*|split)\b")
"""By what a few words may make a text, or a list, of millions, or look at as many: directives, JSON paths that look
everywhere or filter, ranges, and methods that take patterns."""
Params = Mapping[str, Mapping[str, str]]
"""Parameters of a request by their places: path, querystring and header."""


def _wrong(template: str) -> str:
    """Return why a template cannot be taken. Developer guide, "Important notes"."""
    if len(template.encode("utf-8", "surrogatepass")) > _LARGEST_BYTES:
        return "it is larger than 300 KB"
    try:
        Template(template)
    except VtlError as error:
        return str(error)
    return ""


VERDICTS = Verdicts(_wrong)


def check(template: str) -> None:
    """Raise VtlError for a template that is too large, or cannot be read."""
    wrong = VERDICTS.of(template)
    if wrong:
        raise VtlError(wrong)


async def rendered(
    account: str,
    template: str,
    body: bytes,
    params: Params,
    context: dict[str, Any],
    stage_variables: Mapping[str, str],
) -> bytes:
    """Return what a template of an account's makes of a body; it may change `context`. Raises VtlError."""
    given = len(body) + sum(len(value) for place in params.values() for value in place.values())
    takes_long = given + len(template) > _LARGE_BYTES or given * len(template) > _QUICK
    takes_long = takes_long or _DOES_MUCH.search(template) is not None
    return await offload_if(takes_long, account, _rendered, template, body, params, context, stage_variables)


def _rendered(
    template: str, body: bytes, params: Params, context: dict[str, Any], stage_variables: Mapping[str, str]
) -> bytes:
    variables = {
        "input": Input(body.decode("utf-8", "replace"), params),
        "util": UTIL,
        "context": context,
        "stageVariables": dict(stage_variables),
    }
    return compiled(template).render(variables).text.encode("utf-8", "replace")
