"""Export tasks, as they are stored. API reference, "CreateExportTask"."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.logs import errors

_TASKS, _PLACES, _ACTIVE = Subspace("export-task"), Subspace("export-task-place"), Subspace("export-task-active")
_OBJECTS = Subspace("export-task-objects")
"""(Task's id, folder) → how many objects it has put there, while it is not over."""
TOPIC = _ACTIVE.prefix
"""Notified for each new one."""
PENDING, RUNNING, COMPLETED, FAILED, CANCELLED = "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"
_MOST_ACTIVE = 10_000
Place = tuple[str, str]
"""An account and a region, which have one task at a time."""
_MESSAGES = {
    RUNNING: "Started Successfully",
    COMPLETED: "Completed Successfully",
    CANCELLED: "Cancelled by the user",
}


class Task(msgspec.Struct, array_like=True):
    """An export of the events of a log group to a bucket. Times are in milliseconds since the epoch."""

    id: str
    account: str
    region: str
    group: str
    first: int
    last: int
    """The timestamps of the events that are exported, both inclusive."""
    bucket: str
    prefix: str
    created: int
    name: str | None = None
    stream_prefix: str = ""
    status: str = PENDING
    message: str | None = None
    completed: int | None = None
    done_until: str = ""
    """The name of the last stream that is exported."""

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "taskId": self.id,
            "taskName": self.name,
            "logGroupName": self.group,
            "from": self.first,
            "to": self.last,
            "destination": self.bucket,
            "destinationPrefix": self.prefix,
            "status": {"code": self.status, "message": self.message or _MESSAGES.get(self.status)},
            "executionInfo": {"creationTime": self.created, "completionTime": self.completed},
        }


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Task).decode


async def create(tx: Transaction, task: Task) -> None:
    """Store a new task. Raises AwsError where another one of the account is not over."""
    active = _ACTIVE.key(task.account, task.region)
    if await tx.get(active) is not None:
        raise AwsError("LimitExceededException", "Resource limit exceeded.")
    tx.put(active, task.id.encode())
    tx.put(_PLACES.key(task.account, task.region, task.id), task.created.to_bytes(8, "big"))
    _save(tx, task)
    tx.notify(TOPIC)


def _save(tx: Transaction, task: Task) -> None:
    tx.put(_TASKS.key(task.account, task.region, task.created, task.id), _encode(task))


async def find(tx: Transaction, account: str, region: str, task_id: str) -> Task | None:
    """Return a task."""
    place = await tx.get(_PLACES.key(account, region, task_id))
    if place is None:
        return None
    raw = await tx.get(_TASKS.key(account, region, int.from_bytes(place, "big"), task_id))
    return None if raw is None else _decode(raw)


async def page(
    ctx: Context, tx: Transaction, status: str | None, token: str | None, most: int
) -> tuple[list[Task], str | None]:
    """Return tasks, those of a status if one is given, as they were created, and the next page's token.

    Raises AwsError.
    """

    def select(raw: bytes) -> Task | None:
        task = _decode(raw)
        return task if status in (None, task.status) else None

    space = _TASKS.sub(ctx.account, ctx.region)
    return await listing.list_page(tx, space, token, most, select, errors.invalid_token())


async def active(tx: Transaction) -> list[Place]:
    """Return who has a task that is not over."""
    rows = await tx.range(_ACTIVE.begin, _ACTIVE.end, limit=_MOST_ACTIVE)
    return [_ACTIVE.unpack(key) for key, _ in rows]


async def find_active(tx: Transaction, place: Place) -> Task | None:
    """Return the task of an account and a region that is not over, if there is one."""
    raw = await tx.get(_ACTIVE.key(*place))
    return None if raw is None else await find(tx, *place, raw.decode())


async def begin(tx: Transaction, place: Place) -> Task | None:
    """Note that the task of an account and a region runs, and return it; None where none is active."""
    task = await find_active(tx, place)
    if task is not None:
        task.status = RUNNING
        _save(tx, task)
    return task


async def objects_in(tx: Transaction, task: Task, folder: str) -> int:
    """Return how many objects a task has put into a folder for streams that are exported."""
    return int.from_bytes(await tx.get(_OBJECTS.key(task.id, folder)) or b"", "big")


async def note(tx: Transaction, task: Task, folder: str, objects: int) -> bool:
    """Store that one more stream is exported, and its folder's objects; return False where it has been cancelled."""
    if not await _advance(tx, task):
        return False
    tx.put(_OBJECTS.key(task.id, folder), objects.to_bytes(4, "big"))
    return True


async def is_active(tx: Transaction, task: Task) -> bool:
    """Whether a task is not over, as it is stored."""
    current = await find(tx, task.account, task.region, task.id)
    return current is not None and current.status in (PENDING, RUNNING)


async def _advance(tx: Transaction, task: Task) -> bool:
    if not await is_active(tx, task):
        return False
    _save(tx, task)
    return True


async def end(tx: Transaction, task: Task, status: str, now: int, message: str | None = None) -> None:
    """Note that a task is over, unless it is already."""
    task.status, task.completed, task.message = status, now, message
    if await _advance(tx, task):
        tx.delete(_ACTIVE.key(task.account, task.region))
        objects = _OBJECTS.sub(task.id)
        tx.delete_range(objects.begin, objects.end)
