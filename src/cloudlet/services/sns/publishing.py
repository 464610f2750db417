"""Publish and PublishBatch: a message is acknowledged once it is durable, here or with all of its queues."""

from __future__ import annotations

import re
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import (
    access,
    composing,
    direct,
    encryption,
    errors,
    fifo,
    limits,
    matching,
    measuring,
    outbox,
    outbox_delivery,
    outward,
    plan,
    platform,
    push,
    sms,
    status_log,
    tracing,
)
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.backlog import Lane, Waiting
from cloudlet.services.sns.direct import Pair
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.outbox import Row
from cloudlet.services.sns.outcomes import told
from cloudlet.services.sns.plan import Plan, Recipient
from cloudlet.services.sns.queue_delivery import Outcome, Unavailable
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

_DIRECT_QUEUES: Final = 20
"""To so many queues a message goes while its publisher waits."""
_AT_ONCE: Final = 100
"""So many deliveries are written down with the publish itself; more of them by the outbox, later."""
_NOT_TRIED: Final = Unavailable("not tried")
_BATCH_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


async def publish(ctx: Context, params: Params) -> Result:
    """Publish a message to a topic, an endpoint or a phone number."""
    name, target = _target(params)
    if name == "PhoneNumber":
        return await _publish_to_number(ctx, target, params)
    if name == "TargetArn" and ":endpoint/" in target:
        return await _publish_to_endpoint(ctx, target, params)
    topic, page = await _plan(ctx, target, name, params)
    message = composing.to_topic(params, topic, int(ctx.now() * 1000), ctx.trace)
    (message,) = await encryption.seal(ctx, topic, [message])
    if topic.fifo:
        (accepted,) = await fifo.publish(ctx, topic, [message])
        tracing.published(ctx, topic, [accepted] if accepted.id == message.id else [])
        return {"MessageId": accepted.id, "SequenceNumber": accepted.sequence}
    await _accept(ctx.block, topic, page, [message])
    tracing.published(ctx, topic, [message])
    return {"MessageId": message.id}


async def publish_batch(ctx: Context, params: Params) -> Result:
    """Publish up to ten messages to a topic, each of which succeeds or fails by itself."""
    topic, page = await _plan(ctx, params["TopicArn"], "TopicArn", params)
    now = int(ctx.now() * 1000)
    messages: list[tuple[str, Message]] = []
    failed: list[dict[str, Any]] = []
    size = 0
    entries = _checked_entries(params["PublishBatchRequestEntries"])
    for entry in entries:
        # AWS refuses the whole batch for one of these, unlike for all else that is wrong with an entry.
        composing.check_order(topic, entry)
    for entry in entries:
        try:
            message = composing.to_topic(entry, topic, now, ctx.trace)
        except AwsError as error:
            failed.append(error.of_entry(entry["Id"]))
        else:
            messages.append((entry["Id"], message))
            size += composing.size_of(message, entry["Message"])
    if size > topic.maximum_message_bytes:
        raise AwsError(
            "BatchRequestTooLong", "The length of all the batch messages put together is more than the limit."
        )
    accepted = await encryption.seal(ctx, topic, [message for _, message in messages])
    if topic.fifo:
        accepted = await fifo.publish(ctx, topic, accepted)
    else:
        await _accept(ctx.block, topic, page, accepted)
    known = {message.id for _, message in messages}
    tracing.published(ctx, topic, [message for message in accepted if message.id in known])
    successful = [
        {"Id": id, "MessageId": message.id, "SequenceNumber": message.sequence}
        for (id, _), message in zip(messages, accepted, strict=True)
    ]
    return {"Successful": successful, "Failed": failed}


def _target(params: Params) -> tuple[str, str]:
    """Return what a message is published to, and the parameter that says so. Raises AwsError unless there is one."""
    given = [(name, params[name]) for name in ("TopicArn", "TargetArn", "PhoneNumber") if params.get(name)]
    if not given:
        raise errors.missing("TopicArn or TargetArn")
    if len(given) > 1:
        raise errors.invalid_parameter(" and ".join(name for name, _ in given), "only one of them can be given")
    return given[0]


async def _publish_to_number(ctx: Context, number: str, params: Params) -> Result:
    """Send a text message."""
    access.require_account(ctx)
    access.authorize_caller(ctx, "Publish", number)
    if not limits.is_phone_number(number):
        raise errors.invalid_parameter("PhoneNumber", f"{number} is not valid to publish to")
    message = composing.to_target(params, int(ctx.now() * 1000))
    await sms.deliver(ctx.block, number, message, account=ctx.account, region=ctx.region)
    return {"MessageId": message.id}


async def _publish_to_endpoint(ctx: Context, arn: str, params: Params) -> Result:
    """Push a message to the app on a device."""
    try:
        application, _ = await ctx.transact(lambda tx: platform.reachable(tx, arn))
    except AwsError as error:
        if error.code != "NotFound":
            raise
        raise errors.invalid_parameter("TargetArn", "No endpoint found for the target arn specified") from error
    access.require_account(ctx)
    access.require_own_account(ctx, application.account, "Publish", arn)
    access.authorize_caller(ctx, "Publish", arn)
    message = composing.to_target(params, int(ctx.now() * 1000))
    try:
        await push.deliver(ctx.block, arn, message)
    except Undeliverable as undeliverable:
        raise AwsError("EndpointDisabled", undeliverable.reason) from undeliverable
    return {"MessageId": message.id}


def _checked_entries(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries of a batch. Raises AwsError where the batch as a whole is wrong."""
    if not entries:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > limits.BATCH_ENTRIES:
        raise AwsError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    for entry in entries:
        if not _BATCH_ID.fullmatch(entry["Id"]):
            raise AwsError(
                "InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification."
            )
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise AwsError("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
    return entries


async def _plan(ctx: Context, arn: str, name: str, params: Params) -> tuple[Topic, Plan]:
    """Return the topic that a request publishes to, if the caller may, and its first recipients."""

    async def body(tx: Transaction) -> tuple[Topic, Plan]:
        topic = await topics.get(tx, arn, name, region=ctx.region)
        return topic, await plan.of_topic(tx, topic)

    topic, page = await ctx.transact(body)
    access.authorize(ctx, topic, "Publish", params)
    return topic, page


async def _accept(block: Block, topic: Topic, page: Plan, messages: list[Message]) -> None:
    """Return once messages to a standard topic are durable."""
    if page.following:
        # The outbox finds out for whom they are, page by page.
        await block.store.transact(lambda tx: _keep(tx, block, page, messages, [], []))
        return
    if not page.recipients:
        return
    if page.is_filtered:
        chosen = await matching.apart(topic.account, page.recipients, messages, page.chosen, messages)
    else:
        chosen = page.chosen(messages)
    pairs, others, rejections = chosen
    if rejections:
        measuring.filtered_out(block, topic, rejections)
    directly = _may_go_directly(block, page)
    outcomes: list[Outcome | Unavailable] = [_NOT_TRIED] * len(pairs)
    delivered = 0
    if directly and pairs:
        signatures = await outward.signatures(block, topic, pairs)
        outcomes = await direct.WAY.get(block).deliver(pairs, signatures, alone=len(page.queues) == 1)
        delivered = outcomes.count(None)
        measuring.settled(block, topic, None, delivered)
        if delivered < len(outcomes):
            for outcome in outcomes:
                if isinstance(outcome, Undeliverable) and outcome.permanent:
                    measuring.settled(block, topic, outcome)
        if status_log.is_on(topic) or messages[0].traced:
            for (message, recipient), outcome in zip(pairs, outcomes, strict=True):
                if outcome is None or (isinstance(outcome, Undeliverable) and outcome.permanent):
                    told(block, topic, recipient.subscription, message, outcome, began=message.published / 1000)
    if delivered < len(outcomes) or others:
        kept = [(*pair, outcome) for pair, outcome in zip(pairs, outcomes, strict=True) if outcome is not None]
        await block.store.transact(lambda tx: _keep(tx, block, page, messages, kept, others))


def _may_go_directly(block: Block, page: Plan) -> bool:
    """Whether messages go to a topic's queues while the publisher waits."""
    return len(page.queues) <= _DIRECT_QUEUES and direct.WAY.get(block).open


async def _keep(
    tx: Transaction,
    block: Block,
    page: Plan,
    messages: list[Message],
    to_queues: list[tuple[Message, Recipient, Undeliverable | Unavailable]],
    to_others: list[Pair],
) -> None:
    """Write down what remains to be done."""
    topic = await topics.find(tx, page.topic.arn)
    if topic is None or topic.number != page.topic.number:
        return
    now = int(block.clock.now() * 1000)
    left: dict[str, list[str]] = {}
    for message, recipient, outcome in to_queues:
        if isinstance(outcome, Undeliverable):
            await outbox_delivery.put_off(tx, page.topic, recipient, message, outcome, now)
        else:
            left.setdefault(message.id, []).append(recipient.subscription.id)
    by_outbox = len(to_others) > _AT_ONCE
    others: dict[str, list[str]] = {}
    for message, recipient in to_others if by_outbox else ():
        others.setdefault(message.id, []).append(recipient.subscription.id)
    # For whom a message is has been found out, which may have taken long; a name for each of many takes room.
    named = not page.following and (page.is_filtered or len(page.queues) <= _DIRECT_QUEUES)
    for message in messages:
        if message.id in left or page.following:
            outbox.add(tx, "queues", Row(message, only=tuple(left[message.id]) if named else ()))
        if message.id in others or page.following:
            outbox.add(tx, "others", Row(message, only=tuple(others[message.id]) if named else ()))
    if not page.following and not by_outbox:
        for message, recipient in to_others:
            await Lane(page.topic, recipient.subscription.arn).add(tx, message, Waiting(message.id, now))
