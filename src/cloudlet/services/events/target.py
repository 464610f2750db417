"""Targets: what can be one, and giving events to them through the APIs of their blocks."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn, AwsError, Context, Transaction
from cloudlet.core.block import Block
from cloudlet.services.events import access, bus, errors, matching, transforming
from cloudlet.services.events.outbox import Delivery
from cloudlet.services.events.rule import Rule, Target

BATCH = 10
_SERVER_ERROR = 500
_NOT_BUILT = 501
_FORBIDDEN = 403
_TRANSIENT = frozenset(("InternalError", "InternalFailure", "RequestThrottled", "ServiceUnavailable", "Throttling"))
_MEMBERS = frozenset(
    (
        "Id",
        "Arn",
        "RoleArn",
        "Input",
        "InputPath",
        "InputTransformer",
        "SqsParameters",
        "DeadLetterConfig",
        "RetryPolicy",
    )
)
_SERVICES = ("sqs", "sns", "events", "lambda", "logs")
_GROUP = "log-group:"


class Failed(Exception):
    """A delivery that was not accepted; what is `permanent` is not tried again."""

    def __init__(self, code: str, message: str, *, permanent: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.permanent = permanent


async def check(ctx: Context, tx: Transaction, rule: Rule, target: Target) -> None:
    """Raise AwsError unless something can be a target of a rule."""
    id = target["Id"]
    try:
        arn = Arn.parse(target["Arn"])
    except ValueError:
        raise errors.validation(
            f"Parameter {target['Arn']} is not valid. Reason: Provided Arn is not in correct format."
        ) from None
    other = next(iter(target.keys() - _MEMBERS), None)
    if other is not None:
        raise errors.not_built(f"the parameter {other} of targets")
    if arn.service not in _SERVICES or not ctx.block.cloud.has(arn.service):
        raise errors.not_built(f"targets of {arn.service}")
    if arn.service != "events" and arn.region != rule.region:
        raise errors.validation(
            f"Parameter {target['Arn']} is not valid. Reason: Provided Arn is not in correct region."
        )
    fifo = arn.service == "sqs" and arn.resource.endswith(".fifo")
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    if "SqsParameters" in target and arn.service != "sqs":
        raise errors.validation(f"SqsParameters is not valid for target {id}.")
    if fifo and not group:
        raise errors.validation(f"Parameter(s) SqsParameters must be specified for target: {id}.")
    if arn.service == "events":
        await _check_bus(ctx, tx, rule, target)
    if arn.service == "logs" and not arn.resource.removeprefix(_GROUP).startswith("/aws/events/"):
        raise errors.validation(f"Log group names of targets must start with /aws/events/, as that of {id} does not.")
    letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if letters is not None:
        _check_dead_letters(letters)
    transforming.check(target)


async def _check_bus(ctx: Context, tx: Transaction, rule: Rule, target: Target) -> None:
    place = bus.place_of_arn(target["Arn"])
    if transforming.MEMBERS & target.keys():
        raise errors.validation(f"Modifying the input for target {target['Id']} is not supported.")
    if place == rule.place:
        raise errors.validation(f"Parameter {target['Arn']} is not valid. Reason: a bus cannot be its own target.")
    found = await bus.find(tx, place)
    if found is not None:
        access.authorize(ctx, found, "PutEvents")


def _check_dead_letters(text: str) -> None:
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.validation(f"Dead-letter queue {text} is not valid.") from None
    if arn.service != "sqs" or arn.resource.endswith(".fifo"):
        raise errors.validation(f"Dead-letter queue {text} is not valid. Only standard SQS queues are supported.")


async def give(block: Block, arn: str, deliveries: list[Delivery]) -> list[Failed | None]:
    """Give up to ten deliveries of one rule to the target, or dead-letter queue, with an ARN."""
    place = Arn.parse(arn)
    if place.service == "sqs":
        return await _send(block, place, deliveries)
    return [await _give_one(block, place, each) for each in deliveries]


async def _give_one(block: Block, arn: Arn, delivery: Delivery) -> Failed | None:
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
        return _failed(error)
    return None


async def _hand_on(block: Block, arn: str, delivery: Delivery) -> None:
    """Put an event on another bus. Raises AwsError where it has come from another one already.

    User guide, "Sending and receiving events between event buses": a third bus gets no events of the first.
    """
    place = bus.place_of_arn(arn)
    if delivery.hops:
        where = "ACCOUNT" if place.region == delivery.rule.region else "REGION"
        raise AwsError(f"THIRD_{where}_HOP_DETECTED", "An event that another bus has sent goes to no third bus.")

    async def body(tx: Transaction) -> None:
        await bus.get(tx, place)
        await matching.put(tx, place, delivery.event, block.clock.now(), delivery.hops + 1, delivery.trace)

    await block.store.transact(body)


async def _log(block: Block, arn: Arn, delivery: Delivery, text: str) -> None:
    """Write to a log group, into a stream of the rule."""
    name = {"logGroupName": arn.resource.removeprefix(_GROUP).removesuffix(":*"), "logStreamName": delivery.rule.name}
    line = {"timestamp": delivery.noted, "message": text}
    try:
        await _call(block, arn, delivery, "PutLogEvents", {**name, "logEvents": [line]})
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        # It is the stream that is not there yet, or the group, which is then what this says.
        try:
            await _call(block, arn, delivery, "CreateLogStream", name)
        except AwsError as refused:
            if refused.code != "ResourceAlreadyExistsException":
                raise
        await _call(block, arn, delivery, "PutLogEvents", {**name, "logEvents": [line]})


async def _call(block: Block, arn: Arn, delivery: Delivery, operation: str, params: dict[str, Any]) -> Any:
    return await block.call(
        arn.service, operation, params, account=arn.account, region=arn.region, source_arn=delivery.rule.arn
    )


async def _send(block: Block, queue: Arn, deliveries: list[Delivery]) -> list[Failed | None]:
    """Send messages to a queue at once."""
    entries = [{**_message(each), "Id": str(number)} for number, each in enumerate(deliveries)]
    url = f"{block.cloud.config.endpoint}/{queue.account}/{queue.resource}"
    try:
        result = await _call(block, queue, deliveries[0], "SendMessageBatch", {"QueueUrl": url, "Entries": entries})
    except AwsError as error:
        if error.code.endswith("BatchRequestTooLong") and len(deliveries) > 1:
            half = len(deliveries) // 2
            return await _send(block, queue, deliveries[:half]) + await _send(block, queue, deliveries[half:])
        return [_failed(error)] * len(deliveries)
    outcomes: list[Failed | None] = [None] * len(deliveries)
    for failed in result.get("Failed") or ():
        permanent = failed["SenderFault"] and failed["Code"] not in _TRANSIENT
        outcomes[int(failed["Id"])] = Failed(failed["Code"], failed.get("Message") or "", permanent=permanent)
    return outcomes


def _message(delivery: Delivery) -> dict[str, Any]:
    if delivery.dead is not None:
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in delivery.dead.items()}
        return {"MessageBody": delivery.event, "MessageAttributes": attributes}
    message: dict[str, Any] = {"MessageBody": transforming.text(delivery)}
    if delivery.trace:
        trace = {"DataType": "String", "StringValue": delivery.trace}
        message["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
    return {**message, "MessageGroupId": group} if group else message


def _failed(error: AwsError) -> Failed:
    """Return what an error means: another block's own faults pass, those of ours stay (user guide, "rule-dlq")."""
    code = error.code
    if error.status == _FORBIDDEN or code.startswith(("AccessDenied", "AuthorizationError")):
        code = "NO_PERMISSIONS"
    elif "NotFound" in code or "NotExist" in code or "NonExistent" in code:
        code = "NO_RESOURCE"
    ours = error.status is not None and error.status >= _SERVER_ERROR and error.status != _NOT_BUILT
    return Failed(code, error.message, permanent=not ours and error.code not in _TRANSIENT)
