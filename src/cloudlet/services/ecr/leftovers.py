"""Layers of repositories that are deleted: they are removed bit by bit."""

from __future__ import annotations

from typing import Final

from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import layers

_ROWS: Final = 200


async def _remove_layers(block: Block, key: Key) -> float | None:
    _, repository = key
    now = block.clock.now()
    has_more = await block.store.transact(lambda tx: layers.remove_some(tx, repository, _ROWS, now))
    return 0 if has_more else None


LEFTOVERS: Final = Reconciler("leftover", _remove_layers)
"""Account, id of a repository that is gone: its layers are to be removed."""
