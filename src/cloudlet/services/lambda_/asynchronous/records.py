"""What becomes of asynchronous invocations, as destinations and dead-letter queues are told of it.

Developer guide, "Capturing records of Lambda asynchronous invocations" and "Adding a dead-letter queue".
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError
from cloudlet.core.block import Block
from cloudlet.core.messages import message
from cloudlet.core.role_session import session_of
from cloudlet.services.lambda_ import destinations
from cloudlet.services.lambda_.asynchronous.event import Event
from cloudlet.services.lambda_.execution.invocation import Outcome, error_message
from cloudlet.services.lambda_.function import LATEST
from cloudlet.wire.timestamps import milliseconds

_ERROR_BYTES = 1024
_encode = msgspec.json.Encoder().encode


def record(event: Event, condition: str, outcome: Outcome | None, executed: str, now: float) -> bytes:
    """Return the record of an invocation; `outcome` is None where the function was never called for it."""
    told: dict[str, Any] = {
        "version": "1.0",
        "timestamp": milliseconds(now),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": event.place.qualified(event.qualifier or LATEST),
            "condition": condition,
            "approximateInvokeCount": event.attempts if condition != "Success" else event.attempts + 1,
        },
        "requestPayload": msgspec.Raw(event.payload),
    }
    if outcome is not None:
        told["responseContext"] = {"statusCode": 200, "executedVersion": executed}
        if outcome.error:
            told["responseContext"]["functionError"] = "Unhandled"
        told["responsePayload"] = _shown(outcome.payload or b"null")
    return _encode(told)


async def send(block: Block, role: str, event: Event, arn: str, text: bytes, *, succeeded: bool) -> None:
    """Give a record to a destination, as a session of the function's role. Raises AwsError."""
    target = Arn.parse(arn)
    place = event.place
    params: dict[str, Any]
    match target.service:
        case "lambda":
            operation, params = "Invoke", {"FunctionName": arn, "InvocationType": "Event", "Payload": text}
        case "events":
            result = "Success" if succeeded else "Failure"
            entry = {
                "Source": "lambda",
                "DetailType": f"Lambda Function Invocation Result - {result}",
                "Resources": [place.qualified(event.qualifier or LATEST), arn],
                "Detail": text.decode("utf-8", "replace"),
                "EventBusName": arn,
            }
            operation, params = "PutEvents", {"Entries": [entry]}
        case _:
            operation, params = destinations.call_of(block, target, text, f"async/{place.name}")
    answer = await _call(block, role, event, target, operation, params)
    if answer.get("FailedEntryCount"):
        refused = answer["Entries"][0]
        raise AwsError(refused["ErrorCode"], refused["ErrorMessage"])


async def send_dead_letter(block: Block, role: str, event: Event, arn: str, outcome: Outcome | None) -> None:
    """Give an event to a function's dead-letter queue or topic, as a session of its role. Raises AwsError."""
    target = Arn.parse(arn)
    told: dict[str, str | int] = {"RequestID": event.request_id, "ErrorCode": 200}
    if outcome is not None:
        told["ErrorMessage"] = error_message(outcome.payload)[:_ERROR_BYTES] or outcome.error
    operation, params = message(block, target, event.payload.decode("utf-8", "replace"), told)
    await _call(block, role, event, target, operation, params)


async def _call(
    block: Block, role: str, event: Event, target: Arn, operation: str, params: dict[str, Any]
) -> dict[str, Any]:
    place = event.place
    result = await block.cloud.call(
        target.service,
        operation,
        params,
        principal=session_of(role, place.name),
        account=place.account,
        region=target.region or place.region,
        source_arn=place.arn,
        trace=event.trace or None,
    )
    return dict(result or {})


def _shown(answer: bytes) -> object:
    """Return a function's answer as a record has it; what is no JSON, as custom runtimes may answer, as text."""
    try:
        msgspec.json.decode(answer)
    except (ValueError, RecursionError):
        return answer.decode("utf-8", "replace")
    return msgspec.Raw(answer)
