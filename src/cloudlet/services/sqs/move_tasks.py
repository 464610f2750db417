"""Message move tasks: what was asked for and how far it has come, all in the store.

API reference, StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask; for how many there may be, and for how
long, the Developer Guide, "Configure a dead-letter queue redrive". A task moves the messages that are
visible in a dead-letter queue; `move_job` does it, a batch a transaction, and carries on after a restart.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError, Subspace, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.sqs import contents, directory, errors, limits, receiving, sending
from cloudlet.services.sqs.queue import Queue
from cloudlet.store import pack, unpack

TOPIC = b"move-tasks"
RUNNING, COMPLETED, CANCELLED, FAILED = "RUNNING", "COMPLETED", "CANCELLED", "FAILED"

_RUNNING = Subspace("moving")
_KEPT = 10
_MOST_ROWS = 10_000


class MoveTask(msgspec.Struct, array_like=True):
    """`started` is in milliseconds since the epoch."""

    id: str
    source: str
    destination: str | None
    rate: int | None
    """Messages per second at most."""
    to_move: int
    started: int
    status: str = RUNNING
    moved: int = 0
    failure: str | None = None


_decode = msgspec.msgpack.Decoder(MoveTask).decode
_encode = msgspec.msgpack.Encoder().encode


def handle_of(task: MoveTask) -> str:
    """Return the handle by which a task is cancelled."""
    return b64encode(json.dumps({"taskId": task.id, "sourceArn": task.source}).encode()).decode()


def read_handle(handle: str) -> tuple[str, str]:
    """Return the id and the source queue's ARN of a task's handle. Raises AwsError."""
    try:
        value = json.loads(b64decode(handle, validate=True))
        return str(value["taskId"]), str(value["sourceArn"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise errors.invalid_parameter("Value for parameter TaskHandle is invalid.") from None


def check_arn(name: str, text: str) -> None:
    """Raise unless `text` is an ARN."""
    try:
        Arn.parse(text)
    except ValueError:
        raise errors.invalid_parameter(
            f"You must use this format to specify the {name}: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        ) from None


async def start(tx: Transaction, source: Queue, destination: Queue | None, rate: int | None, now: int) -> MoveTask:
    """Note a task that is to be done. Raises AwsError."""
    if not await directory.is_dead_letter_queue(tx, source):
        raise errors.invalid_parameter("Source queue must be configured as a Dead Letter Queue.")
    if destination is not None and destination.record.id == source.record.id:
        raise errors.invalid_parameter("Source queue arn and destination queue arn cannot be the same.")
    if destination is not None and destination.fifo != source.fifo:
        raise errors.invalid_parameter("Source queue and destination queue must be of the same type.")
    running = _RUNNING.key(source.record.id)
    if await tx.get(running) is not None:
        raise errors.invalid_parameter(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
        )
    await _check_count(tx, source)
    await contents.settle(tx, source, now)
    to_move = await contents.visible_count(tx, source)
    task = MoveTask(uuid4(), source.arn, destination.arn if destination else None, rate, to_move, now)
    space = source.tasks
    rows = await tx.range(space.begin, space.end, limit=2 * _KEPT, reverse=True)
    for old, _ in rows[_KEPT - 1 :]:
        tx.delete(old)
    key = space.key(now, task.id)
    tx.put(key, _encode(task))
    tx.put(running, pack((source.arn, key)))
    tx.notify(TOPIC)
    return task


async def _check_count(tx: Transaction, source: Queue) -> None:
    """Raise AwsError unless the account of a queue may have one more task under way in its region."""
    place = source.arn.removesuffix(source.record.name)
    rows = await tx.range(_RUNNING.begin, _RUNNING.end, limit=_MOST_ROWS)
    if sum(unpack(value)[0].startswith(place) for _, value in rows) >= limits.MOVE_TASKS:
        raise AwsError(
            "OverLimit", f"The maximum number of active message move tasks is {limits.MOVE_TASKS}.", status=403
        )


async def listed(tx: Transaction, source: Queue, count: int) -> list[MoveTask]:
    """Return the tasks of a source queue, the newest first."""
    rows = await tx.range(source.tasks.begin, source.tasks.end, limit=count, reverse=True)
    return [_decode(value) for _, value in rows]


async def cancel(tx: Transaction, source: Queue, task_id: str) -> MoveTask:
    """Stop a running task; what it has moved stays where it is. Raises AwsError."""
    for key, value in await tx.range(source.tasks.begin, source.tasks.end, limit=2 * _KEPT, reverse=True):
        task = _decode(value)
        if task.id == task_id:
            if task.status != RUNNING:
                raise errors.invalid_parameter("Only active tasks can be cancelled.")
            task.status = CANCELLED
            _finish(tx, source.record.id, key, task)
            return task
    raise errors.no_such_resource("TaskHandle")


def to_api(task: MoveTask) -> dict[str, Any]:
    """Return a task as ListMessageMoveTasks answers it."""
    return {
        "TaskHandle": handle_of(task) if task.status == RUNNING else None,
        "Status": task.status,
        "SourceArn": task.source,
        "DestinationArn": task.destination,
        "MaxNumberOfMessagesPerSecond": task.rate,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "FailureReason": task.failure,
        "StartedTimestamp": task.started,
    }


def _finish(tx: Transaction, queue: int, key: bytes, task: MoveTask) -> None:
    tx.put(key, _encode(task))
    tx.delete(_RUNNING.key(queue))
    tx.notify(TOPIC)


# -- doing it


async def running(tx: Transaction) -> list[int]:
    """Return the ids of the queues that messages are to be moved from."""
    rows = await tx.range(_RUNNING.begin, _RUNNING.end, limit=_MOST_ROWS)
    return [_RUNNING.unpack(key)[0] for key, _ in rows]


async def step(tx: Transaction, queue: int, count: int, now: float) -> tuple[int, MoveTask | None]:
    """Move up to `count` messages; return how many have left the queue, and the task unless it has ended.

    None have while those that are left are all of message groups in flight, which the task waits for.
    """
    raw = await tx.get(_RUNNING.key(queue))
    if raw is None:
        return 0, None
    arn, key = unpack(raw)
    source = await directory.by_arn(tx, arn)
    stored = await tx.get(key)
    if source is None or stored is None or source.record.id != queue:
        tx.delete(_RUNNING.key(queue))
        return 0, None
    task = _decode(stored)
    millis = int(now * 1000)
    if millis - task.started >= limits.MOVE_TASK_SECONDS * 1000:
        task.status, task.failure = FAILED, "TaskTimedOut"
        _finish(tx, queue, key, task)
        return 0, None
    await contents.settle(tx, source, millis)
    picked = await receiving.take(tx, source, count, millis)
    moved = 0
    for at, (place, state) in enumerate(picked):
        message = await contents.message(tx, source, place)
        if message is None or message.sent + source.retention <= millis:
            await contents.remove_taken(tx, source, place, state.group)
            continue
        arn = task.destination or message.source
        target = await directory.by_arn(tx, arn) if arn else None
        if target is None or target.fifo != source.fifo:
            for rest in picked[at:]:
                await contents.put_back(tx, source, *rest)
            task.failure = "AWS.SimpleQueueService.NonExistentQueue" if arn else "CouldNotDetermineMessageSource"
            task.status = FAILED
            break
        await contents.remove_taken(tx, source, place, state.group)
        # A redriven message is a new one (Developer Guide, "Configure a dead-letter queue redrive").
        fresh = msgspec.structs.replace(message, id=uuid4(), sent=millis, due=0, source=None, receives=0)
        if target.delay:
            fresh.due = millis + target.delay
        await sending.move(tx, target, fresh, now)
        moved += 1
    task.moved += moved
    if not picked and await contents.visible_count(tx, source) <= 0:
        task.status = COMPLETED
    if task.status == RUNNING:
        tx.put(key, _encode(task))
        return len(picked), task
    _finish(tx, queue, key, task)
    return moved, None
