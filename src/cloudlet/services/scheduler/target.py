"""Templated targets: what can be one, and the calls of the APIs of their blocks.

User guide, "Using templated targets in EventBridge Scheduler".
"""

from __future__ import annotations

from typing import Any

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.authorization.role_session import check_role, is_assumable, make_session
from cloudlet.core.aws.messages import queue_url
from cloudlet.core.background.retrying import DeliveryError, of_events
from cloudlet.core.kernel.block import Block
from cloudlet.services.scheduler import errors, payload, universal
from cloudlet.services.scheduler.firing import Firing
from cloudlet.services.scheduler.group import make_arn
from cloudlet.services.scheduler.schedule import Target
from cloudlet.wire import WireError, load

_LARGEST_INPUT_BYTES = 262_144
_PARAMETERS = {"EventBridgeParameters": "events", "SqsParameters": "sqs"}
"""Members of a target and the service that they are for."""
_UNBUILT_PARAMETERS = frozenset(
    (
        "EcsParameters",
        "EventBridgePutEventsV2Parameters",
        "EventBridgePutRawEventsParameters",
        "KinesisParameters",
        "SageMakerPipelineParameters",
    )
)
_PRINCIPAL = "scheduler.amazonaws.com"
_SERVICES = ("sqs", "sns", "events", "lambda")
_JSON_SERVICES = ("events", "lambda")


async def check_trust(ctx: Context, target: Target, of: str) -> None:
    """Raise AwsError unless schedules of a group can act by a target's role."""
    role = target["RoleArn"]
    check_role(ctx.account, role)
    session = make_session(role, "check", _PRINCIPAL, make_arn(ctx.account, ctx.region, of))
    if not await is_assumable(ctx.block, session):
        raise errors.validation(
            "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
        )


def check(ctx: Context, target: Target) -> None:
    """Raise AwsError unless something can be the target of a schedule."""
    try:
        arn = Arn.parse(target["Arn"])
    except ValueError:
        raise errors.validation("Provided Arn is not in correct format.") from None
    unbuilt = next(iter(_UNBUILT_PARAMETERS & target.keys()), None)
    if unbuilt is not None:
        raise errors.not_built(f"the parameter {unbuilt} of targets")
    if len(target.get("Input", "").encode()) > _LARGEST_INPUT_BYTES:
        raise errors.validation(f"Input must not be longer than {_LARGEST_INPUT_BYTES} bytes.")
    if universal.is_universal(arn):
        universal.check(ctx, arn, target)
        _check_parameters(target, "")
        return
    if arn.service not in _SERVICES or not ctx.block.cloud.has(arn.service):
        raise errors.not_built(f"targets of {arn.service}")
    _check_parameters(target, arn.service)
    if arn.service == "events" and "EventBridgeParameters" not in target:
        raise errors.validation("EventBridgeParameters must be specified for targets of EventBridge.")
    if arn.service == "sqs" and arn.resource.endswith(".fifo") and "MessageGroupId" not in _of_queue(target):
        raise errors.validation("SqsParameters with a MessageGroupId must be specified for a FIFO queue.")
    if arn.service in _JSON_SERVICES and "Input" in target and not payload.is_json(target["Input"]):
        raise errors.validation("Input must be a well-formed JSON.")


def _check_parameters(target: Target, service: str) -> None:
    for member, meant in _PARAMETERS.items():
        if member in target and meant != service:
            raise errors.validation(f"{member} is not valid for the target {target['Arn']}.")


def _of_queue(target: Target) -> dict[str, Any]:
    return target.get("SqsParameters") or {}


async def invoke(block: Block, firing: Firing, text: str) -> None:
    """Invoke the target of a firing with what it gets. Raises Failed."""
    arn = Arn.parse(firing.target["Arn"])
    if universal.is_universal(arn):
        given = text if "Input" in firing.target else "{}"
        try:
            service, operation, params = universal.call_of(arn, given)
        except AwsError as error:
            raise DeliveryError(error.code, error.message, permanent=True) from error
        own = Arn(arn.partition, service, firing.region, firing.account, arn.resource)
        await _call(block, firing, own, operation, params)
        return
    match arn.service:
        case "sqs":
            await send(block, firing, arn, {"MessageBody": text, **_of_queue(firing.target)})
        case "sns":
            await _call(block, firing, arn, "Publish", {"TopicArn": str(arn), "Message": text})
        case "lambda":
            params = {"FunctionName": str(arn), "InvocationType": "Event", "Payload": text.encode()}
            await _call(block, firing, arn, "Invoke", params)
        case _:
            entry = {"EventBusName": str(arn), "Detail": text, **firing.target["EventBridgeParameters"]}
            result = await _call(block, firing, arn, "PutEvents", {"Entries": [entry]})
            (failed,) = of_events(result)
            if failed is not None:
                raise failed


async def send(block: Block, firing: Firing, queue: Arn, message: dict[str, Any]) -> None:
    """Send a message to a queue. Raises Failed."""
    await _call(block, firing, queue, "SendMessage", {"QueueUrl": queue_url(block, queue), **message})


async def _call(block: Block, firing: Firing, arn: Arn, operation: str, params: dict[str, Any]) -> Any:
    group = make_arn(firing.account, firing.region, firing.group)
    try:
        return await block.cloud.call(
            arn.service,
            operation,
            params,
            principal=make_session(firing.target["RoleArn"], firing.id, _PRINCIPAL, group),
            account=firing.account,
            region=arn.region,
        )
    except WireError as error:
        failed = DeliveryError.of(error)
        raise DeliveryError(_shown(arn.service, failed.code), failed.message, permanent=failed.permanent) from error


def _shown(service: str, code: str) -> str:
    """Return the code of an error as AWS has it on the wire."""
    shape = load(service).error_shape(code)
    return code if shape is None else str(shape.error.get("code", code))
