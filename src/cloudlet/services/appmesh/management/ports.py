"""The places where Envoys find the service.

They are a port, which is the same one after each start, and a socket for networks of their own.
"""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.engines.envoy.mesh_bootstrap import MANAGEMENT_PORT, MANAGEMENT_SOCKET

log = logging.getLogger("cloudlet.appmesh")

ADDRESS: Final = "127.0.0.1"
_PORT: Final = Subspace("management port").key()


async def bind(block: Block) -> socket.socket:
    """Return a socket at the port that the service has had before. Raises OSError.

    It is the preferred one at first, and any one where it is not free.
    """

    async def read(tx: Transaction) -> int | None:
        stored = await tx.get(_PORT)
        return None if stored is None else int(stored)

    async def write(tx: Transaction) -> None:
        tx.put(_PORT, str(port).encode())

    known = await block.store.transact(read)
    for port in (known or MANAGEMENT_PORT, 0):
        try:
            listener = socket.create_server((ADDRESS, port))
        except OSError as error:
            log.info("the port %d is not free for Envoys: %s", port, error)
            continue
        port = listener.getsockname()[1]
        if port != known:
            await block.store.transact(write)
        return listener
    raise OSError("there is no port for Envoys")


def find_path(block: Block) -> Path:
    """Return the path of the socket for Envoys in networks of their own."""
    return block.cloud.config.data / MANAGEMENT_SOCKET
