"""The job that tells of changes that they are answered."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks, Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.route53.block import NAMES_TOPIC, REGION
from cloudlet.services.route53.name_cache import CACHES
from cloudlet.services.route53.zones import CHANGES, PENDING

KEPT_SECONDS: Final = 7 * 86_400
"""The time for which a change is known."""
_EXPIRING: Final = Subspace("expiring-change")
_EXPIRY_TOPIC: Final = b"expiring-changes"
_BATCH: Final = 100
_Key = tuple[str, str]
"""The account and the id of a change."""


async def propagate(block: Block) -> None:
    """Have changes INSYNC once they are, for ever."""
    async with watching(block, NAMES_TOPIC) as changed:
        works = KeyedTasks(block, changed)
        while True:
            changed.clear()
            CACHES.get(block).forget()
            await works.drain(_list, "the change", mark, at_once=_BATCH)
            await changed.wait()


async def _list(tx: Transaction, count: int) -> list[_Key]:
    rows = await tx.range(PENDING.begin, PENDING.end, limit=count)
    return [PENDING.unpack(row) for row, _ in rows]


async def mark(tx: Transaction, key: _Key) -> None:
    """Mark a change that is pending."""
    change = await CHANGES.find(tx, key[0], REGION, key[1])
    if change is not None:
        CHANGES.save(tx, replace(change, is_in_sync=True))
        tx.put(_EXPIRING.key(int((change.submitted + KEPT_SECONDS) * 1000), *key), b"")
        tx.notify(_EXPIRY_TOPIC)
    tx.delete(PENDING.key(*key))


async def expire(block: Block) -> None:
    """Forget changes after a while, for ever."""
    await run_timers(block, _EXPIRY_TOPIC, _EXPIRING, "forgetting a change", _expire)


async def _expire(tx: Transaction, row: Row, now: float) -> None:
    _, account, name = row
    change = await CHANGES.find(tx, account, REGION, name)
    if change is not None:
        CHANGES.remove(tx, change)
