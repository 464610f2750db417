"""Gives events to targets: through the APIs of their blocks, and to API destinations."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.aws import log_groups
from cloudlet.core.aws.messages import queue_url
from cloudlet.core.background.retrying import DeliveryError, of_batch
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal, make_principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import access, bus, destination, event, failure, gateway, invoking, matching, transforming
from cloudlet.services.events.delivery_record import Delivery, Lane
from cloudlet.wire import json_text, timestamps

BATCH: Final = 10


async def give(block: Block, lane: Lane, deliveries: list[Delivery]) -> list[DeliveryError | None]:
    """Give up to ten deliveries of one rule to the target, or dead-letter queue, that their lane leads to."""
    place = Arn.parse(lane.target)
    if place.service == "sqs":
        return await _send(block, lane, place, deliveries)
    if is_http(place):
        return await asyncio.gather(*[_invoke(block, place, each) for each in deliveries])
    return [await _give_one(block, place, each) for each in deliveries]


def is_destination(arn: Arn) -> bool:
    """Whether an ARN is one of an API destination."""
    return arn.service == "events" and arn.resource.startswith(destination.KIND)


def is_http(arn: Arn) -> bool:
    """Whether an ARN is one of what is reached over HTTP, so that several events go there at once."""
    return is_destination(arn) or arn.service == gateway.SERVICE


async def _invoke(block: Block, arn: Arn, delivery: Delivery) -> DeliveryError | None:
    try:
        text, parameters = transforming.text(delivery), transforming.http_parameters(delivery)
        account, role = delivery.rule.account, _role(delivery)
        session = access.make_session(delivery.rule, role) if role else None
        if is_destination(arn):
            if session is not None:
                await access.authorize_destination(block, str(arn), account, session)
            await invoking.invoke(block, arn, text, parameters)
        else:
            await gateway.invoke(block, account, arn, session, text, parameters, delivery.trace)
    except AwsError as error:
        return failure.of(error)
    except DeliveryError as failed:
        return failed
    return None


def _role(delivery: Delivery) -> str:
    return delivery.target.get("RoleArn") or delivery.rule.role


async def _give_one(block: Block, arn: Arn, delivery: Delivery) -> DeliveryError | None:
    try:
        text = transforming.text(delivery)
        match arn.service:
            case "sns":
                await _call(block, arn, delivery, "Publish", {"TopicArn": str(arn), "Message": text})
            case "lambda":
                params = {"FunctionName": str(arn), "InvocationType": "Event", "Payload": text.encode()}
                await _call(block, arn, delivery, "Invoke", params)
            case "logs":
                await _log(block, arn, delivery, text)
            case _:
                await _hand_on(block, str(arn), delivery)
    except AwsError as error:
        return failure.of(error)
    except DeliveryError as failed:
        return failed
    return None


async def _hand_on(block: Block, arn: str, delivery: Delivery) -> None:
    """Put an event on another bus. Raises AwsError where it has come from another one already.

    User guide, "Sending and receiving events between event buses": a third bus gets no events of the first.
    """
    place = bus.place_of_arn(arn)
    if delivery.hops:
        where = "ACCOUNT" if place.region == delivery.rule.region else "REGION"
        raise AwsError(f"THIRD_{where}_HOP_DETECTED", "An event that another bus has sent goes to no third bus.")

    finding = await block.store.transact(lambda tx: matching.matched(tx, place, delivery.event))
    matched = None if finding is None else await finding()

    # The event is another one in another region.
    role = _role(delivery)
    permissions = await access.load_permissions(block, delivery.rule, role)
    told = delivery.event if place.region == delivery.rule.region else event.with_id(delivery.event, uuid4())

    async def body(tx: Transaction) -> None:
        # It may have let the rule in when that was made, and not any more; or it was not there yet.
        into = await bus.get(tx, place)
        await access.authorize_delivery(block, tx, into, delivery.rule, role, permissions, delivery.event)
        now = block.clock.now()
        await matching.put(tx, place, told, now, delivery.hops + 1, delivery.trace, matched)

    await block.store.transact(body)


async def _log(block: Block, arn: Arn, delivery: Delivery, text: str) -> None:
    """Write to a log group, into a stream of the rule."""
    if arn.account != delivery.rule.account:
        # Targets from before this was asked when they were put.
        raise AwsError("AccessDeniedException", f"The log group {arn} is of another account.", status=403)
    line = _line(text) or {"timestamp": delivery.noted, "message": text}
    call = partial(_call, block, arn, delivery)
    await log_groups.write(call, log_groups.group_of(arn), delivery.rule.name, [line])


def _line(text: str) -> dict[str, Any] | None:
    """Return the log event that is a time and a message, where a target is given just these (CDK, LogGroupTargetInput).

    The time is in ISO 8601, or in milliseconds since the epoch.
    """
    try:
        said = json_text.decode(text)
        if not isinstance(said, dict) or said.keys() != {"timestamp", "message"}:
            return None
        time, message = said["timestamp"], said["message"]
        seconds = time / 1000 if isinstance(time, int | float) else timestamps.parse(str(time), "iso8601")
        millis = round(timestamps.in_range(seconds) * 1000)
    except (ValueError, OverflowError, RecursionError):
        return None
    return {"timestamp": millis, "message": message} if isinstance(message, str) and message else None


async def _call(block: Block, arn: Arn, delivery: Delivery, operation: str, params: dict[str, Any]) -> Any:
    """Call the block of a target, by the target's role if it has one."""
    role, trace = delivery.target.get("RoleArn"), delivery.trace or None
    if role:
        return await block.cloud.call(
            arn.service,
            operation,
            params,
            principal=access.make_session(delivery.rule, role),
            account=delivery.rule.account,
            region=arn.region,
            trace=trace,
        )
    return await block.call(
        arn.service,
        operation,
        params,
        account=arn.account,
        region=arn.region,
        source_arn=delivery.rule.arn,
        trace=trace,
    )


async def _send(block: Block, lane: Lane, queue: Arn, deliveries: list[Delivery]) -> list[DeliveryError | None]:
    """Send messages to a queue at once."""
    entries = []
    try:
        entries = [_message(str(number), each) for number, each in enumerate(deliveries)]
        principal = _get_sender(block, lane, deliveries)
    except DeliveryError as failed:
        if len(deliveries) == 1:
            return [failed]
        entries = []
    if not entries:
        # Of one of them there can be no message, or they go by several roles.
        return [outcome for each in deliveries for outcome in await _send(block, lane, queue, [each])]
    params = {"QueueUrl": queue_url(block, queue), "Entries": entries}
    result: Any = None
    refused: AwsError | None = None
    try:
        result = await block.cloud.call(
            "sqs",
            "SendMessageBatch",
            params,
            principal=principal,
            account=principal.account,
            region=queue.region,
            source_arn=lane.rule if principal.kind == "service" else "",
        )
    except AwsError as error:
        refused = error
    if refused is not None:
        if refused.code.endswith("BatchRequestTooLong") and len(deliveries) > 1:
            half = len(deliveries) // 2
            first = await _send(block, lane, queue, deliveries[:half])
            return first + await _send(block, lane, queue, deliveries[half:])
        return [failure.of(refused)] * len(deliveries)
    return of_batch(result, len(deliveries))


def _get_sender(block: Block, lane: Lane, deliveries: list[Delivery]) -> Principal:
    """Return who sends deliveries: a role of their targets, or EventBridge. Raises DeliveryError for several roles."""
    # What is given up goes to the dead-letter queue by the policy of that alone.
    roles = {"" if each.dead is not None else each.target.get("RoleArn") or "" for each in deliveries}
    if len(roles) > 1:
        raise DeliveryError("NO_PERMISSIONS", "Several roles.", permanent=True)
    role = roles.pop()
    if role:
        return access.make_session(deliveries[0].rule, role)
    return make_principal("service", Arn.parse(lane.target).account, access.PRINCIPAL, "events", "")


def _message(id: str, delivery: Delivery) -> dict[str, Any]:
    """Return the entry of a batch, with an id, that a queue gets."""
    if delivery.dead is not None:
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in delivery.dead.items()}
        return {"Id": id, "MessageBody": delivery.event, "MessageAttributes": attributes}
    message: dict[str, Any] = {"Id": id, "MessageBody": transforming.text(delivery)}
    if delivery.trace:
        trace = {"DataType": "String", "StringValue": delivery.trace}
        message["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
    parameters = delivery.target.get("SqsParameters")
    if parameters and (group := parameters.get("MessageGroupId")):
        message["MessageGroupId"] = group
    return message
