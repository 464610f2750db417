"""What becomes of asynchronous invocations, as destinations and dead-letter queues are told of it.

Developer guide, "Capturing records of Lambda asynchronous invocations" and "Adding a dead-letter queue".
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from cloudlet.core import Arn, AwsError
from cloudlet.core.aws.messages import make_send_call
from cloudlet.core.kernel.block import Block
from cloudlet.services.lambda_ import destinations
from cloudlet.services.lambda_.asynchronous.event import Event, InvocationRecord
from cloudlet.services.lambda_.execution.invocation import Outcome, error_message
from cloudlet.services.lambda_.functions.function import LATEST
from cloudlet.services.lambda_.functions.roles import make_lambda_session
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


def letter(block: Block, event: Event, role: str, arn: str, text: bytes, *, succeeded: bool) -> InvocationRecord:
    """Return what gives a record to a destination."""
    target = Arn.parse(arn)
    params: dict[str, Any]
    match target.service:
        case "lambda":
            operation, params = "Invoke", {"FunctionName": arn, "InvocationType": "Event", "Payload": text}
        case "events":
            result = "Success" if succeeded else "Failure"
            entry = {
                "Source": "lambda",
                "DetailType": f"Lambda Function Invocation Result - {result}",
                "Resources": [event.place.qualified(event.qualifier or LATEST), arn],
                "Detail": text.decode("utf-8", "replace"),
                "EventBusName": arn,
            }
            operation, params = "PutEvents", {"Entries": [entry]}
        case _:
            operation, params = destinations.call_of(block, target, text, f"async/{event.place.name}")
    return _letter(event, role, target, operation, params)


def dead_letter(block: Block, event: Event, role: str, arn: str, outcome: Outcome | None) -> InvocationRecord:
    """Return what gives an event to a function's dead-letter queue or topic."""
    target = Arn.parse(arn)
    told: dict[str, str | int] = {"RequestID": event.request_id, "ErrorCode": 200}
    if outcome is not None:
        told["ErrorMessage"] = error_message(outcome.payload)[:_ERROR_BYTES] or outcome.error
    operation, params = make_send_call(block, target, event.payload.decode("utf-8", "replace"), told)
    return replace(_letter(event, role, target, operation, params), is_dead=True)


def _letter(event: Event, role: str, target: Arn, operation: str, params: dict[str, Any]) -> InvocationRecord:
    return InvocationRecord(
        service=target.service,
        region=target.region or event.place.region,
        operation=operation,
        params=params,
        role=role,
        trace=event.trace,
    )


async def deliver(block: Block, event: Event, letter: InvocationRecord) -> None:
    """Tell a destination, or a dead-letter queue, as a session of the function's role. Raises AwsError."""
    place = event.place
    answer = await block.cloud.call(
        letter.service,
        letter.operation,
        letter.params,
        principal=make_lambda_session(place, letter.role),
        account=place.account,
        region=letter.region,
        source_arn=place.arn,
        trace=letter.trace or None,
    )
    if answer and answer.get("FailedEntryCount"):
        refused = answer["Entries"][0]
        raise AwsError(refused["ErrorCode"], refused["ErrorMessage"])


def _shown(answer: bytes) -> object:
    """Return a function's answer as a record has it; what is no JSON, as custom runtimes may answer, as text."""
    try:
        msgspec.json.decode(answer)
    except (ValueError, RecursionError):
        return answer.decode("utf-8", "replace")
    return msgspec.Raw(answer)
