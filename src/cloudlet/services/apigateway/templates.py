"""Mapping templates as REST and WebSocket APIs have them rendered: what may take a while beside the event loop.

Developer guide, "Mapping template transformations" and "WebSocket API mapping template reference".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from cloudlet.services.apigateway.vtl import UTIL, Input, Template, VtlError, compiled

_LARGEST_BYTES = 300 << 10
_LARGE_BYTES = 32 << 10
_DOES_MUCH = re.compile(r"#\{?(set|define|foreach|macro)")
"""Directives by which a few words may make a text, or a list, of millions."""
Params = Mapping[str, Mapping[str, str]]
"""Parameters of a request by their places: path, querystring and header."""


def check(template: str) -> None:
    """Raise VtlError for a template that is too large (developer guide, "Important notes"), or cannot be read."""
    if len(template.encode()) > _LARGEST_BYTES:
        raise VtlError("it is larger than 300 KB")
    Template(template)


async def rendered(
    template: str, body: bytes, params: Params, context: dict[str, Any], stage_variables: Mapping[str, str]
) -> bytes:
    """Return what a template makes of a body; the template may change `context`. Raises VtlError."""
    if len(body) + len(template) > _LARGE_BYTES or _DOES_MUCH.search(template) is not None:
        return await asyncio.to_thread(_rendered, template, body, params, context, stage_variables)
    return _rendered(template, body, params, context, stage_variables)


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
