"""The log driver `awslogs`: the output of containers, sent to CloudWatch Logs.

Developer guide, "Send Amazon ECS logs to CloudWatch"; Docker's driver of that name. The keeper writes lines to a file.
Here they are read at any pace, and a file beside it says what was sent: a block that was killed goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws import log_groups
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.services.ecs.running import multiline, roles
from cloudlet.services.ecs.running.failures import InitializationFailure
from cloudlet.services.ecs.running.runner import Runner
from cloudlet.services.ecs.task_record import Task, TaskContainer
from cloudlet.services.ecs.task_shape import make_runtime_id
from cloudlet.store.folders import replace_file

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")

LOOK_SECONDS: Final = 0.05
_MIN_PAUSE_SECONDS: Final = 0.05
_MAX_PAUSE_SECONDS: Final = 1.0
_GATHERED_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 5.0
"""The time for which a task waits for its output to be sent.

After that it is sent behind its back.
"""
_CHUNK_BYTES: Final = 1 << 19
_EVENT_BYTES: Final = 256 << 10
_EVENT_OVERHEAD: Final = 26
_BATCH_BYTES: Final = 900_000
_BATCH_EVENTS: Final = 5_000


class _Line(msgspec.Struct):
    t: int
    l: str = ""  # noqa: E741 - as it is written
    p: bool = False


class _Mark(msgspec.Struct):
    """The place up to which a log was sent."""

    file: int = 0
    offset: int = 0


class Target(NamedTuple):
    """The log stream of a container."""

    region: str
    group: str
    stream: str
    begins: re.Pattern[str] | None
    """The pattern of the first line of an event, where events have several."""
    creates_group: bool


_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_sent: Final = msgspec.json.Decoder(_Mark).decode


def find_target(task: Task, container: TaskContainer, described: Mapping[str, Any]) -> Target | None:
    """Return where a container logs to, None where its output stays in its file."""
    configuration = described.get("logConfiguration") or {}
    if configuration.get("logDriver") != "awslogs":
        return None
    options: Mapping[str, str] = configuration.get("options") or {}
    prefix = options.get("awslogs-stream-prefix")
    runtime = make_runtime_id(task, container)
    stream = options.get("awslogs-stream") or (f"{prefix}/{container.name}/{task.id}" if prefix else runtime)
    pattern = options.get("awslogs-multiline-pattern")
    begins = re.compile(pattern) if pattern else multiline.compile_format(options.get("awslogs-datetime-format"))
    creates = options.get("awslogs-create-group", "").lower() == "true"
    return Target(
        options.get("awslogs-region") or task.region, options.get("awslogs-group") or "", stream, begins, creates
    )


async def open_stream(block: Block, task: Task, container: TaskContainer, described: Mapping[str, Any]) -> None:
    """Create the log stream of a container before it starts. Raises InitializationFailure."""
    target = find_target(task, container, described)
    if target is None:
        return
    call = partial(_call, block, task, target.region)
    try:
        if target.creates_group:
            await log_groups.create_group(call, target.group)
        await log_groups.create_stream(call, target.group, target.stream)
    except AwsError as error:
        if error.status is None or error.status >= 500:
            raise
        text = "failed to create Cloudwatch log stream"
        raise InitializationFailure(
            "failed to validate logger args: create stream has been retried 1 times: "
            f"{text}: {error.code}: {error.message} : exit status 1"
        ) from None


async def _call(block: Block, task: Task, region: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    return await roles.call(block, task, "logs", operation, params, region=region)


def watch(runner: Runner, task: Task, container: TaskContainer, described: Mapping[str, Any]) -> None:
    """Send what a container prints as long as it runs, then what is left."""
    target = find_target(task, container, described)
    name = _make_name(task, container)
    if target is not None and runner.find_beside(name) is None and name not in runner.finished:
        runner.go_beside(name, _send_all(runner, task, container, target, name))


def _make_name(task: Task, container: TaskContainer) -> str:
    return f"log of {task.id}/{container.name}"


async def finish(runner: Runner, task: Task) -> bool:
    """Whether the output of a task's containers is sent, or that has taken too long."""
    for each in task.logging:
        name = _make_name(task, each)
        if runner.finishing.setdefault(name, runner.get_time()) and each.started_at is not None:
            runner.tell_news(name)
    return is_done(runner, task) or all(
        runner.get_time() - runner.finishing[_make_name(task, each)] > _PATIENCE_SECONDS for each in task.logging
    )


def forget(runner: Runner, task: Task) -> None:
    """Forget what is known of the logs of a task whose logs are sent."""
    for each in task.logging:
        runner.finishing.pop(_make_name(task, each), None)
        runner.finished.discard(_make_name(task, each))


def is_done(runner: Runner, task: Task) -> bool:
    """Whether nothing is left to be sent of a task."""
    names = [_make_name(task, each) for each in task.logging]
    return all(name in runner.finished or runner.find_beside(name) is None for name in names)


async def _send_all(runner: Runner, task: Task, container: TaskContainer, target: Target, name: str) -> None:
    folder = runner.get_folder(task) / container.name
    reader = _Reader(folder)
    pause = _MIN_PAUSE_SECONDS
    while True:
        # Asked before it is read: what is printed later than that is not the last.
        is_last = name in runner.finishing
        if target.begins is not None and not is_last:
            # Lines that belong together come together.
            await runner.wait_for_news(name, _GATHERED_SECONDS)
        lines = await asyncio.to_thread(reader.read)
        if lines:
            await _send(runner, task, target, multiline.join(lines, target.begins))
            await asyncio.to_thread(reader.settle)
            pause = _MIN_PAUSE_SECONDS
        elif is_last:
            break
        else:
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)
            await runner.wait_for_news(name, pause)
    runner.finished.add(name)
    runner.request(task.key)


async def _send(runner: Runner, task: Task, target: Target, events: list[tuple[int, str]]) -> None:
    """Put events into the stream, until CloudWatch Logs takes them or never will."""
    # They have the machine's time, which tests do not move.
    ahead = round(runner.block.clock.now() - wall_time()) * 1000
    for batch in _make_batches([(at + ahead, text) for at, text in events]):
        while True:
            try:
                call = partial(_call, runner.block, task, target.region)
                await log_groups.write(call, target.group, target.stream, batch)
                break
            except AwsError as error:
                if error.status is not None and error.status < 500:
                    log.warning("CloudWatch Logs does not take what %s prints: %s", task.arn, error)
                    break
            await asyncio.sleep(_RETRY_SECONDS)


def _make_batches(events: list[tuple[int, str]]) -> list[list[dict[str, Any]]]:
    batches: list[list[dict[str, Any]]] = []
    size = _BATCH_BYTES
    for at, text in events:
        taken = len(text.encode("utf-8", "replace")) + _EVENT_OVERHEAD
        if size + taken > _BATCH_BYTES or len(batches[-1]) == _BATCH_EVENTS:
            batches.append([])
            size = 0
        size += taken
        batches[-1].append({"timestamp": at, "message": text[:_EVENT_BYTES]})
    return batches


class _Reader:
    """A reader of a log file, and of the rest of the one before it. Waits for the disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log"
        self._before = folder / "log.before"
        self._mark = folder / "log.sent"
        try:
            self._sent = _decode_sent(self._mark.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            self._sent = _Mark()
        self._next = self._sent

    def read(self) -> list[_Line]:
        """Return the lines that follow those that were sent."""
        for path in (self._before, self._path):
            try:
                with path.open("rb") as file:
                    number = os.fstat(file.fileno()).st_ino
                    if path == self._before and number != self._sent.file:
                        continue
                    begin = self._sent.offset if number == self._sent.file else 0
                    file.seek(begin)
                    chunk = file.read(_CHUNK_BYTES)
            except FileNotFoundError:
                continue
            whole = chunk[: chunk.rfind(b"\n") + 1]
            if whole:
                self._next = _Mark(number, begin + len(whole))
                return [_decode(line) for line in whole.splitlines()]
        return []

    def settle(self) -> None:
        """Write down that what was read is sent."""
        self._sent = self._next
        replace_file(self._mark, msgspec.json.encode(self._sent))
