"""Patterns of APIs: selection patterns of integration responses, and the validation expressions of authorizers."""

from __future__ import annotations

from typing import Final

from cloudlet.core.background.workers import offload_if
from cloudlet.services.apigateway.vtl import VtlError, patterns

_SHORT: Final = 200


async def matches(account: str, text: str, pattern: str) -> bool:
    """Whether a pattern of an account's matches a whole text; one that takes too long matches nothing."""
    try:
        return await offload_if(len(text) > _SHORT, account, patterns.matches, text, pattern)
    except VtlError:
        return False
