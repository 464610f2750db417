"""What services keep in memory beside a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar, cast

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

T = TypeVar("T")


class PerBlock(Generic[T]):
    """Something of which each block has one, made when it is first asked for, and gone with the block."""

    def __init__(self, make: Callable[[Block], T]) -> None:
        self._make = make

    def get(self, block: Block) -> T:
        """Return the block's own."""
        found = block.attached.get(self)
        if found is None:
            found = block.attached[self] = self._make(block)
        return cast(T, found)

    def replace(self, block: Block, by: T) -> None:
        """Have the block have another one."""
        block.attached[self] = by

    def pop(self, block: Block) -> T:
        """Return the block's own, and have another one made when it is asked for again."""
        found = self.get(block)
        del block.attached[self]
        return found
