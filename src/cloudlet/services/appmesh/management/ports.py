"""The port at which Envoys find the service: the same one after each start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.appmesh")

ADDRESS: Final = "127.0.0.1"
PREFERRED_PORT: Final = 18000
"""The port of Envoy's own examples of management servers."""
_PORT: Final = Subspace("management port").key()


async def listen(block: Block, make_protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server:
    """Return a listener at the port that the service has had, or else at the preferred or at any one."""

    async def read(tx: Transaction) -> int | None:
        stored = await tx.get(_PORT)
        return None if stored is None else int(stored)

    async def write(tx: Transaction) -> None:
        tx.put(_PORT, str(port).encode())

    known = await block.store.transact(read)
    loop = asyncio.get_running_loop()
    for port in (known or PREFERRED_PORT, 0):
        try:
            listener = await loop.create_server(make_protocol, ADDRESS, port)
        except OSError as error:
            log.info("the port %d is not free for Envoys: %s", port, error)
            continue
        port = get_port(listener)
        if port != known:
            await block.store.transact(write)
        return listener
    raise OSError("there is no port for Envoys")


def get_port(listener: asyncio.Server) -> int:
    """Return the port of a listener."""
    port: int = listener.sockets[0].getsockname()[1]
    return port
