"""Asking endpoints whether they want to be subscribed, and taking their word for it.

Developer Guide, "Fanout to HTTP/S endpoints", step "Confirm the subscription"; API reference, ConfirmSubscription and
Unsubscribe. What is to be sent is written down with what caused it, and `notices` sends it. A subscription that nobody
confirms within two days is gone.
"""

from __future__ import annotations

import hmac

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.sns import cursor, errors, limits, notices, notification, subscription, subscription_attributes
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic

_EXPIRIES = Subspace("pending-expiry")
_TOLD = ("http", "https", "email", "email-json")
_SECRET_BYTES = 96
_ID_CHARACTERS = 32
_VALID_MS = limits.TOKEN_DAYS * 86_400_000
_SWEEP_SECONDS = 60.0
_SWEPT = 100


def new_token(id: str) -> str:
    """Return a new token, which tells the subscription's id and proves that its bearer was sent it."""
    return id.replace("-", "") + random_bytes(_SECRET_BYTES).hex()


def ask(tx: Transaction, topic: Topic, pending: Subscription, now: int) -> None:
    """Have the endpoint of a pending subscription asked; forget the subscription if it does not confirm in time."""
    tx.put(_expiry_key(pending), topic.arn.encode())
    notices.write(tx, topic, pending, notification.SUBSCRIPTION_CONFIRMATION, now)


def ask_again(tx: Transaction, topic: Topic, pending: Subscription, now: int) -> Subscription:
    """Have the endpoint of a pending subscription asked anew; its time to confirm begins now."""
    renewed = msgspec.structs.replace(pending, created=now)
    tx.delete(_expiry_key(pending))
    subscription.store(tx, topic, renewed, pending)
    ask(tx, topic, renewed, now)
    return renewed


async def confirm(
    tx: Transaction, topic: Topic, pending: Subscription, *, authenticated: bool, must_sign: bool
) -> Subscription:
    """Make a pending subscription a confirmed one, which only a signed request can end where it `must_sign`."""
    tx.delete(_expiry_key(pending))
    tx.delete(_left_key(topic, pending.id))
    attributes = pending.attributes
    if must_sign:
        attributes = subscription_attributes.with_signed_end(attributes)
    confirmed = msgspec.structs.replace(pending, confirmed=True, authenticated=authenticated, attributes=attributes)
    before = await subscription.by_endpoint(tx, topic, pending.protocol, pending.endpoint)
    if before is not None and before.id != pending.id:
        # Subscribed anew since it was ended: the renewal takes the place of that.
        subscription.remove(tx, topic, before)
        before = None
    subscription.store(tx, topic, confirmed, before)
    if topic.fifo:
        await cursor.begin(tx, topic, confirmed)
    return confirmed


def say_goodbye(tx: Transaction, topic: Topic, gone: Subscription, now: int) -> None:
    """Have an endpoint told that somebody else than its owner has ended its subscription, and how to renew it."""
    if gone.protocol in _TOLD:
        left = msgspec.structs.replace(gone, confirmed=False, token=new_token(gone.id), created=now)
        tx.put(_left_key(topic, gone.id), subscription.encode(left))
        tx.put(_expiry_key(left), topic.arn.encode())
        notices.write(tx, topic, left, notification.UNSUBSCRIBE_CONFIRMATION, now)


async def by_token(tx: Transaction, topic: Topic, token: str, now: int) -> Subscription:
    """Return the subscription that a token confirms, confirmed or not. Raises AwsError for what is no such token."""
    compact = token[:_ID_CHARACTERS]
    id = "-".join((compact[:8], compact[8:12], compact[12:16], compact[16:20], compact[20:]))
    found = await subscription.by_id(tx, topic, id) or await _left(tx, topic, id)
    if found is None or not hmac.compare_digest(found.token.encode(), token.encode()):
        raise errors.invalid_parameter("Token")
    if not found.confirmed and now >= found.created + _VALID_MS:
        raise errors.invalid_parameter("Token", "the token has expired")
    return found


async def expire(block: Block) -> None:
    """Delete, for as long as the block runs, the subscriptions that nobody has confirmed in time."""
    works = KeyedTasks(block)

    async def listed(tx: Transaction, count: int) -> list[bytes]:
        end = _EXPIRIES.key(int(block.clock.now() * 1000))
        return [key for key, _ in await tx.range(_EXPIRIES.begin, end, limit=count)]

    while True:
        await works.drain(listed, "forgetting the unconfirmed", _forget_unconfirmed, at_once=_SWEPT)
        await back_off(block, _SWEEP_SECONDS)


async def _forget_unconfirmed(tx: Transaction, key: bytes) -> None:
    """Delete a subscription whose time to be confirmed is over."""
    arn = await tx.get(key)
    tx.delete(key)
    topic = None if arn is None else await topics.find(tx, arn.decode())
    if topic is not None:
        await _forget(tx, topic, *_EXPIRIES.unpack(key))


async def _forget(tx: Transaction, topic: Topic, until: int, id: str) -> None:
    """Delete what could be confirmed until then, if it is still there as it was."""
    pending = await subscription.by_id(tx, topic, id)
    if pending is not None and not pending.confirmed:
        subscription.remove(tx, topic, pending)
    left = await _left(tx, topic, id)
    if left is not None and left.created + _VALID_MS == until:
        tx.delete(_left_key(topic, id))


async def _left(tx: Transaction, topic: Topic, id: str) -> Subscription | None:
    """Return a subscription that was ended, as it would be again if its endpoint renewed it."""
    raw = await tx.get(_left_key(topic, id))
    return None if raw is None else subscription.decode(raw)


def _left_key(topic: Topic, id: str) -> bytes:
    return topic.all.key("left", id)


def _expiry_key(pending: Subscription) -> bytes:
    return _EXPIRIES.key(pending.created + _VALID_MS, pending.id)
