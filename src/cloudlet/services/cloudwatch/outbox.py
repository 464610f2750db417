"""Actions that are to be performed: written down with the change of state that they are for."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.ids import uuid4
from cloudlet.services.cloudwatch.alarm import Alarm, Situation

_ROWS = Subspace("action")
TOPIC = _ROWS.prefix
"""Notified for each new row."""


class Action(msgspec.Struct, array_like=True):
    """An action of an alarm, which is as it was then."""

    id: str
    arn: str
    alarm: Alarm
    previous: Situation | None
    """As it was before; None where it was muted meanwhile."""
    time: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Action).decode


def add(tx: Transaction, alarm: Alarm, arn: str, previous: Situation | None, now: float) -> None:
    """Have an action performed."""
    action = Action(uuid4(), arn, alarm, previous, now)
    tx.put(_key(action), _encode(action))
    tx.notify(TOPIC)


def remove(tx: Transaction, action: Action) -> None:
    """Forget an action: it was performed, or given up."""
    tx.delete(_key(action))


async def first(tx: Transaction, count: int) -> list[Action]:
    """Return the oldest actions."""
    return [_decode(raw) for _, raw in await tx.range(_ROWS.begin, _ROWS.end, limit=count)]


def _key(action: Action) -> bytes:
    return _ROWS.key(int(action.time * 1000), action.id)
