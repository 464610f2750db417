"""What a block does by itself: each job is started again where it fails, and holds up no other one.

A job has many works, which are other accounts': deliveries, alarms, exports. Each is done by itself (`KeyedTasks`).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cloudlet.core.background.fair_semaphore import decrement
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import compute_back_off
from cloudlet.core.kernel.timing import duty_cycle, wait_until, watching
from cloudlet.store import StoreError, Subspace, Transaction

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.core")
T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)

LeasedJob = Callable[["Block", Lease], Awaitable[None]]
"""A job that holds the lease while it works."""
Row = tuple[Any, ...]
"""What the key of a row is made of."""

_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 30.0
_LONGEST_REST_SECONDS: Final = 600.0
_FORGETFUL: Final = 1000
"""So many works at least are remembered that have failed, and may be gone."""
_SLOW_SECONDS: Final = 1.0
_SLOW_AT_ONCE: Final = 2_000
"""So many that are slow go on beside the others; what takes long beyond that keeps its place. An account has half."""
_LOOKED_AT: Final = 10_000
"""So many that are due are looked at behind those of accounts that have their part of the places."""
_SHARE: Final = 4
"""Looking at so many takes a quarter of the time at most."""


async def keep_running(block: Block, name: str, job: Callable[[], Awaitable[None]]) -> None:
    """Run a job until it returns: after a pause it is started again whenever it fails."""
    waits, said = _FIRST_PAUSE_SECONDS, ""
    while True:
        started = block.clock.now()
        try:
            await job()
            return
        except Exception as error:
            reason = _refused_by_store(error)
            if reason is None:
                log.exception("the job %s of %s failed", name, block.service.name)
            elif reason != said:
                # All jobs fail while a database is down, again and again.
                log.warning("the job %s of %s has to wait: %s", name, block.service.name, reason)
            said = reason or ""
        if block.clock.now() - started > _LONGEST_PAUSE_SECONDS:
            waits, said = _FIRST_PAUSE_SECONDS, ""
        await asyncio.sleep(waits)
        waits = min(waits * 2, _LONGEST_PAUSE_SECONDS)


async def run_leased_jobs(block: Block, **jobs: LeasedJob) -> None:
    """Run jobs, by their names, which share a lease: of several processes on one store, one does them at a time."""
    async with Lease(block) as lease, asyncio.TaskGroup() as group:
        for name, job in jobs.items():
            group.create_task(keep_running(block, name, partial(job, block, lease)))


async def best_effort(block: Block, what: str, work: Callable[[], Awaitable[object]]) -> None:
    """Do a work that is lost where it fails unexpectedly: it is no reason for others to wait. `what` names it."""
    try:
        await work()
    except Exception:
        log.exception("%s lost what failed: %s", block.service.name, what)


class KeyedTasks:
    """The works of a job, told apart by keys: one that fails unexpectedly rests, longer each time, and others go on.

    What has failed is known to this process alone, and is tried at once by the next one. Memory grows with what rests.
    """

    def __init__(self, block: Block, changed: asyncio.Event | None = None, at_once: int = sys.maxsize) -> None:
        """Make room for so many `at_once`. `changed` is set when a started work has ended, or a rest is over."""
        self._block = block
        self._changed = changed or asyncio.Event()
        self._at_once = at_once
        self._started: dict[Hashable, asyncio.TimerHandle] = {}
        self._slow: set[Hashable] = set()
        self._accounts: dict[Hashable, str] = {}
        self._held: Counter[str] = Counter()
        self._slow_of: Counter[str] = Counter()
        self._resting: set[Hashable] = set()
        self._failures: dict[Hashable, int] = {}
        self._said = ""

    def __contains__(self, key: Hashable) -> bool:
        """Whether a work is under way, or rests."""
        return key in self._started or key in self._resting

    def __len__(self) -> int:
        """How many are under way, or rest: who looks for others has to look at so many more."""
        return len(self._started) + len(self._resting)

    @property
    def running(self) -> Collection[Hashable]:
        return self._started.keys()

    @property
    def free_slots(self) -> int:
        """How many may be started now. What takes longer than a second gives its place to another."""
        return self._at_once - len(self._started) + len(self._slow)

    def has_reached_quota(self, account: str) -> bool:
        """Whether an account has all works under way that it may have: half of the slow ones, and of the others."""
        return self._held[account] >= (self._at_once + _SLOW_AT_ONCE) // 2

    def start(
        self,
        group: asyncio.TaskGroup,
        key: Hashable,
        what: str,
        work: Callable[[], Awaitable[object]],
        *,
        account: str | None = None,
    ) -> None:
        """Do a work beside others, unless it is under way, rests, or has no room now; `what` names it in the log.

        It takes part of what its account may have, where that is told.
        """
        if key in self or self.free_slots <= 0:
            return
        if account is not None:
            if self.has_reached_quota(account):
                return
            self._accounts[key] = account
            self._held[account] += 1
        self._started[key] = self._look_again(key)
        group.create_task(self._run(key, what, work))

    async def _run(self, key: Hashable, what: str, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await self.attempt(key, what, work)
        finally:
            self._started.pop(key).cancel()
            account = self._accounts.pop(key, None)
            if account is not None:
                decrement(self._held, account)
                if key in self._slow:
                    decrement(self._slow_of, account)
            self._slow.discard(key)
            self._changed.set()

    def _look_again(self, key: Hashable) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(_SLOW_SECONDS, self._give_away, key)

    def _give_away(self, key: Hashable) -> None:
        account = self._accounts.get(key)
        if len(self._slow) >= _SLOW_AT_ONCE or (account is not None and self._slow_of[account] >= _SLOW_AT_ONCE // 2):
            self._started[key] = self._look_again(key)
            return
        if account is not None:
            self._slow_of[account] += 1
        self._slow.add(key)
        self._changed.set()

    async def attempt(self, key: Hashable, what: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """Do a work, and return its result; None where it rests, or fails unexpectedly and rests from now on."""
        if key in self._resting:
            return None
        try:
            result = await work()
        except Exception as error:
            self._rest(key, what, error)
            return None
        self._failures.pop(key, None)
        return result

    async def run_batch(self, keys: Iterable[Key], what: str, work: Callable[[list[Key]], Awaitable[object]]) -> None:
        """Do works at once, or one after the other where that fails unexpectedly: what one meets, others do not."""
        waiting = [key for key in keys if key not in self._resting]
        if not waiting:
            return
        with suppress(Exception):
            await work(waiting)
            return
        for key in waiting:
            await self.attempt(key, f"{what} {key!r}", partial(work, [key]))

    async def drain(
        self,
        listed: Callable[[Transaction, int], Coroutine[Any, Any, Iterable[Key]]],
        what: str,
        work: Callable[[Transaction, Key], Awaitable[object]],
        *,
        at_once: int,
    ) -> None:
        """Do all small works that there are by now, so many in a transaction. Each is listed until it is done."""
        while True:
            count = at_once + len(self)
            found = [key for key in await self._block.store.transact(lambda tx: listed(tx, count)) if key not in self]  # noqa: B023
            await self.run_batch(found, what, partial(transact_each, self._block, work))
            if len(found) < at_once:
                return
            await asyncio.sleep(0)

    def decode_rows(
        self, rows: Iterable[tuple[bytes, bytes]], what: str, decode: Callable[[bytes], T]
    ) -> dict[bytes, T]:
        """Return what is stored in rows, by their keys, without those that rest; one that cannot be read rests."""
        found: dict[bytes, T] = {}
        for key, raw in rows:
            if key not in self._resting:
                try:
                    found[key] = decode(raw)
                except Exception as error:
                    self._rest(key, f"{what} {key!r}", error)
        return found

    def _rest(self, key: Hashable, what: str, error: Exception) -> None:
        """Say why a work has failed, and have it tried again later."""
        reason = _refused_by_store(error)
        if reason is None:
            log.error("%s failed: %s", self._block.service.name, what, exc_info=error)
        elif reason != self._said:
            log.warning("%s has to wait: %s: %s", self._block.service.name, what, reason)
            self._said = reason
        if len(self._failures) >= 2 * len(self._resting) + _FORGETFUL:
            self._failures = {each: times for each, times in self._failures.items() if each in self._resting}
        times = self._failures[key] = self._failures.get(key, 0) + 1
        longest = _LONGEST_REST_SECONDS if reason is None else _LONGEST_PAUSE_SECONDS
        self._resting.add(key)
        asyncio.get_running_loop().call_later(compute_back_off(times, longest=longest), self._wake, key)

    def _wake(self, key: Hashable) -> None:
        self._resting.discard(key)
        self._changed.set()


async def transact_each(
    block: Block, work: Callable[[Transaction, Key], Awaitable[object]], keys: Iterable[Key]
) -> None:
    """Do small works in one transaction."""

    async def body(tx: Transaction) -> None:
        for key in keys:
            await work(tx, key)

    await block.store.transact(body)


async def run_timers(
    block: Block,
    topic: bytes,
    space: Subspace,
    what: str,
    do: Callable[[Transaction, Row, float], Awaitable[None]],
    *,
    at_once: int = 50,
) -> None:
    """Do what falls due, for ever: for each row of a space, whose key begins with when that is, in milliseconds.

    `topic` is notified of new rows. `do` gets what a key is made of, and the time now in seconds since the epoch; the
    row is deleted.
    """

    async def one(tx: Transaction, row: Row) -> None:
        key = space.key(*row)
        # Another process may have done it meanwhile.
        if await tx.get(key) is not None:
            tx.delete(key)
            await do(tx, row, block.clock.now())

    async with watching(block, topic) as changed:
        works = KeyedTasks(block, changed)

        async def listed(tx: Transaction) -> list[Row]:
            rows = await tx.range(space.begin, space.end, limit=at_once + len(works))
            return [space.unpack(key) for key, _ in rows]

        while True:
            changed.clear()
            rows = [row for row in await block.store.transact(listed) if row not in works]
            due = [row for row in rows if row[0] <= block.clock.now() * 1000]
            if due:
                await works.run_batch(due, what, partial(transact_each, block, one))
            elif rows:
                await wait_until(block, changed, rows[0][0] / 1000)
            else:
                await changed.wait()


async def start_timers(
    block: Block,
    lease: Lease | None,
    topic: bytes,
    listed: Callable[[Transaction, int], Coroutine[Any, Any, Collection[tuple[int, Key, str]]]],
    what: str,
    do: Callable[[int, Key], Awaitable[object]],
    *,
    at_once: int,
) -> None:
    """Do works beside each other as they fall due, for ever.

    `listed` returns so many that are due first: when that is, in milliseconds since the epoch, and the keys, both of
    which `do` gets, and the accounts, each of which has half of the places at most. A work may be done, or not be due
    any more, by the time that it is started. `topic` is notified of new ones. The lease is held for as long as each of
    them takes.
    """
    held: Callable[[], AbstractAsyncContextManager[None]] = nullcontext if lease is None else lease.during

    async def one(due: int, key: Key) -> None:
        async with held():
            await do(due, key)

    async with watching(block, topic) as changed, asyncio.TaskGroup() as group:
        works, look = KeyedTasks(block, changed, at_once), at_once
        while True:
            changed.clear()
            async with duty_cycle(_SHARE) if look > at_once else nullcontext():
                count = look + len(works)
                waiting = await block.store.transact(lambda tx: listed(tx, count))  # noqa: B023
                now = block.clock.now() * 1000
                later, passed = None, False
                for due, key, account in waiting:
                    if key in works:
                        continue
                    if due > now or works.free_slots <= 0:
                        later = due
                        break
                    if works.has_reached_quota(account):
                        passed = True
                        continue
                    if lease is not None:
                        await lease.hold()
                    works.start(group, key, f"{what} {key}", partial(one, due, key), account=account)
            if not passed:
                look = at_once
            elif later is None and len(waiting) >= count and look < _LOOKED_AT:
                # Those of others may be behind.
                look = min(2 * look, _LOOKED_AT)
                continue
            if later is None or later <= now:
                await changed.wait()
            else:
                await wait_until(block, changed, later / 1000)


def _refused_by_store(error: Exception) -> str | None:
    """Return what the store said, where that is all that an error tells of."""
    if isinstance(error, ExceptionGroup):
        return _refused_by_store(error.exceptions[0]) if error.split(StoreError)[1] is None else None
    return str(error) if isinstance(error, StoreError) else None
