"""Works off the backlog: the lanes that are due, many at once, a few deliveries of each.

A subscriber that is slow or dead holds up nobody but itself: its lane waits, on disk, and the others go on. Lanes that
fail are worked off apart from the others.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from time import perf_counter
from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import start_timers
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.sns import backlog, dead_letters, encryption, measuring, outward, retries, subscription
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.backlog import Lane, Waiting
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.outcomes import settled
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

log = logging.getLogger("cloudlet.sns")

_LANES = 500
"""At once, of those that fail and of the others: so many that are slow for the first time hold up nobody."""
_DELIVERIES = 10
_BYTES = 65_536
"""At once in one lane: a few small messages or one large one. All lanes together hold 250 MiB of the largest."""
_CLEARED = 200


class _Turn(NamedTuple):
    """What a lane has to do now."""

    topic: Topic
    subscribed: Subscription
    found: list[tuple[Waiting, Message]]


class Lanes:
    """All lanes of a block that fail, or all others."""

    def __init__(self, block: Block, lease: Lease, *, failing: bool) -> None:
        self._block = block
        self._lease = lease
        self._failing = failing

    async def run(self) -> None:
        """Deliver what is due, for ever."""
        await start_timers(
            self._block,
            self._lease,
            backlog.TOPICS[self._failing],
            partial(backlog.scheduled, failing=self._failing),
            "delivery to",
            self._turn,
            at_once=_LANES,
        )

    def _millis(self) -> int:
        return int(self._block.clock.now() * 1000)

    async def _turn(self, due: int, arn: str) -> None:
        started = perf_counter()
        turn = await self._block.store.transact(lambda tx: self._next(tx, due, arn))
        if turn is None:
            return
        messages = await encryption.open_bodies(self._block, turn.topic, [message for _, message in turn.found])
        found = [(waiting, message) for (waiting, _), message in zip(turn.found, messages, strict=True)]
        turn = turn._replace(found=found)
        await self._take(turn)
        rate = outward.most_per_second(turn.topic, turn.subscribed)
        if rate is not None:
            await back_off(self._block, max(0.0, len(turn.found) / rate - (perf_counter() - started)))

    async def _next(self, tx: Transaction, due: int, arn: str) -> _Turn | None:
        """Return what a lane has to do, or tidy up what is left of it."""
        topic = await topics.find(tx, arn.rpartition(":")[0])
        if topic is None:
            backlog.drop(tx, due, arn, failing=self._failing)
            return None
        lane = Lane(topic, arn)
        subscribed = await subscription.by_id(tx, topic, arn.rpartition(":")[2])
        if subscribed is None:
            if await lane.clear(tx, _CLEARED):
                # Of an earlier topic of the same name, the lane knows nothing of what the schedule says.
                backlog.drop(tx, due, arn, failing=self._failing)
            return None
        rate = outward.most_per_second(topic, subscribed)
        count = _DELIVERIES if rate is None else max(1, min(_DELIVERIES, int(rate)))
        found = await lane.first(tx, self._millis(), count, _BYTES)
        if not found:
            # The schedule may be ahead of the lane, or the topic is another one of the same name.
            backlog.drop(tx, due, arn, failing=self._failing)
            await lane.settle(tx, failing=self._failing)
            return None
        return _Turn(topic, subscribed, found)

    async def _take(self, turn: _Turn) -> None:
        began = self._block.clock.now()
        outcomes = await asyncio.gather(*[self._attempt(turn, waiting, message) for waiting, message in turn.found])
        for (waiting, message), failure in zip(turn.found, outcomes, strict=True):
            self._note(turn, waiting, message, failure, began)
        failing = all(failure is not None and not failure.permanent for failure in outcomes)
        now = self._millis()

        async def body(tx: Transaction) -> None:
            topic = await topics.find(tx, turn.topic.arn)
            if topic is None or topic.number != turn.topic.number:
                return
            lane = Lane(turn.topic, turn.subscribed.arn)
            for (waiting, _), failure in zip(turn.found, outcomes, strict=True):
                after = (
                    None
                    if failure is None
                    else retries.after_failure(turn.topic, turn.subscribed, waiting, failure, now)
                )
                if after is None:
                    await lane.remove(tx, waiting)
                else:
                    await lane.put_off(tx, waiting, after)
            await lane.settle(tx, failing=failing)

        await self._block.store.transact(body)

    async def _attempt(self, turn: _Turn, waiting: Waiting, message: Message) -> Undeliverable | None:
        """Deliver, or bring to the dead-letter queue; return why that failed."""
        block, topic, subscribed = self._block, turn.topic, turn.subscribed
        try:
            if waiting.dead:
                signature = await outward.signature(block, topic, subscribed, message)
                await dead_letters.bury(block, subscribed, message, signature)
            else:
                await outward.deliver(block, topic, subscribed, message)
        except Undeliverable as failure:
            return failure
        except Exception as error:
            log.exception("a delivery of %s to %s failed", message.id, subscribed.arn)
            return Undeliverable(f"internal error: {error!r}", permanent=False)
        return None

    def _note(
        self, turn: _Turn, waiting: Waiting, message: Message, failure: Undeliverable | None, began: float
    ) -> None:
        """Note the status of a delivery that succeeded, or that was given up, by its retries or for good."""
        block, topic, subscribed = self._block, turn.topic, turn.subscribed
        if waiting.dead:
            if failure is None or retries.is_lost(waiting, failure):
                measuring.buried(block, topic, failure)
            return
        attempts = waiting.attempts + 1
        if failure is None or failure.permanent or retries.delay(topic, subscribed, attempts) is None:
            settled(block, topic, subscribed, message, failure, began=began, attempts=attempts)
        elif subscribed.protocol in ("http", "https"):
            measuring.settled(block, topic, failure)
