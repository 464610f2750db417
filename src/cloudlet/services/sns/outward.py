"""One attempt to give one message to one subscriber, whatever its protocol."""

from __future__ import annotations

import resource

from cloudlet.core import Arn
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient
from cloudlet.services.sns import (
    delivery_policy,
    email,
    http_delivery,
    lambda_delivery,
    notification,
    push,
    queue_delivery,
    signing,
    sms,
    tracing,
)
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.plan import Recipient
from cloudlet.services.sns.queue_delivery import Queue, Unavailable
from cloudlet.services.sns.signing import Signature
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

_HTTP = ("http", "https")
_ENVELOPED = ("lambda", "email-json")
_RAW_OR_ENVELOPED = ("sqs", *_HTTP)
_MOST_AT_ONCE = 3_000
"""More than all lanes together have under way, so that none waits for another: programs that are developed here often
have all of their endpoints behind one address."""
_RESTING = 500
_SHARE_OF_FILES = 3
"""But no more than a third of the files that the process may open."""


class _Http:
    """A block's way to HTTP endpoints."""

    def __init__(self) -> None:
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_AT_ONCE if files < 0 else min(_MOST_AT_ONCE, files // _SHARE_OF_FILES)
        self.turns = FairSemaphore(most, max(1, most // 2))
        """Of accounts: endpoints of one of them that never answer take half of the connections at most."""
        self.client = HttpClient(connections=most, resting=min(_RESTING, most))


_WAY = PerBlock(lambda _: _Http())


async def deliver(block: Block, topic: Topic, subscribed: Subscription, message: Message) -> None:
    """Give a message to a subscriber. Raises Undeliverable, OSError."""
    signed = await signature(block, topic, subscribed, message)
    match subscribed.protocol:
        case "sqs":
            queue = Queue.of(Arn.parse(subscribed.endpoint), subscribed)
            entry = queue_delivery.entry(queue, message, subscribed, block.cloud.config.endpoint, signed)
            await _to_queue(block, queue, subscribed.topic, entry)
        case "lambda":
            await lambda_delivery.deliver(block, subscribed, message, signed)
        case "http" | "https":
            await _to_http(block, topic, subscribed, message, signed)
        case "email":
            endpoint, now = block.cloud.config.endpoint, block.clock.now()
            await email.send(block, email.of_message(message, topic, subscribed, endpoint, now))
        case "email-json":
            endpoint, now = block.cloud.config.endpoint, block.clock.now()
            text = _envelope(block, subscribed, message, signed)
            await email.send(block, email.of_message(message, topic, subscribed, endpoint, now, text))
        case "sms":
            await sms.deliver(block, subscribed.endpoint, message, account=topic.account, region=topic.region)
        case "application":
            await push.deliver(block, subscribed.endpoint, message)
        case other:
            raise Undeliverable(f"there is no delivery to {other}", permanent=True)


async def notify(block: Block, topic: Topic, subscribed: Subscription, kind: str, id: str, written: int) -> None:
    """Tell an endpoint something about its subscription. Raises Undeliverable, OSError.

    `kind` is the Type of SNS's messages; `written` in milliseconds since the epoch.
    """
    told = notification.confirmation(
        kind,
        id=id,
        topic_arn=topic.arn,
        subscription_arn=subscribed.arn,
        token=subscribed.token,
        written=written,
        endpoint=block.cloud.config.endpoint,
    )
    if subscribed.protocol == "email":
        await email.send(block, email.of_confirmation(told, topic, subscribed, block.clock.now()))
        return
    text = notification.confirmation_envelope(
        told, *await signing.sign(block, [notification.confirmation_to_sign(told)], _version(topic))
    )
    match subscribed.protocol:
        case "email-json":
            await email.send(block, email.of_confirmation(told, topic, subscribed, block.clock.now(), text))
        case "http" | "https":
            arn = None if kind == notification.SUBSCRIPTION_CONFIRMATION else subscribed.arn
            async with _WAY.get(block).turns.hold(topic.account):
                await http_delivery.post(
                    _WAY.get(block).client,
                    subscribed.endpoint,
                    text,
                    kind=kind,
                    id=id,
                    topic_arn=topic.arn,
                    subscription_arn=arn,
                )
        case "sqs":
            queue = Queue.of(Arn.parse(subscribed.endpoint))
            order = {"MessageGroupId": id, "MessageDeduplicationId": id} if queue.fifo else {}
            await _to_queue(block, queue, topic.arn, {"MessageBody": text, **order})
        case other:
            raise Undeliverable(f"a subscriber by {other} cannot be told anything", permanent=True)


async def signature(block: Block, topic: Topic, subscribed: Subscription, message: Message) -> Signature | None:
    """Return what a message to a subscriber is signed with, or None where it has no envelope (docs/decisions/0003)."""
    protocol = subscribed.protocol
    is_enveloped = protocol in _ENVELOPED or (protocol in _RAW_OR_ENVELOPED and not _is_raw(subscribed))
    if not is_enveloped:
        return None
    (made,) = await signing.sign(block, [notification.to_sign(message, protocol)], _version(topic))
    return made


async def signatures(block: Block, topic: Topic, pairs: list[tuple[Message, Recipient]]) -> dict[str, Signature]:
    """Return what messages to queues are signed with, by their ids, but for those that go without an envelope."""
    messages = {message.id: message for message, recipient in pairs if recipient.queue and not recipient.queue.raw}
    texts = [notification.to_sign(message, "sqs") for message in messages.values()]
    made = await signing.sign(block, texts, _version(topic)) if texts else []
    return dict(zip(messages, made, strict=True))


def most_per_second(topic: Topic, subscribed: Subscription) -> float | None:
    """Return how many deliveries a second a subscriber can take, or None where nothing is said."""
    if subscribed.protocol not in _HTTP:
        return None
    return delivery_policy.most_per_second(delivery_policy.of(topic, subscribed))


def _version(topic: Topic) -> str:
    return topic.attributes.get("SignatureVersion", "1")


def _is_raw(subscribed: Subscription) -> bool:
    return subscribed.attributes.get("RawMessageDelivery") == "true"


def _envelope(block: Block, subscribed: Subscription, message: Message, signed: Signature | None) -> str:
    return notification.envelope(
        message,
        endpoint=block.cloud.config.endpoint,
        subscription_arn=subscribed.arn,
        signature=signed,
        protocol=subscribed.protocol,
    )


async def _to_queue(block: Block, queue: Queue, topic_arn: str, entry: queue_delivery.Entry) -> None:
    try:
        (outcome,) = await queue_delivery.send(block, queue, topic_arn, [entry])
    except Unavailable as unavailable:
        raise Undeliverable(str(unavailable), permanent=False) from unavailable
    if outcome is not None:
        raise outcome


async def _to_http(
    block: Block, topic: Topic, subscribed: Subscription, message: Message, signed: Signature | None
) -> None:
    raw = _is_raw(subscribed)
    async with _WAY.get(block).turns.hold(topic.account):
        await http_delivery.post(
            _WAY.get(block).client,
            subscribed.endpoint,
            message.body_for(subscribed.protocol) if raw else _envelope(block, subscribed, message, signed),
            kind=notification.NOTIFICATION,
            id=message.id,
            topic_arn=topic.arn,
            subscription_arn=subscribed.arn,
            content_type=delivery_policy.content_type(delivery_policy.of(topic, subscribed)),
            raw=raw,
            trace=tracing.header_of(message, subscribed),
        )
