"""Events are given to their functions, one after the other or many at once, until each has been served or given up.

Developer guide, "How Lambda handles errors and retries with asynchronous invocation": what a function fails with is
tried again twice, after a minute and after two; what it cannot be given, for six hours, at intervals that grow from one
second to five minutes. Where it runs as often as is reserved for it, the next one gets it as soon as one has ended.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.fair_semaphore import decrement
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import compute_back_off, is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import duty_cycle, watching
from cloudlet.core.kernel.timing import wait_until as first_of
from cloudlet.services.lambda_ import invoking, measuring, tracing
from cloudlet.services.lambda_.asynchronous import event as events
from cloudlet.services.lambda_.asynchronous import records
from cloudlet.services.lambda_.asynchronous.event import Event, InvocationRecord
from cloudlet.services.lambda_.execution.engine import ENGINE
from cloudlet.services.lambda_.execution.invocation import Invocation, Outcome
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.directory import Resolved
from cloudlet.services.lambda_.functions.event_invoke import EVENT_INVOKE, EventInvoke
from cloudlet.services.lambda_.functions.function import LATEST, Place
from cloudlet.services.lambda_.invoking import Target

log = logging.getLogger("cloudlet.lambda")

AT_ONCE = 200
"""Beside functions that take long, which may do so for a quarter of an hour."""
OF_ONE_FUNCTION = 100
"""So many at once, that one function does not keep those of others waiting."""
OF_ONE_ACCOUNT = 150
"""So many at once that have not taken long yet, of all of its functions."""
_QUICK_SECONDS = 1.0
_PAGE = 200
_LOOKED_AT = 20_000
"""So many of what is due are looked at for some that there is room for."""
_SHARE = 4
"""Looking at them after each change takes no more than a quarter of the time."""
_ATTEMPTS = 2
_AGE_SECONDS = 6 * 3600
_PAUSES_SECONDS = (60.0, 120.0)
_LONGEST_REFUSED_SECONDS = 300.0
_FULL_SECONDS = 5.0
"""The time after which a full function is tried again: other processes run it, too."""
_LIMIT_SECONDS = 60.0
_LIMITS = 10_000
_LONGEST_LETTER_SECONDS = 5.0
"""Between attempts to tell a destination that does not answer."""
_FOREVER_SECONDS = 3600.0


async def run(block: Block) -> None:
    """Give events to functions until the block ends."""
    async with (
        Lease(block, "events") as lease,
        watching(block, events.TOPIC) as changed,
        asyncio.TaskGroup() as group,
    ):
        serving = _Serving(block, lease, KeyedTasks(block, changed, AT_ONCE), group, changed)
        ENGINE.get(block).concurrency.on_freed = serving.freed
        while True:
            changed.clear()
            async with duty_cycle(_SHARE):
                due = await serving.start_due()
            await first_of(block, changed, due)


class _Serving:
    """What this process gives to functions."""

    def __init__(
        self, block: Block, lease: Lease, works: KeyedTasks, group: asyncio.TaskGroup, changed: asyncio.Event
    ) -> None:
        """`changed` is set when there is room again."""
        self._block = block
        self._changed = changed
        self._lease = lease
        self._works = works
        self._group = group
        self._busy: Counter[Place] = Counter()
        self._quick: Counter[str] = Counter()
        """Account → of what it has, that has not taken long yet."""
        self._full: dict[Place, float] = {}
        """Functions that run as often as they may → when one of their events looks again, whether there is room."""
        self._limits: dict[Place, tuple[int, float]] = {}
        """Such functions → how often they may run, and until when that is believed."""

    def freed(self, place: Place) -> None:
        """Note that an invocation of a function has ended."""
        if self._full.pop(place, None) is not None:
            self._changed.set()

    def _has_room(self, place: Place, now: float) -> bool:
        """Whether an event may be given to a function, or is to see whether that has room."""
        limit, until = self._limits.get(place, (OF_ONE_FUNCTION, math.inf))
        if now >= until:
            del self._limits[place]
            limit = OF_ONE_FUNCTION
        if self._busy[place] >= OF_ONE_FUNCTION:
            return False
        if self._busy[place] >= limit:
            self._full.setdefault(place, now + _FULL_SECONDS)
        looks_at = self._full.get(place)
        if looks_at is None or looks_at > now:
            return looks_at is None
        # One that waits may have become too old, however long others run.
        del self._full[place]
        return True

    def _note_full(self, place: Place, full: _Full) -> None:
        now = self._block.clock.now()
        if len(self._limits) >= _LIMITS:
            self._limits.clear()
        self._limits[place] = (max(1, full.reserved), now + _LIMIT_SECONDS)
        # Where something has ended since, there may be room already.
        if ENGINE.get(self._block).concurrency.ended == full.ended:
            self._full[place] = min(now + _FULL_SECONDS, full.until)

    async def start_due(self) -> float:
        """Start what is due, as far as there is room; return when something is due next."""
        now = self._block.clock.now()
        async for event in self._first():
            if event.due > now:
                return self._next(event.due, now)
            if self._works.free_slots <= 0:
                break
            if event.key in self._works or not self._has_room(event.place, now):
                continue
            if self._quick[event.place.account] >= OF_ONE_ACCOUNT:
                continue
            await self._lease.hold()
            self._busy[event.place] += 1
            self._quick[event.place.account] += 1
            self._works.start(self._group, event.key, f"an event for {event.place.arn}", partial(self._see_to, event))
        return self._next(now + _FOREVER_SECONDS, now)

    def _next(self, due: float, now: float) -> float:
        """Return when there is something to do next: what is due then, or what waits for room."""
        if len(self._full) >= _LIMITS:
            self._full.clear()
        return min([due, *(looks_at for looks_at in self._full.values() if looks_at > now)])

    async def _first(self) -> AsyncIterator[Event]:
        """Give the events that are due first."""
        after = b""
        for _ in range((_LOOKED_AT + len(self._works)) // _PAGE):
            rows = await self._block.store.transact(lambda tx, after=after: events.first(tx, _PAGE, after))  # type: ignore[misc]
            for event in self._works.decode_rows(rows, "the event", events.decode).values():
                yield event
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    async def _see_to(self, event: Event) -> None:
        leaving = ExitStack()
        leaving.callback(self._changed.set)
        leaving.callback(decrement, self._quick, event.place.account)
        late = asyncio.get_running_loop().call_later(_QUICK_SECONDS, leaving.close)
        try:
            async with self._lease.during():
                await _see_to(self._block, event)
        except _Full as full:
            self._note_full(event.place, full)
        else:
            self._full.pop(event.place, None)
        finally:
            late.cancel()
            leaving.close()
            decrement(self._busy, event.place)


class _Gone(Exception):
    """An event was served after it had been read: by another process, or while this one waited for its lease."""


class _Full(Exception):
    """A function runs as often as is reserved for it; its event waits, until `until` at most."""

    def __init__(self, reserved: int, until: float, ended: int) -> None:
        """`ended` is how many invocations had ended then."""
        super().__init__()
        self.reserved = reserved
        self.ended = ended
        self.until = until


class _Found:
    """What an event is for, as it is now."""

    def __init__(self, target: Target, setting: EventInvoke | None, event: Event, dead_letter: str) -> None:
        self.target = target
        self.dead_letter = dead_letter
        """The queue or topic of `$LATEST`, which is that of its versions, too."""
        self.event = event
        """With its payload."""
        self.age = _AGE_SECONDS if setting is None or setting.age is None else setting.age
        self.attempts = _ATTEMPTS if setting is None or setting.attempts is None else setting.attempts
        self.on_success = "" if setting is None else setting.on_success
        self.on_failure = "" if setting is None else setting.on_failure


async def _find(tx: Transaction, event: Event) -> _Found | None:
    """Raises _Gone."""
    if await tx.get(event.key) is None:
        raise _Gone
    try:
        target = await invoking.target_of(tx, event.what)
    except AwsError:
        return None
    setting = await EVENT_INVOKE.find(tx, event.place, event.qualifier or LATEST)
    dead_letter = (await directory.latest(tx, event.place)).dead_letter
    return _Found(target, setting, await events.whole(tx, event), dead_letter)


async def _see_to(block: Block, event: Event) -> None:
    """Serve an event; whatever goes wrong, it is kept, and does not come again at once."""
    try:
        await _serve(block, event)
    except _Gone:
        return
    except _Full:
        raise
    except Exception:
        log.exception("an event for %s could not be served", event.place.arn)
        await _postpone(block, event)


async def _postpone(block: Block, event: Event, latest: float = math.inf) -> None:
    """Have an event that could not be given to its function come again, the later the more often that happens.

    `latest` is when it is given up.
    """
    refusals = event.refusals + 1
    due = min(block.clock.now() + compute_back_off(refusals, longest=_LONGEST_REFUSED_SECONDS), latest)
    await _replace(block, event, replace(event, due=due, refusals=refusals))


async def _serve(block: Block, event: Event) -> None:
    """Give an event to its function, and see to what becomes of it."""
    found = await block.store.transact(lambda tx: _find(tx, event))
    now = block.clock.now()
    if event.is_served:
        letters = await block.store.transact(lambda tx: events.letters_of(tx, event))
        await _tell(block, event, letters, None if found is None else found.target.resolved)
        return
    if found is None:
        log.info("an event for %s was dropped: there is no such function any more", event.place.arn)
        await _replace(block, event, None)
        return
    event = found.event
    if now >= event.accepted + found.age:
        await _give_up(block, event, found, "EventAgeExceeded", None)
        return
    if found.target.function.reserved_concurrency == 0:
        await _give_up(block, event, found, "ZeroReservedConcurrency", None)
        return
    invocation = _invocation(event)
    try:
        outcome = await invoking.run(block, found.target, invocation)
    except AwsError as error:
        if error.code == "RecursiveInvocationException":
            await _stop(block, event, found, invocation)
            return
        reserved = found.target.function.reserved_concurrency
        if error.code == "TooManyRequestsException" and reserved is not None:
            raise _Full(reserved, event.accepted + found.age, ENGINE.get(block).concurrency.ended) from error
        await _postpone(block, event, event.accepted + found.age)
        return
    # What is told of it goes on with the chain that the function is a part of now.
    passed = replace(event, trace=invocation.trace)
    if not outcome.error:
        letters = []
        if found.on_success:
            text = records.record(event, "Success", outcome, _executed(found), block.clock.now())
            letters.append(records.letter(block, passed, _role(found), found.on_success, text, succeeded=True))
        await _tell(block, passed, letters, found.target.resolved)
        return
    attempts = event.attempts + 1
    if attempts > found.attempts:
        await _give_up(block, replace(passed, attempts=attempts), found, "RetriesExhausted", outcome)
        return
    wait = _PAUSES_SECONDS[min(attempts, len(_PAUSES_SECONDS)) - 1]
    await _replace(block, event, replace(event, attempts=attempts, refusals=0, due=block.clock.now() + wait))


async def _stop(block: Block, event: Event, found: _Found, invocation: Invocation) -> None:
    """Give up an event that the function has caused itself, over and over; it is told of once."""
    if tracing.was_stopped(event.trace, found.target.resolved.version):
        # What is told of such an event has caused this one.
        measuring.dropped(block, found.target.resolved)
        await _replace(block, event, None)
        return
    await _give_up(block, replace(event, trace=invocation.trace), found, "RecursiveInvocation", None)


def _invocation(event: Event) -> Invocation:
    context: dict[str, Any] | None = msgspec.json.decode(event.client_context) if event.client_context else None
    return Invocation(event.request_id, event.payload, event.what.arn, context, event.trace)


def _executed(found: _Found) -> str:
    return found.target.resolved.version.version


def _role(found: _Found) -> str:
    return found.target.resolved.version.role


async def _give_up(block: Block, event: Event, found: _Found, condition: str, outcome: Outcome | None) -> None:
    """Tell the destination for failures and the dead-letter queue, and forget the event."""
    resolved, role = found.target.resolved, _role(found)
    measuring.dropped(block, resolved)
    letters = []
    if found.on_failure:
        text = records.record(event, condition, outcome, _executed(found), block.clock.now())
        letters.append(records.letter(block, event, role, found.on_failure, text, succeeded=False))
    if found.dead_letter:
        letters.append(records.dead_letter(block, event, role, found.dead_letter, outcome))
    await _tell(block, event, letters, resolved)


async def _tell(block: Block, event: Event, letters: list[InvocationRecord], resolved: Resolved | None) -> None:
    """Deliver letters, and forget their event; those for a block that is down come again, with it."""
    left = [letter for letter in letters if not await _is_settled(block, event, letter, resolved)]
    if not left:
        await _replace(block, event, None)
        return
    refusals = event.refusals + 1 if event.is_served else 1
    later = replace(
        event, refusals=refusals, due=block.clock.now() + compute_back_off(refusals, longest=_LONGEST_LETTER_SECONDS)
    )

    async def keep(tx: Transaction) -> None:
        tx.delete(event.key)
        events.put_served(tx, later, left)

    await block.store.transact(keep)


async def _is_settled(block: Block, event: Event, letter: InvocationRecord, resolved: Resolved | None) -> bool:
    """Deliver a letter; return whether that is done with, since it was taken, or refused for good."""
    try:
        await records.deliver(block, event, letter)
    except AwsError as error:
        if is_transient(error.code, error.status):
            return False
        log.warning("%s: its destination refuses what became of an event: %s", event.place.arn, error)
        if resolved is not None:
            (measuring.no_letter if letter.is_dead else measuring.undelivered)(block, resolved)
    return True


async def _replace(block: Block, event: Event, by: Event | None) -> None:
    """Forget an event, or have it come again."""

    async def body(tx: Transaction) -> None:
        if by is None:
            events.forget(tx, event)
        else:
            tx.delete(event.key)
            events.put(tx, by)

    await block.store.transact(body)
