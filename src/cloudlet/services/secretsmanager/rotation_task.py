"""Rotations that are under way or scheduled, as rows by when they are due."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.secretsmanager.secret_record import Secret

TASK_TOPIC: Final = b"rotation-tasks"
WINDOW_TOPIC: Final = b"rotation-windows"
WINDOWS: Final = Subspace("rotation-window")
"""Windows that are to open: keys have when (ms), account, region and name."""

_TASKS: Final = Subspace("rotation-task")
_DUE: Final = Subspace("rotation-due")
Key = tuple[str, str, str]
"""A secret's account, region and name."""


class Task(msgspec.Struct, frozen=True):
    """A rotation, or a test of one, that is under way. Times are in milliseconds since the epoch."""

    version: str
    """The id of the version that is to become the current one: the function's ClientRequestToken."""
    token: str
    """The function's RotationToken."""
    due: int
    """The time of the next attempt."""
    ends: int
    """The time after which no attempt begins."""
    is_test: bool = False
    attempts: int = 0
    """The number of attempts that have failed."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Task).decode


def get_key(secret: Secret) -> Key:
    return secret.account, secret.region, secret.name


async def find(tx: Transaction, key: Key) -> Task | None:
    """Return what is under way for a secret."""
    raw = await tx.get(_TASKS.key(*key))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, key: Key, task: Task, before: Task | None = None) -> None:
    """Write a task, which was as `before`, and have it tried when it is due."""
    if before is not None:
        tx.delete(_DUE.key(before.due, *key))
    tx.put(_TASKS.key(*key), _encode(task))
    tx.put(_DUE.key(task.due, *key), b"")
    tx.notify(TASK_TOPIC)


def remove(tx: Transaction, key: Key, task: Task) -> None:
    """Delete a task: it is done, or given up."""
    tx.delete(_TASKS.key(*key))
    tx.delete(_DUE.key(task.due, *key))


async def list_due(tx: Transaction, count: int) -> list[tuple[int, Key, str]]:
    """Return when (ms) the first tasks are due, their secrets, and the accounts."""
    rows = await tx.range(_DUE.begin, _DUE.end, limit=count)
    return [(due, (account, region, name), account) for due, account, region, name in (_DUE.unpack(k) for k, _ in rows)]


def schedule(tx: Transaction, secret: Secret) -> None:
    """Have the window open that a secret's rotation says."""
    if secret.rotation is not None and secret.rotation.opens:
        tx.put(_make_window_key(secret, secret.rotation.opens), b"")
        tx.notify(WINDOW_TOPIC)


def unschedule(tx: Transaction, secret: Secret) -> None:
    """Let the window of a secret not open."""
    if secret.rotation is not None and secret.rotation.opens:
        tx.delete(_make_window_key(secret, secret.rotation.opens))


async def stop(tx: Transaction, secret: Secret) -> Task | None:
    """Delete what is scheduled and under way for a secret; return the latter."""
    unschedule(tx, secret)
    task = await find(tx, get_key(secret))
    if task is not None:
        remove(tx, get_key(secret), task)
    return task


def _make_window_key(secret: Secret, opens: float) -> bytes:
    return WINDOWS.key(int(opens * 1000), *get_key(secret))
