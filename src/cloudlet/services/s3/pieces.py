"""The bytes of a body, piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any


def pieces_of(body: Any) -> AsyncIterator[bytes]:
    """Return the pieces of a body: bytes, or a stream of them."""
    return once(body or b"") if body is None or isinstance(body, bytes) else aiter(body)


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Yield bytes as one piece."""
    yield data


async def chained(head: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the pieces of `head`, which is empty then, and the rest."""
    for piece in head:
        yield piece
    head.clear()
    async for piece in rest:
        yield piece
