"""Makes what polls what it is wanted to be: at work, at rest, or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.polling import presence
from cloudlet.core.aws.polling.poller import Poller
from cloudlet.core.aws.polling.queue import Queue
from cloudlet.core.aws.polling.stream import Stream
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import duty_cycle, watching
from cloudlet.store.interface import Row

_READ = 1000
_SHARE = 10
"""Looking at all after each change takes no more than one tenth of the time: many changes are settled together."""


class PollerState(Protocol):
    """What is kept of something that polls, and what it is to be."""

    @property
    def id(self) -> str: ...

    @property
    def revision(self) -> str | int:
        """Another one after each change."""

    @property
    def polls(self) -> bool | None:
        """Whether it polls; None where it is not yet what it is to be."""

    async def advance(self, block: Block, lease: Lease) -> bool:
        """Make it what it is to be; return whether it polls then."""

    def poller(self, block: Block, lease: Lease) -> Poller: ...


class PollerKind(NamedTuple):
    """All mappings, or all pipes."""

    topic: bytes
    """Notified for each change of one."""
    space: Subspace
    """Where all of them are."""
    decode: Callable[[bytes], PollerState]


class _Run:
    """A poller at work in this process."""

    def __init__(self, poller: Poller, revision: str | int, group: asyncio.TaskGroup) -> None:
        self.revision = revision
        self._poller = poller
        self._task = group.create_task(self._keep_running())

    async def _keep_running(self) -> None:
        """Poll until it is stopped; a fault of ours that one poller meets does not stop the others."""
        backoff = self._poller.backoff()
        while not self._poller.stopping.is_set():
            try:
                is_queue = self._poller.source.arn.service == "sqs"
                await (Queue(self._poller) if is_queue else Stream(self._poller)).run()
            except Exception:
                self._poller.log.exception("%s failed", self._poller.arn)
                await backoff.wait()

    async def stop(self) -> None:
        """Let what is under way be finished, and return then."""
        self._poller.stopping.set()
        await asyncio.wait((self._task,))


class _Reconciler:
    """All pollers of this process."""

    def __init__(
        self, block: Block, kind: PollerKind, lease: Lease, group: asyncio.TaskGroup, changed: asyncio.Event
    ) -> None:
        self._block = block
        self._kind = kind
        self._lease = lease
        self._group = group
        self._runs: dict[str, _Run] = {}
        self._works = KeyedTasks(block, changed)
        """Those that are being made what they are to be."""

    async def settle(self) -> None:
        """Look at all, and have those changed that are not yet what they are to be."""
        seen: set[str] = set()
        after = b""
        while True:
            rows = await self._block.store.transact(partial(self._page, after=after))
            for key, found in self._works.decode_rows(rows, "the poller", self._kind.decode).items():
                seen.add(found.id)
                if not self._is_settled(found):
                    what = f"making the poller {found.id} what it is to be"
                    self._works.start(self._group, found.id, what, partial(self._settle, key, found))
            if len(rows) < _READ:
                break
            after = rows[-1][0]
        for id in self._runs.keys() - seen:
            if id not in self._works:
                # Another process has deleted it.
                self._works.start(self._group, id, f"stopping the poller {id}", partial(self._stop, id))

    async def _page(self, tx: Transaction, after: bytes) -> list[Row]:
        """Return some of all that poll, those after a key."""
        space = self._kind.space
        return await tx.range(after + b"\x00" if after else space.begin, space.end, limit=_READ)

    def _is_settled(self, found: PollerState) -> bool:
        run = self._runs.get(found.id)
        if found.polls:
            return run is not None and run.revision == found.revision
        return found.polls is False and run is None

    async def _settle(self, key: bytes, found: PollerState) -> None:
        await self._stop(found.id)
        polls = bool(found.polls)
        if not polls:
            await presence.wait_for_others(self._block, found.id, self._lease, self._kind.topic)
            polls = await found.advance(self._block, self._lease)
        if polls and await self._block.store.transact(partial(self._enter, key=key, found=found)):
            poller = found.poller(self._block, self._lease)
            self._runs[found.id] = _Run(poller, found.revision, self._group)
        # Other processes look, too.
        await self._block.store.transact(self._notify)

    async def _stop(self, id: str) -> None:
        """Let what a poller has under way here be finished, and say so then."""
        run = self._runs.pop(id, None)
        if run is not None:
            await run.stop()
            await self._block.store.transact(partial(self._leave, id=id))

    async def _enter(self, tx: Transaction, key: bytes, found: PollerState) -> bool:
        """Say that something polls here, unless it is to be something else by now."""
        raw = await tx.get(key)
        now = None if raw is None else self._kind.decode(raw)
        if now is None or (now.id, now.revision) != (found.id, found.revision) or not now.polls:
            return False
        presence.register(tx, found.id, self._lease)
        return True

    async def _leave(self, tx: Transaction, id: str) -> None:
        presence.unregister(tx, id, self._lease)
        tx.notify(self._kind.topic)

    async def _notify(self, tx: Transaction) -> None:
        tx.notify(self._kind.topic)


async def run(block: Block, kind: PollerKind) -> None:
    """Have all of a kind poll until the block ends."""
    async with Lease(block) as lease, watching(block, kind.topic) as changed, asyncio.TaskGroup() as group:
        runner = _Reconciler(block, kind, lease, group, changed)
        while True:
            changed.clear()
            async with duty_cycle(_SHARE):
                await runner.settle()
            await changed.wait()
