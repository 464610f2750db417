"""Subscribe: a new subscription, or the one that is there already.

API reference, Subscribe.
"""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.sns import (
    confirming,
    cursor,
    endpoints,
    errors,
    limits,
    platform,
    subscription,
    subscription_attributes,
)
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic


async def subscribe(ctx: Context, tx: Transaction, topic: Topic, params: Params) -> Subscription:
    """Return the subscription that a request asks for. Raises AwsError for what AWS does not admit."""
    now = ctx.now()
    millis = int(now * 1000)
    wanted = params.get("Attributes") or {}
    protocol = params["Protocol"]
    endpoint = endpoints.checked(topic, protocol, params.get("Endpoint"))
    owner = ctx.principal.account
    checked = subscription_attributes.created(topic, owner, protocol, wanted, now)
    existing = await subscription.by_endpoint(tx, topic, protocol, endpoint)
    if existing is not None:
        subscription_attributes.check_same(existing, wanted, checked)
        return existing if existing.confirmed else confirming.ask_again(tx, topic, existing, millis)
    if protocol == "application" and await platform.find_endpoint(tx, endpoint) is None:
        raise errors.invalid_parameter("Endpoint", f"Endpoint does not exist for endpoint {endpoint}")
    own = endpoints.is_own(owner, protocol, endpoint)
    await _check_quotas(tx, topic, checked, pending=not own)
    id = uuid4()
    fresh = Subscription(
        id=id,
        topic=topic.arn,
        protocol=protocol,
        endpoint=endpoint,
        owner=owner,
        attributes=subscription_attributes.with_principal(checked, ctx.principal.arn),
        confirmed=own,
        token="" if own else confirming.new_token(id),
        created=millis,
        authenticated=own,
    )
    subscription.store(tx, topic, fresh)
    if not own:
        confirming.ask(tx, topic, fresh, millis)
    elif topic.fifo:
        await cursor.begin(tx, topic, fresh)
    return fresh


async def _check_quotas(tx: Transaction, topic: Topic, attributes: dict[str, str], *, pending: bool) -> None:
    waiting = await tx.counter(subscription.pending_count(topic))
    total = waiting + await tx.counter(subscription.confirmed_count(topic))
    most = limits.FIFO_SUBSCRIPTIONS if topic.fifo else limits.SUBSCRIPTIONS
    if topic.maximum_message_bytes > limits.MESSAGE_BYTES:
        most = min(most, limits.LARGE_MESSAGE_SUBSCRIPTIONS)
    of_account = subscription.pending_of_account(topic.account, topic.region)
    if total >= most or (pending and await tx.counter(of_account) >= limits.PENDING_SUBSCRIPTIONS):
        raise AwsError(
            "SubscriptionLimitExceeded",
            "Indicates that the customer already owns the maximum allowed number of subscriptions.",
        )
    if "FilterPolicy" in attributes:
        await subscription_attributes.check_filter_quota(tx, topic)


async def check_large_messages(tx: Transaction, topic: Topic) -> None:
    """Raise unless a topic's subscriptions can all take messages above 256 KiB (API reference, MaximumMessageSize)."""
    most = limits.LARGE_MESSAGE_SUBSCRIPTIONS
    subscribed = await subscription.of_topic(tx, topic, limit=most + 1)
    if len(subscribed) > most or not all(endpoints.takes_large(each.protocol) for each in subscribed):
        raise errors.invalid_parameter(
            "MaximumMessageSize",
            f"A topic above {limits.MESSAGE_BYTES} bytes must have {most} or fewer subscriptions, "
            "each of them Amazon SQS, Amazon Data Firehose, or Lambda.",
        )
