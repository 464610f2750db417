"""Delivers what subscription filters find in new events, at least once, and tries again for a day.

User guide, "Real-time processing of log data with subscriptions". What waits is on disk, by filters; each filter with
something to deliver has a lane of its own, so that a receiver that is down holds up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NamedTuple

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.background import keyed_queues
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.lease import Lease
from cloudlet.core.background.retrying import compute_back_off
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.logs import (
    auditing,
    destination,
    encryption,
    envelope,
    filtering,
    measuring,
    outbox,
    protection,
    receivers,
    subscription,
)
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.envelope import Batch
from cloudlet.services.logs.events import Position
from cloudlet.services.logs.group_record import arn_of
from cloudlet.services.logs.matching import AT_ONCE, matching
from cloudlet.services.logs.outbox import Waiting
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.receivers import Refused
from cloudlet.services.logs.row_record import Row, StoredRow
from cloudlet.services.logs.subscription import Subscription

log = logging.getLogger("cloudlet.logs")

_RETRIED_MILLIS = 24 * 3_600_000
_LONGEST_PAUSE_SECONDS = 300.0
_GATHERED_SECONDS = 0.05
"""What comes within it is looked at together."""
_AT_ONCE = 100
_MOST_LANES, _MOST_OF_ACCOUNT = 32, 16
"""So many deliveries are under way at once."""


async def forward(block: Block, lease: Lease) -> None:
    """Deliver for ever."""
    room = FairSemaphore(_MOST_LANES, _MOST_OF_ACCOUNT)

    async def work(number: int) -> None:
        await _Lane(block, lease, room, number).run()

    await keyed_queues.drain(block, outbox.TOPIC, outbox.subscriptions, work)


class _Waiting(NamedTuple):
    """A row that waits, with what is needed to look at it."""

    at: Waiting
    row: Row | None
    """None where it is gone, or its stream is."""
    stream: str
    mask: Mask


async def _read(
    tx: Transaction, made: Subscription, at: Waiting, row: StoredRow | None
) -> tuple[_Waiting, StoredRow | None]:
    """Return a row that waits, and its events as they are stored, perhaps encrypted."""
    name = await streams.name_of(tx, at.group, at.place.stream)
    mask = await protection.mask_of(tx, at.group, made.account, made.region)
    return _Waiting(at, None, name or "", mask), None if name is None else row


class _Lane:
    """What waits for one filter, in the order in which it came."""

    def __init__(self, block: Block, lease: Lease, room: FairSemaphore, number: int) -> None:
        self._block = block
        self._lease = lease
        self._room = room
        self._number = number
        self._is_behind = False
        """Whether more waits than is looked at at once."""

    async def run(self) -> None:
        """Deliver until nothing waits any more."""
        await asyncio.sleep(_GATHERED_SECONDS)
        made = await self._block.store.transact(lambda tx: subscription.find(tx, self._number))
        account = "" if made is None else made.account
        failed = 0
        while True:
            async with self._room.hold(account):
                await self._lease.hold()
                done = await self._some()
            if done is None:
                return
            if done:
                failed = 0
                if not self._is_behind:
                    await asyncio.sleep(_GATHERED_SECONDS)
                continue
            failed += 1
            await back_off(self._block, compute_back_off(failed, longest=_LONGEST_PAUSE_SECONDS))

    async def _some(self) -> bool | None:
        """Deliver what has waited the longest; False where that has to be tried again, None where nothing waits."""

        async def read(tx: Transaction) -> tuple[Subscription | None, list[tuple[_Waiting, StoredRow | None]]]:
            found = await subscription.find(tx, self._number)
            if found is None:
                outbox.remove_all(tx, self._number)
                return None, []
            return found, [
                await _read(tx, found, waiting, row) for waiting, row in await outbox.first(tx, self._number, _AT_ONCE)
            ]

        made, stored = await self._block.store.transact(read)
        self._is_behind = len(stored) == _AT_ONCE
        if made is None or not stored:
            return None
        try:
            rows = [await self._open(one, row) for one, row in stored]
        except AwsError as error:
            log.warning("events for %s cannot be decrypted, and wait: %s", made.destination, error)
            await self._forget([one.at for one, _ in stored if self._is_over(made, one.at)])
            return False
        by_stream: dict[tuple[str, int], list[_Waiting]] = {}
        for one in rows:
            by_stream.setdefault((one.at.group_name, one.at.place.stream), []).append(one)
        for some in by_stream.values():
            is_done = await self._audit(made, some) if made.audits else await self._deliver(made, some)
            await self._forget([one.at for one in some if is_done or self._is_over(made, one.at)])
            if not is_done:
                return False
        return True

    async def _open(self, one: _Waiting, row: StoredRow | None) -> _Waiting:
        """Return a row that waits with its events. Raises AwsError where they cannot be decrypted."""
        opened = None if row is None else await encryption.open_row(self._block, one.at.group, row)
        return one._replace(row=opened)

    def _is_over(self, made: Subscription, at: Waiting) -> bool:
        """Whether what was not delivered has been tried for long enough."""
        if at.ingested >= self._block.clock.now() * 1000 - _RETRIED_MILLIS:
            return False
        log.warning("events of %s were given up: %s did not take them for a day", at.group_name, made.destination)
        return True

    async def _audit(self, made: Subscription, rows: list[_Waiting]) -> bool:
        """Report the sensitive data of one stream; return False where that is to be tried again."""
        if rows[0].stream == auditing.STREAM:
            # Reports on what is found in reports would never end.
            return True
        group = rows[0].at.group_name
        messages = [message for one in rows if one.row is not None for message in one.row.messages]
        try:
            measuring.findings(self._block, made, group, await auditing.audit(self._block, made, group, messages))
        except Refused as refused:
            if not refused.is_final:
                return False
            log.warning("findings in %s were not reported: %s", group, refused)
        return True

    async def _batch(self, made: Subscription, rows: list[_Waiting]) -> Batch:
        """Return what a filter finds in rows of one stream."""
        pattern = filtering.pattern_of(made.pattern)
        found: list[dict[str, Any]] = []
        for at, row, _, mask in rows:
            if row is None:
                continue
            row = await mask.of_row(row)
            for index in await matching(made.account, pattern, row.messages):
                position = Position(row.timestamps[index], at.place.stream, at.place.number, index)
                found.append(envelope.event(pattern, position.id, position.timestamp, row.messages[index]))
                if len(found) % AT_ONCE == 0:
                    await asyncio.sleep(0)
        return Batch(made, rows[0].at.group_name, rows[0].stream, found)

    async def _deliver(self, made: Subscription, rows: list[_Waiting]) -> bool:
        """Deliver what a filter finds in rows of one stream; return False where that is to be tried again."""
        batch = await self._batch(made, rows)
        receiver = await self._receiver(made) if batch.events else None
        if receiver is None:
            return True
        source_arn = f"{arn_of(made.region, made.account, batch.group)}:*"
        for part in await envelope.sealed(batch, receivers.most_bytes(receiver)):
            if not part.data:
                log.warning("an event of %s is too large for %s", batch.group, receiver)
                continue
            partition = batch.stream if made.distribution == "ByLogStream" else uuid4()
            try:
                await receivers.deliver(self._block, receiver, part.data, partition, source_arn)
                measuring.forwarded(self._block, made, batch.group, receiver.service, part.events, len(part.data))
            except Refused as refused:
                measuring.not_forwarded(
                    self._block, made, batch.group, receiver.service, part.events, throttled=refused.is_throttled
                )
                if not refused.is_final:
                    return False
                log.warning("%d events of %s were not delivered to %s: %s", part.events, batch.group, receiver, refused)
        return True

    async def _receiver(self, made: Subscription) -> Arn | None:
        """Return who receives; None where it is a destination that is gone, or does not take the events any more."""
        arn = Arn.parse(made.destination)
        if arn.service != "logs":
            return arn
        found = await self._block.store.transact(lambda tx: destination.of_arn(tx, arn))
        now = self._block.clock.now()
        if found is None or (self._block.is_strict and not destination.takes_from(found, made, now)):
            return None
        return Arn.parse(found.target)

    async def _forget(self, rows: list[Waiting]) -> None:
        if not rows:
            return

        async def body(tx: Transaction) -> None:
            for one in rows:
                outbox.remove(tx, one)

        await self._block.store.transact(body)
