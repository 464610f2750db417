"""The bodies of requests: whole, and not too many large ones in memory at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cloudlet.core.attached import Attached
from cloudlet.core.block import Block
from cloudlet.core.web import Visit
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.outward import LARGEST_BYTES

_AT_ONCE = 32
"""So many requests with large bodies are dealt with at once; the clients of others are held back."""
_TURNS: Attached[asyncio.Semaphore] = Attached(lambda _: asyncio.Semaphore(_AT_ONCE))


@asynccontextmanager
async def read(block: Block, visit: Visit) -> AsyncIterator[bytes]:
    """Give the body of a request, which is the request's from then on. Raises Refused for one that is too large."""
    body = visit.request.body
    if isinstance(body, bytes):
        yield body
        return
    async with _TURNS.of(block):
        try:
            whole = await visit.body(LARGEST_BYTES)
        except ValueError:
            raise Refused(
                413, "Request Entity Too Large", "REQUEST_TOO_LARGE", reason="the body is too large"
            ) from None
        # Whoever looks at the signature needs it whole.
        visit.request.body = whole
        yield whole
