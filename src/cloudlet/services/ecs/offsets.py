"""Pages of short lists, with tokens that say how many items came before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from cloudlet.core import Params
from cloudlet.services.ecs import errors

_MAX_TOKEN_DIGITS: Final = 6
T = TypeVar("T")


def cut_page(items: Sequence[T], params: Params, default: int, most: int) -> tuple[Sequence[T], str | None]:
    """Return the page that a request asks for, and the next one's token. Raises InvalidParameterException."""
    limit = params.get("maxResults") or default
    if not 1 <= limit <= most:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {most}.")
    token = params.get("nextToken") or "0"
    if not token.isdecimal() or len(token) > _MAX_TOKEN_DIGITS:
        raise errors.InvalidParameter("Invalid token: the nextToken is not valid.")
    end = int(token) + limit
    return items[int(token) : end], str(end) if end < len(items) else None
