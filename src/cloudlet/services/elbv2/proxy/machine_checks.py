"""TCP health checks of ports of this machine.

Envoy reaches these by a proxy, which takes any connection: so it asks the block.
"""

from __future__ import annotations

import asyncio
from typing import Final

from cloudlet.services.elbv2.proxy.block_server import Request, Response

_CONNECT_SECONDS: Final = 10.0


async def answer(request: Request) -> Response | None:
    """Return a response if the port that a request names as its host's is open."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection("127.0.0.1", int(request.get("host").rpartition(":")[2]))
    except (OSError, ValueError):
        return None
    writer.close()
    return Response(200)
