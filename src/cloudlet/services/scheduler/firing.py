"""Firings: invocations of targets that are due now or later. They are written down before anything is called.

What a firing is lies apart from when it is due, so that looking for those that are due reads little.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.scheduler.schedule import Schedule, Target

TOPIC = b"firings"
"""Notified for each firing that is entered."""

_FIRINGS = Subspace("firing")
_DUE = Subspace("firing-due")


class Firing(msgspec.Struct, frozen=True, array_like=True):
    """One invocation of a schedule's target. Times are in milliseconds since the epoch."""

    id: str
    """What Scheduler calls the execution's id."""
    account: str
    region: str
    group: str
    schedule: str
    """The ARN."""
    target: Target
    scheduled: int
    noted: int
    due: int
    attempts: int = 0
    """How often it has failed."""
    dead: dict[str, str] | None = None
    """What the message in the dead-letter queue says of why it is there; None while it is not given up."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Firing).decode


def add(tx: Transaction, schedule: Schedule, now: float) -> None:
    """Have a schedule's target invoked; `now` is in seconds since the epoch."""
    noted = int(now * 1000)
    save(
        tx,
        Firing(
            uuid4(),
            schedule.account,
            schedule.region,
            schedule.group,
            schedule.arn,
            schedule.target,
            schedule.due,
            noted,
            noted,
        ),
    )


def save(tx: Transaction, firing: Firing) -> None:
    """Enter a firing at the time when it is due."""
    tx.put(_FIRINGS.key(firing.id), _encode(firing))
    tx.put(_DUE.key(firing.due, firing.id), firing.account.encode())
    tx.notify(TOPIC)


def remove(tx: Transaction, firing: Firing) -> None:
    """Take a firing out: it is done, or is to be entered for another time."""
    tx.delete(_FIRINGS.key(firing.id))
    tx.delete(_DUE.key(firing.due, firing.id))


async def first(tx: Transaction, count: int) -> list[tuple[int, str, str]]:
    """Return when (ms) the firings that are due first are, their ids, and whose they are.

    Older Cloudlets have not written down the latter.
    """
    rows = await tx.range(_DUE.begin, _DUE.end, limit=count)
    found: list[tuple[Any, ...]] = [(*_DUE.unpack(key), raw.decode()) for key, raw in rows]
    return [(int(due), str(id), account) for due, id, account in found]


async def get(tx: Transaction, id: str) -> Firing | None:
    raw = await tx.get(_FIRINGS.key(id))
    return None if raw is None else _decode(raw)
