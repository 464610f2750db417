"""Giving events to targets through the APIs of their blocks. User guide, "Amazon EventBridge Pipes targets"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from cloudlet.core import Arn, AwsError
from cloudlet.core.aws.input_template import resolve_path
from cloudlet.core.aws.messages import queue_url
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes import checking, destination, function, log_group, transforming
from cloudlet.services.pipes.calling import call
from cloudlet.services.pipes.event import Event, decoded
from cloudlet.services.pipes.pipe import Parameters, Pipe
from cloudlet.services.pipes.stage import StageFailed
from cloudlet.wire import timestamps

T = TypeVar("T")
_KINDS = {"REQUEST_RESPONSE": "RequestResponse", "FIRE_AND_FORGET": "Event"}
_TOO_LONG = "BatchRequestTooLong"
_REFUSED = "InvalidParameterException"
"""What CloudWatch Logs says of lines that are more than a megabyte, or more than a day apart."""
_INVALID = "ValidationException"
"""What EventBridge says of entries that are too large together, or of one that cannot be."""


class Given(NamedTuple):
    """An event and the text that the target gets of it."""

    event: Event
    text: str


Failures = list[str | None]
"""What was wrong with each event, None for those that were taken."""


async def give(block: Block, pipe: Pipe, events: list[Event], texts: list[str]) -> Failures:
    """Give events to the target, as texts. Raises AwsError or StageFailed where it takes none of them."""
    batch = [Given(event, text) for event, text in zip(events, texts, strict=True)]
    arn = pipe.target_arn
    if checking.is_http(arn):
        return await _to_destination(block, pipe, arn, batch)
    largest = checking.largest_batch(pipe)
    if len(batch) > largest:
        raise StageFailed("TooManyEvents", f"{len(batch)} events are more than the {largest} that {arn} takes at once")
    match arn.service:
        case "sqs":
            return await _to_queue(block, pipe, arn, batch)
        case "sns":
            return await _to_topic(block, pipe, arn, batch)
        case "events":
            return await _to_bus(block, pipe, arn, batch)
        case "logs":
            return await _to_group(block, pipe, arn, batch)
        case _:
            return await _to_function(block, pipe, arn, batch)


def _dynamic(parameters: Parameters, event: Event, *names: str) -> dict[str, Any]:
    """Return some parameters of a target as they are for an event."""
    made = {name: transforming.parameter(parameters[name], event) for name in names if parameters.get(name)}
    return {name: value for name, value in made.items() if value is not None}


async def _to_queue(block: Block, pipe: Pipe, arn: Arn, batch: list[Given]) -> Failures:
    parameters = pipe.target_parameters.get("SqsQueueParameters") or {}

    def entry(given: Given) -> dict[str, Any]:
        own = _dynamic(parameters, given.event, "MessageGroupId", "MessageDeduplicationId")
        return {"MessageBody": given.text, **own}

    return await _in_entries(block, pipe, arn, "SendMessageBatch", {"QueueUrl": queue_url(block, arn)}, batch, entry)


async def _to_topic(block: Block, pipe: Pipe, arn: Arn, batch: list[Given]) -> Failures:
    return await _in_entries(
        block, pipe, arn, "PublishBatch", {"TopicArn": str(arn)}, batch, lambda given: {"Message": given.text}
    )


async def _in_entries(
    block: Block,
    pipe: Pipe,
    arn: Arn,
    operation: str,
    params: dict[str, Any],
    batch: list[Given],
    entry: Callable[[Given], dict[str, Any]],
) -> Failures:
    """Call a batch operation of SQS or SNS."""
    name = "Entries" if operation == "SendMessageBatch" else "PublishBatchRequestEntries"

    async def send(part: list[Given]) -> Failures:
        entries = [{"Id": str(number), **entry(given)} for number, given in enumerate(part)]
        result = await call(block, pipe, arn, operation, {**params, name: entries})
        failures: Failures = [None] * len(part)
        for failed in result.get("Failed") or ():
            failures[int(failed["Id"])] = f"{failed['Code']}: {failed.get('Message') or ''}"
        return failures

    return await _in_parts(batch, send, _TOO_LONG)


async def _of_each(
    batch: list[Given], make: Callable[[Given], T], send: Callable[[list[T]], Awaitable[Failures]]
) -> Failures:
    """Send what is made of events; one of which nothing can be made fails by itself."""
    failures: Failures = [None] * len(batch)
    made: dict[int, T] = {}
    for number, given in enumerate(batch):
        try:
            made[number] = make(given)
        except StageFailed as failed:
            failures[number] = str(failed)
    if made:
        for number, failure in zip(made, await send(list(made.values())), strict=True):
            failures[number] = failure
    return failures


async def _in_parts(batch: list[T], send: Callable[[list[T]], Awaitable[Failures]], refusal: str) -> Failures:
    """Send a batch; one that is refused as a whole, with an error of some code, goes in two, down to single events."""
    try:
        return await send(batch)
    except AwsError as error:
        if not error.code.endswith(refusal):
            raise
        if len(batch) == 1:
            return [str(error)]
    half = len(batch) // 2
    parts = (batch[:half], batch[half:])
    return [each for part in parts for each in await _in_parts(part, send, refusal)]


async def _to_bus(block: Block, pipe: Pipe, arn: Arn, batch: list[Given]) -> Failures:
    parameters = pipe.target_parameters.get("EventBridgeEventBusParameters") or {}
    defaults = {"Source": f"Pipe {pipe.name}", "DetailType": f"Event from {_source_name(pipe)}"}

    def entry(given: Given) -> dict[str, Any]:
        made = {**defaults, **_dynamic(parameters, given.event, "Source", "DetailType")}
        resources = [transforming.parameter(each, given.event) for each in parameters.get("Resources") or ()]
        made |= {"EventBusName": str(arn), "Detail": given.text, "Resources": [each for each in resources if each]}
        if parameters.get("Time"):
            made["Time"] = _moment(parameters["Time"], given.event)
        return made

    async def send(part: list[dict[str, Any]]) -> Failures:
        result = await call(block, pipe, arn, "PutEvents", {"Entries": part})
        return [
            f"{answer['ErrorCode']}: {answer.get('ErrorMessage') or ''}" if answer.get("ErrorCode") else None
            for answer in result["Entries"]
        ]

    return await _of_each(batch, entry, lambda entries: _in_parts(entries, send, _INVALID))


def _source_name(pipe: Pipe) -> str:
    return f"aws:{pipe.source_arn.service}"


def _moment(path: str, event: Event) -> float:
    """Return the time at a path of an event, in seconds since the epoch. Raises StageFailed."""
    found = resolve_path(decoded(event), path)
    try:
        return timestamps.parse(str(found), "iso8601")
    except (ValueError, OverflowError):
        raise _no_time(path) from None


def _no_time(path: str) -> StageFailed:
    return StageFailed("InvalidTimestamp", f"what is at {path} is no time")


async def _to_group(block: Block, pipe: Pipe, arn: Arn, batch: list[Given]) -> Failures:
    parameters = pipe.target_parameters.get("CloudWatchLogsParameters") or {}
    path = parameters.get("Timestamp")
    now = int(block.clock.now() * 1000)

    def line(given: Given) -> tuple[int, str]:
        return _milliseconds(path, given.event) if path else now, given.text

    async def send(lines: list[tuple[int, str]]) -> Failures:
        await log_group.write(block, pipe, arn, parameters.get("LogStreamName") or pipe.name, lines)
        return [None] * len(lines)

    return await _of_each(batch, line, lambda lines: _in_parts(lines, send, _REFUSED))


def _milliseconds(path: str, event: Event) -> int:
    """Return the time at a path: a number is in milliseconds since the epoch, as logs have it."""
    found = resolve_path(decoded(event), path)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if not is_number and not (isinstance(found, str) and found.isdecimal()):
        return int(_moment(path, event) * 1000)
    try:
        return int(found)
    except (ValueError, OverflowError):
        raise _no_time(path) from None


async def _to_function(block: Block, pipe: Pipe, arn: Arn, batch: list[Given]) -> Failures:
    parameters = pipe.target_parameters.get("LambdaFunctionParameters") or {}
    kind = _KINDS[parameters.get("InvocationType") or "REQUEST_RESPONSE"]
    answer = await function.invoke(block, pipe, arn, [given.text for given in batch], kind)
    if not isinstance(answer, dict) or not answer.get("batchItemFailures"):
        return [None] * len(batch)
    named = {str(each.get("itemIdentifier")) for each in answer["batchItemFailures"] if isinstance(each, dict)}
    known = {given.event.id for given in batch if given.event.id}
    if not named or not named <= known:
        raise StageFailed("InvalidResponse", f"{arn} named items as failed that it was not given")
    return ["batchItemFailures" if given.event.id in named else None for given in batch]


async def _to_destination(block: Block, pipe: Pipe, arn: Arn, batch: list[Given]) -> Failures:
    parameters = pipe.target_parameters.get("HttpParameters") or {}
    failures: Failures = []
    for given in batch:
        try:
            await destination.invoke(block, pipe, arn, given.event, given.text, parameters)
            failures.append(None)
        except AwsError as error:
            failures.append(str(error))
    return failures
