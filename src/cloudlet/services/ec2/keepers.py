"""The keeper of the machine's networks, and which one it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudlet.core.host.keeper_access import open_keeper
from cloudlet.core.kernel.per_block import PerBlock

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block


class Keeper:
    """The way to the keeper, and its id where that is known."""

    def __init__(self, block: Block) -> None:
        self.client = open_keeper(block)
        self.id = ""
        self.rules: dict[str, int] = {}
        """The hashes of the packet filters that it has, by VPC."""

    def forget(self) -> None:
        """Know nothing of the keeper any more, which has ended."""
        self.id = ""
        self.rules.clear()


KEEPERS: Final = PerBlock(Keeper)
