"""Makes mappings what they are wanted to be: enabled, disabled, or gone."""

from __future__ import annotations

import asyncio
from functools import partial

from msgspec.structs import replace

from cloudlet.core import Transaction, tags
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.core.moments import notified
from cloudlet.services.lambda_ import mapping
from cloudlet.services.lambda_.mapping import Mapping
from cloudlet.services.lambda_.polling import positions
from cloudlet.services.lambda_.polling.queue import Queue
from cloudlet.services.lambda_.polling.stream import Stream
from cloudlet.store.interface import Row

_READ = 1000


class _Run:
    """A mapping that polls in this process."""

    def __init__(self, block: Block, run: Mapping, lease: Lease, group: asyncio.TaskGroup) -> None:
        self.revision = run.revision
        self._stopping = asyncio.Event()
        if run.source_service == "sqs":
            source: Queue | Stream = Queue(block, run, self._stopping)
        else:
            source = Stream(block, run, self._stopping, lease)
        self._task = group.create_task(source.run())

    async def stop(self) -> None:
        """Let what is under way be finished, and return then."""
        self._stopping.set()
        await asyncio.wait((self._task,))


class _Runner:
    """All mappings of this process."""

    def __init__(self, block: Block, lease: Lease, group: asyncio.TaskGroup) -> None:
        self._block = block
        self._lease = lease
        self._group = group
        self._runs: dict[str, _Run] = {}
        self._settling: set[str] = set()

    async def settle(self) -> None:
        """Look at all mappings, and have those changed that are not yet what they are to be."""
        seen: set[str] = set()
        after = b""
        while True:
            rows = await self._block.store.transact(partial(_page, after=after))
            for _, raw in rows:
                found = mapping.decode(raw)
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

    def _is_settled(self, found: Mapping) -> bool:
        run = self._runs.get(found.id)
        if found.state == mapping.ENABLED:
            return run is not None and run.revision == found.revision
        return found.state == mapping.DISABLED and run is None

    async def _settle(self, found: Mapping) -> None:
        try:
            run = self._runs.pop(found.id, None)
            if run is not None:
                await run.stop()
            if await self._block.store.transact(partial(_advance, found=found)):
                self._runs[found.id] = _Run(self._block, found, self._lease, self._group)
        finally:
            self._settling.discard(found.id)
            await self._block.store.transact(_notify)


async def _advance(tx: Transaction, found: Mapping) -> bool:
    """Move a mapping on to the state that it is to have; return whether it polls then."""
    now = await mapping.find(tx, found.account, found.region, found.id)
    if now is None or now.revision != found.revision:
        return False
    if now.state == mapping.DELETING:
        mapping.remove(tx, now)
        positions.forget_all(tx, now)
        tags.save(tx, now.arn, {})
        return False
    state = mapping.ENABLED if now.is_enabled else mapping.DISABLED
    if now.state != state:
        mapping.save(tx, replace(now, state=state))
    return now.is_enabled


async def _page(tx: Transaction, after: bytes) -> list[Row]:
    """Return some of the mappings of all accounts, those after a key."""
    space = mapping.everywhere()
    return await tx.range(after + b"\x00" if after else space.begin, space.end, limit=_READ)


async def _notify(tx: Transaction) -> None:
    tx.notify(mapping.TOPIC)


async def run(block: Block) -> None:
    """Have mappings poll until the block ends."""
    lease = Lease(block)
    try:
        async with notified(block, mapping.TOPIC) as changed, asyncio.TaskGroup() as group:
            runner = _Runner(block, lease, group)
            while True:
                changed.clear()
                await runner.settle()
                await changed.wait()
    finally:
        await lease.release()
