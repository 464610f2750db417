"""Runs the queries that wait, the oldest first: two at a time of an account.

A query that a crash has interrupted is run again. Events are read from the store by the event loop, a few rows at a
time; all else happens in threads, in turns.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import wait_until, watching
from cloudlet.services.logs import encryption, events, lookup_table, protection, row_record
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.insights import parsing, planning, pointers, queries, regexes, times
from cloudlet.services.logs.insights.gathering import Feed
from cloudlet.services.logs.insights.lookups import Wanted
from cloudlet.services.logs.insights.planning import Plan
from cloudlet.services.logs.insights.pointers import Pointer
from cloudlet.services.logs.insights.problems import Unanswerable
from cloudlet.services.logs.insights.queries import Place, Query, Record, Searched
from cloudlet.services.logs.insights.session import Fed, Result, Session
from cloudlet.services.logs.insights.turns import MOST_BEGUN, Turns, in_thread
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.row_record import Row

log = logging.getLogger("cloudlet.logs")

_OF_ACCOUNT = 2
_LOOKED_AT = 1000
_Compute = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs what a query computes."""
_LONGEST_SECONDS = 3600
_TIDY_SECONDS = 3600.0
_FORGOTTEN = 50
_ROWS_AT_ONCE = 32
_READ_BYTES = 1024 * 1024
_FED_ROWS, _FED_BYTES = 4096, 4 * 1024 * 1024
_HEAVY_ITEMS, _HEAVY_FED_BYTES = 100, 512 * 1024
"""A query with a larger regular expression is fed less at once: only between that can it be stopped."""
_MOST_RESULT_BYTES = 1024 * 1024 * 1024
_PREFIX = "insights-"


async def run(block: Block, lease: Lease) -> None:
    """Run queries, for ever."""
    folder = block.cloud.config.data / "blocks" / block.service.name
    await lease.hold()
    await in_thread(lambda: _clear(folder))
    async with watching(block, queries.TOPIC) as changed, asyncio.TaskGroup() as group:
        works, turns = KeyedTasks(block, changed), Turns()
        while True:
            changed.clear()
            await lease.hold()
            while await block.store.transact(lambda tx: queries.forget(tx, _millis(block), _FORGOTTEN)):
                await asyncio.sleep(0)
            after: Place | None = None
            while some := await block.store.transact(lambda tx, after=after: queries.waiting(tx, after, _LOOKED_AT)):  # type: ignore[misc]
                for place in some:
                    if _may_run(place, works):
                        run = partial(_see_through, block, lease, turns, place, folder)
                        works.start(group, place, f"the query {place}", run)
                after = some[-1]
            await wait_until(block, changed, block.clock.now() + _TIDY_SECONDS)


def _may_run(place: Place, works: KeyedTasks) -> bool:
    running = [one for one in works.running if isinstance(one, Place)]
    of_account = sum(one.account == place.account for one in running)
    return len(running) < MOST_BEGUN and of_account < _OF_ACCOUNT


def _millis(block: Block) -> int:
    return int(block.clock.now() * 1000)


async def _see_through(block: Block, lease: Lease, turns: Turns, place: Place, folder: Path) -> None:
    """Run a query to its end, or until it is stopped or has taken too long."""
    async with lease.during():
        query = await _begin(block, place)
        if query is not None:
            await _run_to_end(block, turns, query, folder)


async def _run_to_end(block: Block, turns: Turns, query: Query, folder: Path) -> None:
    async with watching(block, queries.topic(query.id)) as stopped:
        try:
            await _in_time(block, _answer(block, turns, query, folder), stopped, _LONGEST_SECONDS)
        except TimeoutError:
            await _end(block, query, queries.TIMEOUT)
        except Unanswerable as reason:
            log.warning("the query %s failed: %s", query.id, reason)
            await _end(block, query, queries.FAILED)
        except Exception:
            log.exception("the query %s failed", query.id)
            await _end(block, query, queries.FAILED)


async def _in_time(block: Block, work: Coroutine[None, None, None], stopped: asyncio.Event, seconds: int) -> None:
    """Do work, unless that is stopped or takes more seconds. Raises TimeoutError then, and what the work raises."""
    task = asyncio.create_task(work)
    limit = asyncio.create_task(wait_until(block, stopped, block.clock.now() + seconds))
    try:
        await asyncio.wait({task, limit}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        limit.cancel()
        is_done = task.done()
        task.cancel()
        await asyncio.gather(task, limit, return_exceptions=True)
    if not is_done:
        raise TimeoutError
    task.result()


async def _begin(block: Block, place: Place) -> Query | None:
    """Note that a query runs; return None where it has ended meanwhile."""

    async def body(tx: Transaction) -> Query | None:
        query = await queries.find(tx, place.account, place.region, place.id, _millis(block))
        if query is None or not query.is_active:
            return None
        query.status = queries.RUNNING
        queries.remove_records(tx, query)
        queries.save(tx, query)
        return query

    return await block.store.transact(body)


async def _end(block: Block, query: Query, status: str) -> None:
    """Note how a query has ended, unless somebody has stopped it."""

    async def body(tx: Transaction) -> None:
        now = _millis(block)
        current = await queries.find(tx, query.account, query.region, query.id, now)
        if current is not None and current.is_active:
            queries.end(tx, query, status, now)

    await block.store.transact(body)


async def _answer(block: Block, turns: Turns, query: Query, folder: Path) -> None:
    compute = partial(turns.run, query.account)
    with TemporaryDirectory(prefix=_PREFIX, dir=folder if folder.is_dir() else None) as spilled:
        plan, is_heavy = await compute(lambda: _planned(query))
        fed_bytes = _HEAVY_FED_BYTES if is_heavy else _FED_BYTES
        session = await compute(lambda: Session(plan, Path(spilled)))
        sides = iter(query.sides)
        try:
            for wanted in plan.lookups:
                text = await _looked_up(block, query, wanted)
                await compute(lambda wanted=wanted, text=text: session.load(wanted, wanted.rows(text)))  # type: ignore[misc]
            for feed in plan.feeds:
                searched = next(sides) if feed.source else query.groups
                work = _feed(block, compute, query, feed, searched, session, fed_bytes)
                if feed.seconds is None:
                    await work
                else:
                    await _in_time(block, work, asyncio.Event(), feed.seconds)
            query.scanned, query.bytes, query.matched = session.counts
            await _keep(block, compute, query, session, plan.names)
        finally:
            session.interrupt()
            await asyncio.shield(in_thread(session.close))
    await _end(block, query, queries.COMPLETE)


def _planned(query: Query) -> tuple[Plan, bool]:
    """Return the plan of a query, and whether it looks long at each character."""
    read = parsing.parse(query.text)
    is_heavy = any(regexes.items_in(pattern.text) > _HEAVY_ITEMS for pattern in read.regexes)
    return planning.plan(read, query.limit, query.asked), is_heavy


async def _looked_up(block: Block, query: Query, wanted: Wanted) -> str:
    """Return the content of a lookup table, as it is by now. Raises Unanswerable."""

    async def body(tx: Transaction) -> str:
        table = await lookup_table.find(tx, query.account, query.region, wanted.name)
        if table is None:
            raise Unanswerable(f"there is no lookup table {wanted.name} any more")
        return await lookup_table.text_of(tx, table)

    return await block.store.transact(body)


async def _feed(
    block: Block,
    compute: _Compute,
    query: Query,
    feed: Feed,
    searched: Sequence[Searched],
    session: Session,
    fed_bytes: int,
) -> None:
    """Have the session look at all events of a feed; while it does so, the next ones are read."""
    looking: asyncio.Future[None] | None = None
    await compute(partial(session.begin, feed))
    try:
        async for rows in _batches(block, query, searched, times.of(query.start, query.end, feed.before), fed_bytes):
            if looking is not None:
                await looking
                if session.has_enough:
                    break
            looking = asyncio.ensure_future(compute(partial(session.feed, rows)))
        if looking is not None:
            await looking
    finally:
        if looking is not None and not looking.done():
            session.interrupt()
    await compute(session.end)


async def _batches(
    block: Block, query: Query, searched: Sequence[Searched], time: tuple[int, int], most_bytes: int
) -> AsyncIterator[list[Fed]]:
    """Yield rows with the events of log groups that a query is about and of a time, so many bytes at a time."""
    batch: list[Fed] = []
    size = 0
    for number, one in enumerate(searched):
        async for rows, read in _rows(block, query, number, one, time):
            batch += rows
            size += read
            if size > most_bytes or len(batch) > _FED_ROWS:
                yield batch
                batch, size = [], 0
            await asyncio.sleep(0)
    if batch:
        yield batch


async def _rows(
    block: Block, query: Query, number: int, searched: Searched, time: tuple[int, int]
) -> AsyncIterator[tuple[list[Fed], int]]:
    """Yield the rows of a group, which has a number among those of the query, and how many bytes were read for them."""

    async def find(tx: Transaction) -> tuple[Group | None, Mask]:
        group = await groups.find(tx, query.account, query.region, searched.name)
        return group, await protection.mask_of(tx, searched.id, query.account, query.region)

    group, mask = await block.store.transact(find)
    if group is None or group.id != searched.id:
        return
    label, horizon = f"{group.account}:{group.name}", group.horizon(block.clock.now())
    names: dict[int, str | None] = {}
    low, high = events.bounds(group.id, None, max(time[0], horizon), time[1])
    count = _ROWS_AT_ONCE

    async def read(tx: Transaction) -> list[tuple[bytes, events.Place, bytes]]:
        found = await events.between(tx, searched.id, None, low, high, count, reverse=False)
        for _, place, _ in found:
            if place.stream not in names:
                names[place.stream] = await streams.name_of(tx, searched.id, place.stream)
        return found

    while low < high and (found := await block.store.transact(read)):
        rows = []
        for _, place, raw in found:
            # The events of a stream that is gone are not shown, though they may be there for a while.
            if (name := names[place.stream]) is not None:
                row: bytes | Row = raw
                unmasked = None
                if mask or row_record.is_sealed(raw):
                    row = unmasked = await encryption.open_row(block, searched.id, row_record.decode(raw))
                if mask and unmasked is not None:
                    row = await mask.of_row(unmasked)
                rows.append(Fed(number, label, name, place, row, horizon, unmasked))
        size = sum(len(raw) for _, _, raw in found)
        yield rows, size
        low = found[-1][0] + b"\x00"
        # Of large rows fewer are read at once: others wait meanwhile.
        count = max(1, min(_ROWS_AT_ONCE, _READ_BYTES * len(found) // size))


async def _keep(block: Block, compute: _Compute, query: Query, session: Session, names: tuple[str, ...]) -> None:
    """Store what is found."""
    query.names, query.found = list(names), 0
    size = 0
    await compute(session.answer)
    while some := await compute(session.results):
        records = [Record(list(one.values), _pointer(query, one)) for one in some]

        async def put(tx: Transaction, records: list[Record] = records) -> None:
            queries.put_records(tx, query, query.found, records)

        size += sum(len(value) for record in records for value in record.values if value is not None)
        if size > _MOST_RESULT_BYTES:
            raise Unanswerable("its results are too large")
        await block.store.transact(put)
        query.found += len(records)


def _pointer(query: Query, result: Result) -> str | None:
    if result.group is None or result.position is None:
        return None
    searched = query.groups[result.group]
    return pointers.written(Pointer(searched.name, searched.id, result.position.id))


def _clear(folder: Path) -> None:
    """Remove what queries have left behind that a crash has interrupted."""
    for left in folder.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            shutil.rmtree(left)
