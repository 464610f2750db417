"""Live Tail: events as they come. API reference, "StartLiveTail"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.logs import arrivals, encryption, errors, events, filtering, protection
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.events import Place
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.matching import matching
from cloudlet.services.logs.patterns import Pattern
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.row_record import StoredRow

MOST_EVENTS, MOST_BYTES = 500, 4 * 1_048_576
"""Of one update."""
_SESSION_SECONDS = 3 * 3600
_UPDATE_SECONDS = 1.0
_GATHERED_SECONDS = 0.1
_KEPT_OPEN_MILLIS = 10 * 60_000
_OVERLAP_MILLIS = 2_000
"""Who came later may have been noted with an earlier time, by so much."""
_ROWS = 200


async def start_live_tail(ctx: Context, params: Params) -> Result:
    """Answer StartLiveTail: what comes after it has answered is told."""
    names, prefixes = params.get("logStreamNames"), params.get("logStreamNamePrefixes")
    identifiers = params["logGroupIdentifiers"]
    if names is not None and prefixes is not None:
        raise errors.invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive parameters.")
    if (names is not None or prefixes is not None) and len(identifiers) > 1:
        raise errors.invalid("Log streams can be specified for one log group only.")
    if any(one.endswith("*") for one in identifiers):
        raise errors.invalid("The ARN of a log group must not end with an asterisk.")
    pattern = filtering.pattern_of(params.get("logEventFilterPattern", ""))

    async def find(tx: Transaction) -> list[Group]:
        found = [await groups.named(ctx, tx, groups.name_of(ctx, one)) for one in dict.fromkeys(identifiers)]
        for group in found:
            _open(tx, group, ctx.now())
        return found

    found = await ctx.transact(find)
    tails = [_Tail(ctx.block, group, int(ctx.now() * 1000), names, prefixes, pattern) for group in found]
    started = {
        "requestId": ctx.request_id,
        "sessionId": uuid4(),
        "logGroupIdentifiers": identifiers,
        "logStreamNames": names or [],
        "logStreamNamePrefixes": prefixes or [],
        "logEventFilterPattern": params.get("logEventFilterPattern", ""),
    }
    return {"responseStream": _events(ctx.block, started, tails)}


def _open(tx: Transaction, group: Group, now: float) -> None:
    """Have arrivals in a group noted for some minutes."""
    group.tailed_until = int(now * 1000) + _KEPT_OPEN_MILLIS
    groups.save(tx, group)


async def _events(block: Block, started: dict[str, Any], tails: list[_Tail]) -> AsyncIterator[dict[str, Any]]:
    begun = opened = block.clock.now()
    changed = asyncio.Event()
    with ExitStack() as watching:
        for tail in tails:
            watching.callback(block.store.watch(arrivals.topic(tail.group.id), changed.set))
        yield {"sessionStart": started}
        while block.clock.now() - begun < _SESSION_SECONDS:
            if (block.clock.now() - opened) * 1000 > _KEPT_OPEN_MILLIS / 2:
                opened = block.clock.now()
                for tail in tails:
                    await tail.keep_open()
            update = _Update()
            for tail in tails:
                await tail.read(update)
            yield update.shown()
            try:
                # An update is due each second; where there is something, it comes soon.
                await asyncio.wait_for(changed.wait(), _UPDATE_SECONDS)
                await asyncio.sleep(_GATHERED_SECONDS)
            except TimeoutError:
                continue
            finally:
                changed.clear()
        raise AwsError("SessionTimeoutException", "The session has lasted for three hours, and ends.")


class _Update:
    """What is told at once."""

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] = []
        self._bytes = 0
        self._sampled = False

    def add(self, event: dict[str, Any]) -> None:
        if len(self._found) >= MOST_EVENTS or self._bytes > MOST_BYTES:
            self._sampled = True
        else:
            self._found.append(event)
            self._bytes += len(event["message"])

    def shown(self) -> dict[str, Any]:
        found = sorted(self._found, key=lambda event: event["timestamp"])
        return {"sessionUpdate": {"sessionMetadata": {"sampled": self._sampled}, "sessionResults": found}}


class _Tail:
    """One group in a session, and what of it has been told."""

    def __init__(
        self,
        block: Block,
        group: Group,
        since: int,
        names: Sequence[str] | None,
        prefixes: Sequence[str] | None,
        pattern: Pattern | None,
    ) -> None:
        self.group = group
        self._block = block
        self._begun = self._latest = since
        self._names = names
        self._prefixes = prefixes
        self._pattern = pattern
        self._told: dict[Place, int] = {}

    async def keep_open(self) -> None:
        async def body(tx: Transaction) -> None:
            group = await groups.find(tx, self.group.account, self.group.region, self.group.name)
            if group is not None and group.id == self.group.id:
                _open(tx, group, self._block.clock.now())

        await self._block.store.transact(body)

    async def read(self, update: _Update) -> None:
        """Add what has come to an update."""
        begin = max(self._begun, self._latest - _OVERLAP_MILLIS)
        self._told = {place: ingested for place, ingested in self._told.items() if ingested >= begin}
        after = b""
        while True:

            async def some(tx: Transaction, after: bytes = after) -> list[tuple[bytes, arrivals.Arrival]]:
                return await arrivals.since(tx, self.group.id, begin, after, _ROWS)

            found = await self._block.store.transact(some)
            for after, (ingested, place) in found:  # noqa: B007 - the last one is where it goes on
                if place not in self._told:
                    self._told[place] = ingested
                    self._latest = max(self._latest, ingested)
                    await self._add(update, place)
            if len(found) < _ROWS:
                return

    async def _add(self, update: _Update, place: Place) -> None:
        group = self.group

        async def look(tx: Transaction) -> tuple[StoredRow | None, str | None, Mask]:
            mask = await protection.mask_of(tx, group.id, group.account, group.region)
            row = await events.of_place(tx, group.id, place)
            return row, await streams.name_of(tx, group.id, place.stream), mask

        stored, name, mask = await self._block.store.transact(look)
        if stored is None or name is None or not self._is_wanted(name):
            return
        row = await mask.of_row(await encryption.open_row(self._block, group.id, stored))
        for at in await matching(group.account, self._pattern, row.messages):
            update.add(
                {
                    "logGroupIdentifier": f"{group.account}:{group.name}",
                    "logStreamName": name,
                    "timestamp": row.timestamps[at],
                    "message": row.messages[at],
                    "ingestionTime": row.ingested,
                }
            )

    def _is_wanted(self, name: str) -> bool:
        if self._names is not None:
            return name in self._names
        return self._prefixes is None or name.startswith(tuple(self._prefixes))
