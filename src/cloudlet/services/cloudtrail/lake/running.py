"""The job that executes queries, a few at a time; those that a crash cut short it executes again."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.host.temporary_folder import TemporaryFolder
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.timing import watching
from cloudlet.services.cloudtrail.lake import delivery, events, queries, statement, stores
from cloudlet.services.cloudtrail.lake.execution import Execution, Failed
from cloudlet.services.cloudtrail.lake.queries import Delivery, Place, Query, Row
from cloudlet.services.cloudtrail.lake.stores import EventDataStore
from cloudlet.services.cloudtrail.lake.time_range import TimeRange
from cloudlet.store import StoreError

log = logging.getLogger("cloudlet.cloudtrail")

_AT_ONCE = 3
_OF_AN_ACCOUNT = 2
_LISTED = 500
_LOOK_SECONDS = 0.5
"""How often a query that takes long is looked at: whether it was cancelled, or takes too long."""
_LONGEST_SECONDS = 600.0
_MOST_ROWS = 100_000
_LARGEST_RESULT = 256 << 20
"""Of the text of its values."""
_LONGEST_ERROR = 1000
# Others may have this data folder, too, where the block's rows are in a PostgreSQL.
_FOLDER = PerBlock(lambda block: TemporaryFolder(block.cloud.config.data / "work" / block.service.name))


class _Stopped(Exception):
    """The query is not wanted any more, or takes too long."""


async def run(block: Block, lease: Lease) -> None:
    """Execute queries as they come, until the block ends."""
    # With it goes what a process has left behind that was killed.
    _FOLDER.get(block)
    places = FairSemaphore(_AT_ONCE, _OF_AN_ACCOUNT)

    async def one(place: Place) -> None:
        async with places.hold(place[0]):
            await lease.hold()
            query = await block.store.transact(lambda tx: queries.at(tx, place))
            if query is not None:
                await _Run(block, lease, query).run()

    async with watching(block, queries.TOPIC) as changed, asyncio.TaskGroup() as group:
        works = KeyedTasks(block, changed)
        while True:
            changed.clear()
            for place in await block.store.transact(lambda tx: queries.pending(tx, _LISTED + len(works))):
                works.start(group, place, f"the query {place}", partial(one, place))
            await changed.wait()


class _Run:
    """One query under way."""

    def __init__(self, block: Block, lease: Lease, query: Query) -> None:
        self._block = block
        self._lease = lease
        self._query = query
        self._started = asyncio.get_running_loop().time()
        self._scanned = 0
        self._bytes = 0
        self._rows = 0
        self._result_size = 0
        self._delivery: Delivery = "PENDING"

    async def run(self) -> None:
        """Execute it, and keep its result or why it has none."""
        if not await self._note(status="RUNNING"):
            return
        await self._block.store.transact(self._clear)
        status: queries.Status = "FAILED"
        error = ""
        work = asyncio.ensure_future(self._execute())
        try:
            while not (await asyncio.wait({work}, timeout=_LOOK_SECONDS))[0]:
                await self._look()
                await self._lease.hold()
            work.result()
            status = "FINISHED"
        except (Failed, AwsError) as failed:
            error = str(failed)[:_LONGEST_ERROR]
        except _Stopped:
            status, error = "TIMED_OUT", "The query took too long."
        except StoreError:
            # It is executed again once the store is there.
            raise
        except Exception:
            log.exception("the query %s failed", self._query.id)
            error = "The query failed because of an internal error."
        finally:
            work.cancel()
            await asyncio.wait({work})
        await self._end(status, error)

    async def _clear(self, tx: Transaction) -> None:
        queries.clear_rows(tx, self._query)

    async def _execute(self) -> None:
        parsed = await run_in_worker(self._query.account, statement.parse, self._query.text, self._block.clock.now())
        execution = await Execution.start(parsed, _FOLDER.get(self._block).path)
        try:
            for identity in parsed.stores:
                await self._load(execution, identity, parsed.times)
            names = await execution.begin()
            while rows := await execution.rows():
                await self._keep(rows)
        except asyncio.CancelledError:
            execution.kill()
            raise
        finally:
            await execution.end()
        if self._query.delivery_uri:
            self._delivery = await delivery.deliver(self._block, self._query, names, self._rows)

    async def _keep(self, rows: list[Row]) -> None:
        """Keep rows of the result. Raises Failed where it becomes too large."""
        self._result_size += sum(len(value) for row in rows for _, value in row)
        if self._rows + len(rows) > _MOST_ROWS or self._result_size > _LARGEST_RESULT:
            raise Failed(f"The result has more than {_MOST_ROWS} rows, or 256 MiB: use LIMIT, or ask for less.")

        async def body(tx: Transaction) -> None:
            queries.add_rows(tx, self._query, self._rows, rows)

        await self._block.store.transact(body)
        self._rows += len(rows)

    async def _load(self, execution: Execution, identity: str, times: TimeRange) -> None:
        """Give the execution all events of a store in a range of time."""
        place = b""
        while True:

            async def page(tx: Transaction, place: bytes = place) -> events.Page:
                store = await self._store(tx, identity)
                return await events.after(tx, store, times, place, self._block.clock.now())

            found = await self._block.store.transact(page)
            if found.texts:
                await execution.load(identity, found.texts)
            self._scanned += len(found.texts)
            self._bytes += sum(map(len, found.texts))
            place = found.last
            if not place:
                return

    async def _store(self, tx: Transaction, identity: str) -> EventDataStore:
        for each in await stores.of_account(tx, self._query.account):
            if each.id == identity and each.deleted is None:
                return each
        raise Failed(f"The event data store {identity} is not there any more.")

    async def _look(self) -> None:
        """Raise _Stopped where the query was cancelled, or takes too long."""
        now = await self._block.store.transact(lambda tx: queries.again(tx, self._query))
        took = asyncio.get_running_loop().time() - self._started
        if now is None or not now.is_active or took > _LONGEST_SECONDS:
            raise _Stopped

    async def _end(self, status: queries.Status, error: str) -> None:
        took = asyncio.get_running_loop().time() - self._started
        done = {"scanned": self._scanned, "bytes": self._bytes, "matched": self._rows, "took": took}
        if status != "FINISHED":
            self._delivery = "CANCELLED"
        if not await self._note(status=status, error=error, delivery=self._delivery, **done) or status != "FINISHED":
            await self._block.store.transact(self._clear)

    async def _note(self, **changes: object) -> bool:
        """Change what is kept of the query, unless it was cancelled; return whether it was not."""

        async def body(tx: Transaction) -> bool:
            now = await queries.again(tx, self._query)
            if now is None or not now.is_active:
                return False
            queries.save(tx, msgspec.structs.replace(now, **changes))
            return True

        return await self._block.store.transact(body)
