"""Reconciling: bringing what is in the world, step by step, to what the store wants.

An operation writes the desired state of a resource and, in the same transaction, asks for its reconciliation. The
reconciler looks at one resource at a time and does one step: it compares desired and observed state, and does what is
missing. It may be killed at any point: the request stays until a step has found nothing left to do, and is taken up
again by the next process. So a step must be safe to repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.timing import back_off, watching
from cloudlet.store import Subspace, Transaction
from cloudlet.store.interface import Row

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

Key = tuple[Any, ...]
"""A resource: the account that has it, and whatever else tells it apart."""
Step = Callable[["Block", Key], Awaitable["float | None"]]
"""Do one step for a resource.

Return None where nothing is left to do, or after how many seconds to look at it again; 0 is at once. An error makes the
resource back off, longer each time, while others go on.
"""

MAX_WAITING_RESOURCES: Final = 256
"""Resources that wait for their turn in memory. The others wait in the store."""
_NONCE_BYTES: Final = 8


class Reconciler:
    """The reconciliation of the resources of one kind."""

    def __init__(
        self, name: str, step: Step, *, max_concurrency: int = 8, patience_seconds: float | None = None
    ) -> None:
        """Make a reconciler, whose `name` no other one of the block has.

        An account has half of the places at most. A step that takes longer than `patience_seconds` gives its place to
        another one while it goes on.
        """
        self._name = name
        self._step = step
        self._max_concurrency = max_concurrency
        self._patience_seconds = patience_seconds
        self._requests = Subspace(name)
        self._topic = name.encode()

    def request(self, tx: Transaction, *key: Any) -> None:
        """Have a resource reconciled once this transaction is committed."""
        # Each request is another one: what was asked for during a step is not taken for done with it.
        tx.put(self._requests.key(*key), random_bytes(_NONCE_BYTES))
        tx.notify(self._topic)

    async def run(self, block: Block) -> None:
        """Reconcile what was requested, until the block ends. To be declared as a job."""
        async with watching(block, self._topic) as changed, asyncio.TaskGroup() as group:
            await _Run(block, group, changed, self._name, self._step, self._requests, self._make_places()).run()

    def _make_places(self) -> _Places:
        semaphore = FairSemaphore(self._max_concurrency, max(1, self._max_concurrency // 2))
        return partial(semaphore.hold, seconds=self._patience_seconds)


_Places = Callable[[str], AbstractAsyncContextManager[None]]


class _Run:
    """The reconciler of a block at work."""

    def __init__(
        self,
        block: Block,
        group: asyncio.TaskGroup,
        changed: asyncio.Event,
        name: str,
        step: Step,
        requests: Subspace,
        places: _Places,
    ) -> None:
        self._block = block
        self._group = group
        self._changed = changed
        self._name = name
        self._step = step
        self._requests = requests
        self._places = places
        self._tasks = KeyedTasks(block, changed, MAX_WAITING_RESOURCES)
        self._pausing: dict[bytes, tuple[bytes, asyncio.Event]] = {}
        """The requests of resources that pause between steps, and what ends the pause."""

    async def run(self) -> None:
        while True:
            self._changed.clear()
            for row, request in await self._block.store.transact(self._list):
                if row in self._pausing:
                    known, wake = self._pausing[row]
                    if request != known:
                        wake.set()
                    continue
                key = self._requests.unpack(row)
                self._tasks.start(self._group, row, f"{self._name} of {key}", partial(self._reconcile, key, row))
            await self._changed.wait()

    async def _list(self, tx: Transaction) -> list[Row]:
        limit = MAX_WAITING_RESOURCES + len(self._tasks)
        return await tx.range(self._requests.begin, self._requests.end, limit=limit)

    async def _reconcile(self, key: Key, row: bytes) -> None:
        """Do steps for a resource until nothing is left to do for it."""
        store = self._block.store
        while (request := await store.transact(lambda tx: tx.get(row))) is not None:
            async with self._places(key[0]):
                pause = await self._step(self._block, key)
            if pause is not None:
                await self._pause(row, request, pause)
            elif await store.transact(partial(_finish, row=row, request=request)):
                return

    async def _pause(self, row: bytes, request: bytes, seconds: float) -> None:
        """Wait, unless the resource is changed meanwhile."""
        wake = asyncio.Event()
        self._pausing[row] = request, wake
        try:
            # A change during the step came before there was a pause to end.
            if await self._block.store.transact(lambda tx: tx.get(row)) == request:
                await back_off(self._block, seconds, wake)
        finally:
            del self._pausing[row]


async def _finish(tx: Transaction, row: bytes, request: bytes) -> bool:
    """Remove a request that was carried out; return whether no other one has come meanwhile."""
    if await tx.get(row) != request:
        return False
    tx.delete(row)
    return True
