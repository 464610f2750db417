"""Actions that are to be performed: written down with the change of state that they are for."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudwatch.alarm import Alarm, AlarmState

_ROWS = Subspace("action")
TOPIC = _ROWS.prefix
"""Notified for each new row."""


class Action(msgspec.Struct, array_like=True):
    """An action of an alarm, which is as it was then."""

    id: str
    arn: str
    alarm: Alarm
    previous: AlarmState | None
    """As it was before; None where it was muted meanwhile."""
    time: float
    attempts: int = 0
    """How often it could not be performed."""
    due: int | None = None
    """When it is to be tried again, in milliseconds since the epoch."""
    is_repeated: bool = False
    """Whether it is performed again because the alarm has stayed in its state."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Action).decode


def add(tx: Transaction, alarm: Alarm, arn: str, previous: AlarmState | None, now: float) -> None:
    """Have an action performed."""
    save(tx, Action(uuid4(), arn, alarm, previous, now))


def save(tx: Transaction, action: Action) -> None:
    """Put an action where it waits until it is due."""
    tx.put(_key(action), _encode(action))
    tx.notify(TOPIC)


def remove(tx: Transaction, action: Action) -> None:
    """Forget an action: it was performed, or given up."""
    tx.delete(_key(action))


async def first(tx: Transaction, count: int) -> list[tuple[int, str, str]]:
    """Return when (ms since the epoch) the actions that are due first are, their ids, and whose they are."""
    rows: list[tuple[Any, ...]] = [
        (*_ROWS.unpack(key), _account(raw)) for key, raw in await tx.range(_ROWS.begin, _ROWS.end, limit=count)
    ]
    return [(due, id, account) for due, id, account in rows]


async def find(tx: Transaction, due: int, id: str) -> Action | None:
    """Return an action that waits; None where it does not any more."""
    raw = await tx.get(_ROWS.key(due, id))
    return None if raw is None else _decode(raw)


def _account(raw: bytes) -> str:
    """Return whose an action is; nobody's where it cannot be read, which is said once it is to be performed."""
    try:
        return _decode(raw).alarm.account
    except msgspec.DecodeError:
        return ""


def _key(action: Action) -> bytes:
    return _ROWS.key(int(action.time * 1000) if action.due is None else action.due, action.id)
