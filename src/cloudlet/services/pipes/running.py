"""Makes pipes what they are desired to be: running, stopped, or gone."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.core.moments import notified
from cloudlet.core.retrying import is_transient
from cloudlet.core.tags import save as save_tags
from cloudlet.services.pipes import pipe, positions
from cloudlet.services.pipes.pausing import Backoff
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.queue import QueueSource
from cloudlet.services.pipes.stream import StreamSource
from cloudlet.store.interface import Row

log = logging.getLogger("cloudlet.pipes")

TOPIC = b"pipes"
"""Notified for each change of a pipe."""
_READ = 1000
_FAILED = {"CREATING": "CREATE_FAILED", "STARTING": "START_FAILED", "UPDATING": "UPDATE_FAILED"}
_LONGEST_REASON = 512
RUNNING, STOPPED, DELETED = "RUNNING", "STOPPED", "DELETED"


class _Run:
    """A pipe that runs in this process."""

    def __init__(self, block: Block, run: Pipe, lease: Lease, group: asyncio.TaskGroup) -> None:
        self.version = run.version
        self._stopping = asyncio.Event()
        self._source = _source(block, run, self._stopping, lease)
        self._backoff = Backoff(block, self._stopping)
        self._arn = run.arn
        self._task = group.create_task(self._keep_running())

    async def _keep_running(self) -> None:
        """Run the source until the pipe stops; a fault of ours that one pipe meets does not stop the others."""
        while not self._stopping.is_set():
            try:
                await self._source.run()
            except Exception:
                log.exception("%s failed", self._arn)
                await self._backoff.wait()

    async def stop(self) -> None:
        """Let what is under way be finished, and return then."""
        self._stopping.set()
        await asyncio.wait((self._task,))


def _source(block: Block, run: Pipe, stopping: asyncio.Event, lease: Lease) -> QueueSource | StreamSource:
    if run.source_arn.service == "sqs":
        return QueueSource(block, run, stopping)
    return StreamSource(block, run, stopping, lease)


class _Runner:
    """All pipes of this process."""

    def __init__(self, block: Block, lease: Lease, group: asyncio.TaskGroup) -> None:
        self._block = block
        self._lease = lease
        self._group = group
        self._runs: dict[str, _Run] = {}
        self._settling: set[str] = set()

    async def settle(self) -> None:
        """Look at all pipes, and have those changed that are not yet what they are to be."""
        seen: set[str] = set()
        after = b""
        while True:
            rows = await self._block.store.transact(partial(_page, after=after))
            for _, raw in rows:
                found = pipe.decode(raw)
                seen.add(found.id)
                if found.id not in self._settling and not self._is_settled(found):
                    self._settling.add(found.id)
                    self._group.create_task(self._settle(found))
            if len(rows) < _READ:
                break
            after = rows[-1][0]
        for id in self._runs.keys() - seen - self._settling:
            # Another process has deleted it.
            self._group.create_task(self._runs.pop(id).stop())

    def _is_settled(self, found: Pipe) -> bool:
        run = self._runs.get(found.id)
        if found.state == RUNNING:
            return run is not None and run.version == found.version
        return found.state in (STOPPED, *_FAILED.values()) and run is None

    async def _settle(self, found: Pipe) -> None:
        try:
            run = self._runs.pop(found.id, None)
            if run is not None:
                await run.stop()
            if found.state == RUNNING or await self._advance(found):
                self._runs[found.id] = _Run(self._block, found, self._lease, self._group)
        finally:
            self._settling.discard(found.id)
            await self._block.store.transact(_notify)

    async def _advance(self, found: Pipe) -> bool:
        """Move a pipe on to the state that it is to have; return whether it runs then."""
        state, reason = found.desired, ""
        if state == RUNNING:
            try:
                await _source(self._block, found, asyncio.Event(), self._lease).check()
            except AwsError as error:
                # What passes by itself, it waits for when it runs.
                if not is_transient(error.code, error.status):
                    state = _FAILED.get(found.state, "START_FAILED")
                    reason = f"{error.code}: {error.message}"[:_LONGEST_REASON]

        async def body(tx: Transaction) -> bool:
            now = await pipe.find(tx, found.account, found.region, found.name)
            if now is None or now.id != found.id or now.version != found.version:
                return False
            if state == DELETED:
                pipe.remove(tx, now)
                positions.forget_all(tx, now)
                save_tags(tx, now.arn, {})
                return False
            pipe.save(tx, replace(now, state=state, reason=reason))
            return state == RUNNING

        return await self._block.store.transact(body)


async def _page(tx: Transaction, after: bytes) -> list[Row]:
    """Return some of the pipes of all accounts, those after a key."""
    begin = after + b"\x00" if after else pipe.EVERY.begin
    return await tx.range(begin, pipe.EVERY.end, limit=_READ)


async def _notify(tx: Transaction) -> None:
    tx.notify(TOPIC)


async def run(block: Block) -> None:
    """Run pipes until the block ends."""
    lease = Lease(block)
    try:
        async with notified(block, TOPIC) as changed, asyncio.TaskGroup() as group:
            runner = _Runner(block, lease, group)
            while True:
                changed.clear()
                await runner.settle()
                await changed.wait()
    finally:
        await lease.release()
