"""The places where Envoys find the service.

They are a port, which is the same one after each start, and a socket for networks of their own.
"""

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
_SOCKET: Final = "envoys.sock"
_MAX_PATH_BYTES: Final = 100
_PORT: Final = Subspace("management port").key()


async def listen(block: Block, make_protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server:
    """Return a listener at the port that the service has had before.

    It is the preferred one at first, and any one where it is not free.
    """

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


async def listen_locally(block: Block, make_protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server | None:
    """Return a listener at a socket of the data folder, if there can be one.

    It is for Envoys in networks of their own.
    """
    path = block.cloud.config.data / _SOCKET
    if len(bytes(path)) > _MAX_PATH_BYTES:
        log.info("the path of the data folder is too long for a socket: %s", path)
        return None
    path.unlink(missing_ok=True)
    return await asyncio.get_running_loop().create_unix_server(make_protocol, str(path))


def get_path(listener: asyncio.Server | None) -> str:
    """Return the path of a socket; empty where there is none."""
    return "" if listener is None else str(listener.sockets[0].getsockname())


def get_port(listener: asyncio.Server) -> int:
    """Return the port of a listener."""
    port: int = listener.sockets[0].getsockname()[1]
    return port
