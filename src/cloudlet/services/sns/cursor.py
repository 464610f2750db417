"""How far a subscription to a FIFO topic is in the topic's log, and in a replay of it."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.sns import fifo
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic


class Replay(msgspec.Struct, frozen=True, array_like=True):
    """A replay under way. Messages of the log are named by their places."""

    begin: int
    """The first message to be replayed."""
    at: int
    """The last message that was."""
    last: int
    """The last message to be."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The place of a subscription in the log of its topic."""

    at: int
    """The last message that was delivered, was given up, or was not for this subscription."""
    failures: int = 0
    """How often the delivery of the next one has failed."""
    replay: Replay | None = None

    @property
    def place(self) -> int:
        """The last message that was dealt with, in the replay where there is one."""
        return self.at if self.replay is None else self.replay.at

    def moved(self, place: int, failures: int) -> Cursor:
        """Return the cursor after deliveries up to a place, in the replay where there is one."""
        if self.replay is None:
            return Cursor(place, failures)
        return Cursor(self.at, failures, msgspec.structs.replace(self.replay, at=place))

    def after_replay(self) -> Cursor:
        """Return the cursor once its replay is over: what it has brought is not delivered again."""
        replay = self.replay
        if replay is None or replay.begin > self.at + 1:
            return Cursor(self.at)
        return Cursor(max(self.at, replay.at))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Cursor).decode


async def of_subscription(tx: Transaction, topic: Topic, subscribed: Subscription) -> Cursor:
    """Return a subscription's cursor."""
    raw = await tx.get(_all(topic).key(subscribed.id))
    return await _fresh(tx, topic, subscribed) if raw is None else _decode(raw)


async def of_topic(tx: Transaction, topic: Topic, subscriptions: list[Subscription]) -> dict[str, Cursor]:
    """Return the cursors of a topic's subscriptions by their ids, and forget those of others."""
    space = _all(topic)
    ids = {subscribed.id for subscribed in subscriptions}
    cursors: dict[str, Cursor] = {}
    for key, raw in await tx.range(space.begin, space.end, limit=2 * len(ids) + 1):
        (id,) = space.unpack(key)
        if id in ids:
            cursors[id] = _decode(raw)
        else:
            tx.delete(key)
    for subscribed in subscriptions:
        if subscribed.id not in cursors:
            cursors[subscribed.id] = await of_subscription(tx, topic, subscribed)
    return cursors


async def begin(tx: Transaction, topic: Topic, subscribed: Subscription) -> None:
    """Have a subscription, confirmed now, get what is published from now on, whatever the clock says then."""
    store(tx, topic, subscribed.id, Cursor(await fifo.last_number(tx, topic)))


def store(tx: Transaction, topic: Topic, id: str, cursor: Cursor) -> None:
    """Write the cursor of the subscription with an id."""
    tx.put(_all(topic).key(id), _encode(cursor))


async def _fresh(tx: Transaction, topic: Topic, subscribed: Subscription) -> Cursor:
    """Return the cursor of a subscription of which none was stored: it gets what came since it is there."""
    return Cursor(await fifo.number_at(tx, topic, subscribed.created) - 1)


def _all(topic: Topic) -> Subspace:
    return topic.all.sub("cursor")
