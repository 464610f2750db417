"""The keeper of this Cloudlet, by which blocks run programs and have networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloudlet.engines.keeper.client import KeeperClient

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.engines.keeper.protocol import Event


def open_keeper(block: Block, heard: Callable[[Event], None] | None = None) -> KeeperClient:
    """Return a client of the keeper, which starts at the first call.

    It ends with the Cloudlet. `heard` is told of its events. The client is to be closed with the block.
    """
    config = block.cloud.config
    return KeeperClient(config.data / "keeper", config.owner, heard)
