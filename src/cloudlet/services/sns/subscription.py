"""A subscription: its record, where it is, and the ways to find it: by ARN, by topic, by endpoint, by owner."""

from __future__ import annotations

from functools import cached_property

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.sns import errors
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.topic_record import Topic

_OF_OWNER = Subspace("subscription-of")
_PENDING = Subspace("pending-subscriptions")
_FILTERED = Subspace("filtered-subscriptions")
_ARN_PARTS = 7
_PAGE = 100


class Subscription(msgspec.Struct, frozen=True, array_like=True, dict=True):
    """What is stored of a subscription. `created` is in milliseconds since the epoch."""

    id: str
    topic: str
    """The topic's ARN."""
    protocol: str
    endpoint: str
    owner: str
    """The account that subscribed."""
    attributes: dict[str, str]
    """The attributes that were set, by AWS's names."""
    confirmed: bool
    token: str
    """What confirms it."""
    created: int
    authenticated: bool
    """Whether a signed request confirmed it."""

    @cached_property
    def arn(self) -> str:
        return f"{self.topic}:{self.id}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Subscription).decode


def encode(subscription: Subscription) -> bytes:
    """Return the stored form of a subscription."""
    return _encode(subscription)


def decode(raw: bytes) -> Subscription:
    """Return the subscription of a stored record."""
    return _decode(raw)


def of_number(number: int) -> Subspace:
    """Return where the subscriptions of the topic with this number are: id → record."""
    return Subspace("t", number, "s")


async def of_topic(tx: Transaction, topic: Topic, *, after: str = "", limit: int) -> list[Subscription]:
    """Return up to `limit` subscriptions of a topic, pending ones too, by id, from behind the id `after`."""
    space = of_number(topic.number)
    begin = space.key(after) + b"\x00" if after else space.begin
    return [_decode(raw) for _, raw in await tx.range(begin, space.end, limit=limit)]


async def by_id(tx: Transaction, topic: Topic, id: str) -> Subscription | None:
    """Return a subscription of a topic by its id, or None."""
    raw = await tx.get(of_number(topic.number).key(id))
    return None if raw is None else _decode(raw)


async def find(tx: Transaction, arn: str) -> tuple[Topic, Subscription] | None:
    """Return a subscription by its ARN, and its topic; or None, also for what is no ARN of a subscription."""
    topic_arn, _, id = arn.rpartition(":")
    topic = await topics.find(tx, topic_arn)
    if topic is None:
        return None
    subscription = await by_id(tx, topic, id)
    return None if subscription is None else (topic, subscription)


async def get(tx: Transaction, arn: str, *, region: str = "") -> tuple[Topic, Subscription]:
    """Return the subscription of a request's SubscriptionArn, and its topic. Raises AwsError where there is none.

    With a `region`, a subscription of another one is refused, as AWS does.
    """
    check_arn(arn, region)
    found = await find(tx, arn)
    if found is None:
        raise errors.no_such_subscription()
    return found


def check_arn(arn: str, region: str = "") -> None:
    """Raise AwsError for what is no ARN of a subscription (of that region)."""
    parts = arn.split(":")
    if len(parts) != _ARN_PARTS or parts[0] != "arn" or parts[2] != "sns" or (region and parts[3] != region):
        raise errors.invalid_arn("SubscriptionArn", arn)


async def by_endpoint(tx: Transaction, topic: Topic, protocol: str, endpoint: str) -> Subscription | None:
    """Return the subscription of an endpoint to a topic, or None: there is one at most."""
    id = await tx.get(_endpoint_key(topic, protocol, endpoint))
    return None if id is None else await by_id(tx, topic, id.decode())


def of_owner(account: str, region: str) -> Subspace:
    """Return the index of an account's subscriptions to topics of a region: (topic number, id) → nothing."""
    return _OF_OWNER.sub(account, region)


async def of_index(tx: Transaction, index: Subspace, key: bytes) -> Subscription:
    """Return the subscription that a row of the index `of_owner` is about."""
    number, id = index.unpack(key)
    raw = await tx.get(of_number(number).key(id))
    if raw is None:
        raise RuntimeError(f"the subscription {id} of topic {number} is in the index of its owner, and nowhere else")
    return _decode(raw)


def with_attributes(existing: Subscription, attributes: dict[str, str]) -> Subscription:
    """Return a subscription with other attributes."""
    return msgspec.structs.replace(existing, attributes=attributes)


def confirmed_count(topic: Topic) -> bytes:
    """Return the counter of a topic's confirmed subscriptions."""
    return topic.all.key("count", "confirmed")


def pending_count(topic: Topic) -> bytes:
    """Return the counter of a topic's subscriptions that wait to be confirmed."""
    return topic.all.key("count", "pending")


def deleted_count(topic: Topic) -> bytes:
    """Return the counter of the subscriptions that a topic no longer has."""
    return topic.all.key("count", "deleted")


def filtered_count(topic: Topic) -> bytes:
    """Return the counter of a topic's subscriptions with a filter policy."""
    return topic.all.key("count", "filtered")


def pending_of_account(account: str, region: str) -> bytes:
    """Return the counter of the subscriptions to an account's topics that wait to be confirmed."""
    return _PENDING.key(account, region)


def filtered_of_account(account: str, region: str) -> bytes:
    """Return the counter of the subscriptions to an account's topics that have a filter policy."""
    return _FILTERED.key(account, region)


def store(tx: Transaction, topic: Topic, subscription: Subscription, before: Subscription | None = None) -> Topic:
    """Write a subscription, new or in the place of `before`, and whatever finds or counts it.

    Returns the topic under its new version.
    """
    if before is not None:
        _note(tx, topic, before, -1)
    tx.put(of_number(topic.number).key(subscription.id), _encode(subscription))
    _note(tx, topic, subscription, 1)
    return topics.change(tx, topic)


def remove(tx: Transaction, topic: Topic, subscription: Subscription) -> Topic:
    """Delete a subscription. Returns the topic under its new version."""
    _note(tx, topic, subscription, -1)
    tx.delete(of_number(topic.number).key(subscription.id))
    tx.add(deleted_count(topic), 1)
    return topics.change(tx, topic)


async def remove_all(tx: Transaction, topic: Topic) -> None:
    """Forget the subscriptions of a topic that is being deleted, in what is not kept below its number."""
    tx.add(pending_of_account(topic.account, topic.region), -await tx.counter(pending_count(topic)))
    tx.add(filtered_of_account(topic.account, topic.region), -await tx.counter(filtered_count(topic)))
    owners = topic.all.sub("owner")
    begin = owners.begin
    while rows := await tx.range(begin, owners.end, limit=_PAGE):
        for key, _ in rows:
            (owner,) = owners.unpack(key)
            index = of_owner(owner, topic.region).sub(topic.number)
            tx.delete_range(index.begin, index.end)
        begin = rows[-1][0] + b"\x00"


def _note(tx: Transaction, topic: Topic, subscription: Subscription, sign: int) -> None:
    """Enter a subscription into the indexes and counters, or (`sign` -1) take it out."""
    endpoint = _endpoint_key(topic, subscription.protocol, subscription.endpoint)
    owned = of_owner(subscription.owner, topic.region).key(topic.number, subscription.id)
    if sign > 0:
        tx.put(endpoint, subscription.id.encode())
        tx.put(owned, b"")
        tx.put(topic.all.key("owner", subscription.owner), b"")
    else:
        tx.delete(endpoint)
        tx.delete(owned)
    if subscription.confirmed:
        tx.add(confirmed_count(topic), sign)
    else:
        tx.add(pending_count(topic), sign)
        tx.add(pending_of_account(topic.account, topic.region), sign)
    if "FilterPolicy" in subscription.attributes:
        tx.add(filtered_count(topic), sign)
        tx.add(filtered_of_account(topic.account, topic.region), sign)


def _endpoint_key(topic: Topic, protocol: str, endpoint: str) -> bytes:
    return topic.all.key("endpoint", protocol, endpoint)
