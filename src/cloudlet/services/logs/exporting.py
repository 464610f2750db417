"""Exports events to buckets: for each stream, objects with lines of text.

User guide, "Exporting log data to Amazon S3". A stream that was under way when Cloudlet stopped is exported again, into
the same objects. Streams whose names differ in hyphens and slashes alone share a folder: each goes on after the last
one's objects.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
from datetime import UTC, datetime
from functools import partial

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off, watching
from cloudlet.services.logs import export_task, protection, scanning
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.events import Position
from cloudlet.services.logs.export_task import COMPLETED, FAILED, Place, Task
from cloudlet.services.logs.group_record import Group, arn_of
from cloudlet.services.logs.scanning import Found, Search
from cloudlet.services.logs.stream_record import Stream

log = logging.getLogger("cloudlet.logs")

DEFAULT_PREFIX = "exportedlogs"
_PART_BYTES = 16 * 1_048_576
"""Of text in one object."""
_AT_ONCE = 100
_TASKS_AT_ONCE, _TASKS_OF_ACCOUNT = 2, 1
_LONGEST_MILLIS = 24 * 3_600_000
_PAUSE_SECONDS = 5.0
_WRITE_TEST = "aws-logs-write-test"


async def try_out(block: Block, task: Task) -> None:
    """Put the object with which AWS tries out a bucket. Raises AwsError."""
    try:
        await _put(block, task, _WRITE_TEST, b"Permission Check Successful")
    except AwsError as error:
        if error.code == "NoSuchBucket":
            text = "The given bucket does not exist. Please provide a valid bucket."
        elif error.status is not None and error.status >= 500:
            raise
        else:
            text = (
                "PutObject call on the given bucket failed. Please check if CloudWatch Logs has been granted "
                "permission to perform this operation."
            )
        raise AwsError("InvalidParameterException", text) from error


async def export(block: Block, lease: Lease) -> None:
    """Carry out export tasks, for ever."""
    turns = FairSemaphore(_TASKS_AT_ONCE, _TASKS_OF_ACCOUNT)

    async def one(place: Place) -> None:
        while True:
            async with lease.during():
                if await _carry_out(block, turns, place):
                    return
            await back_off(block, _PAUSE_SECONDS)

    async with watching(block, export_task.TOPIC) as changed, asyncio.TaskGroup() as group:
        works = KeyedTasks(block, changed)
        while True:
            changed.clear()
            for place in await block.store.transact(export_task.active):
                works.start(group, place, f"the export of {place}", partial(one, place))
            await changed.wait()


async def _carry_out(block: Block, turns: FairSemaphore, place: Place) -> bool:
    """Export what is left of an account's task; return False where it is to be tried again."""
    async with turns.hold(place[0]):
        # It may have been cancelled, or another process have done it, while this one waited.
        task = await block.store.transact(lambda tx: export_task.begin(tx, place))
    if task is None:
        return True
    try:
        while found := await block.store.transact(lambda tx: _some_streams(tx, task)):
            group, some = found
            for stream in some:
                if not await _export_stream(block, turns, task, group, stream):
                    return True
            if len(some) < _AT_ONCE:
                break
    except AwsError as error:
        if error.status is not None and error.status >= 500 and not _is_over(block, task):
            log.warning("the export %s waits: %s", task.id, error)
            return False
        await _end(block, task, FAILED, str(error))
    else:
        await _end(block, task, COMPLETED)
    return True


def _is_over(block: Block, task: Task) -> bool:
    return block.clock.now() * 1000 - task.created > _LONGEST_MILLIS


async def _end(block: Block, task: Task, status: str, message: str | None = None) -> None:
    now = int(block.clock.now() * 1000)
    await block.store.transact(lambda tx: export_task.end(tx, task, status, now, message))


async def _some_streams(tx: Transaction, task: Task) -> tuple[Group, list[Stream]] | None:
    """Return the group and the next streams of a task; None where the group is gone."""
    group = await groups.find(tx, task.account, task.region, task.group)
    if group is None:
        return None
    place = streams.place_of(group, task.done_until) if task.done_until else b""
    return group, [stream for _, stream in await streams.page(tx, group, task.stream_prefix, place, _AT_ONCE)]


async def _export_stream(block: Block, turns: FairSemaphore, task: Task, group: Group, stream: Stream) -> bool:
    """Put the objects of a stream; return False where the task is not active any more."""
    folder = stream.name.replace("/", "-")
    number = await block.store.transact(lambda tx: export_task.objects_in(tx, task, folder))
    after: Position | None = None
    while True:
        # A turn for each object: what is large does not hold up others.
        async with turns.hold(task.account):
            if not await block.store.transact(lambda tx: export_task.is_active(tx, task)):
                return False
            if _is_over(block, task):
                await _end(block, task, FAILED, "The export task has taken more than 24 hours.")
                return False
            lines, after = await _part(block, task, group, stream, after)
            if lines:
                data = await run_in_worker(task.account, _compressed, lines)
                await _put(block, task, f"{task.prefix}/{task.id}/{folder}/{number:06}.gz", data)
                number += 1
        if after is None:
            task.done_until = stream.name
            return await block.store.transact(partial(export_task.note, task=task, folder=folder, objects=number))


async def _part(
    block: Block, task: Task, group: Group, stream: Stream, after: Position | None
) -> tuple[list[str], Position | None]:
    """Return the lines of a stream's next object, and after which event it goes on; None where there are no more."""
    lines: list[str] = []
    size = 0
    while size < _PART_BYTES:
        horizon = group.horizon(block.clock.now())
        mask = await block.store.transact(lambda tx: protection.mask_of(tx, group.id, group.account, group.region))
        search = Search(group.id, stream.id, first=max(task.first, horizon), last=task.last, after=after, mask=mask)
        found, _ = await scanning.page(block, search, scanning.MOST_EVENTS)
        if not found:
            return lines, None
        lines += [_line(event) for event in found]
        size += sum(len(event.message) for event in found)
        after = found[-1].position
    return lines, after


def _compressed(lines: list[str]) -> bytes:
    return gzip.compress("".join(lines).encode(), mtime=0)


def _line(event: Found) -> str:
    moment = datetime.fromtimestamp(event.position.timestamp / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{event.position.timestamp % 1000:03}Z {event.message}\n"


async def _put(block: Block, task: Task, key: str, data: bytes) -> None:
    params = {"Bucket": task.bucket, "Key": key, "Body": data, "ACL": "bucket-owner-full-control"}
    arn = arn_of(task.region, task.account, task.group)
    await block.call("s3", "PutObject", params, account=task.account, region=task.region, source_arn=f"{arn}:*")
