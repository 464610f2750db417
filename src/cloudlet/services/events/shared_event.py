"""Events that are written once, beside their deliveries, which refer to them: large ones, and those of many deliveries.

The last delivery deletes its event: how many are left is counted in the transactions that write and delete them.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.workers import LARGE
from cloudlet.core.kernel.ids import random_bytes

_EVENTS: Final = Subspace("event")
_LEFT: Final = Subspace("event-deliveries")
_MOST_BYTES: Final = 1 << 20
"""As large as all copies of an event in the outbox may become."""
_ID_BYTES: Final = 16
_COUNT_BYTES: Final = 4


def is_large(event: str) -> bool:
    """Whether an event (JSON) is too large to be written with a delivery: a lane reads a hundred of them at once."""
    return len(event) >= LARGE


def is_for_many(event: str, deliveries: int) -> bool:
    """Whether an event is too large to be written with each of so many deliveries."""
    return deliveries > 1 and len(event) * deliveries > _MOST_BYTES


def write(tx: Transaction, event: str, deliveries: int) -> bytes:
    """Write an event for so many deliveries; return its id."""
    id = random_bytes(_ID_BYTES)
    tx.put(_EVENTS.key(id), event.encode())
    tx.put(_LEFT.key(id), deliveries.to_bytes(_COUNT_BYTES))
    return id


async def read(tx: Transaction, id: bytes) -> str:
    """Return an event that not all of its deliveries are done with."""
    raw = await tx.get(_EVENTS.key(id))
    if raw is None:
        raise LookupError(f"the event {id.hex()} is not there any more")
    return raw.decode()


async def release(tx: Transaction, id: bytes) -> None:
    """Note that a delivery of an event is done; delete the event with the last one."""
    left = int.from_bytes(await tx.get(_LEFT.key(id)) or b"") - 1
    if left > 0:
        tx.put(_LEFT.key(id), left.to_bytes(_COUNT_BYTES))
    else:
        tx.delete(_EVENTS.key(id))
        tx.delete(_LEFT.key(id))
