"""Invoke: a function is asked, and its answer given.

API reference, "Invoke". Limits: developer guide, "Lambda quotas".
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.services.lambda_ import access, errors, measuring, tracing
from cloudlet.services.lambda_.asynchronous import event as events
from cloudlet.services.lambda_.asynchronous.event import Event
from cloudlet.services.lambda_.durable import starting
from cloudlet.services.lambda_.durable.execution import Execution
from cloudlet.services.lambda_.execution.concurrency import Room
from cloudlet.services.lambda_.execution.engine import ENGINE
from cloudlet.services.lambda_.execution.invocation import ANSWER_BYTES, Invocation, Outcome, too_large
from cloudlet.services.lambda_.execution.streaming import Pieces, Stream
from cloudlet.services.lambda_.functions import concurrency, directory
from cloudlet.services.lambda_.functions.directory import FunctionReference, Resolved
from cloudlet.services.lambda_.functions.function import LATEST, Function

PAYLOAD_BYTES = 6_291_456
EVENT_BYTES = 1_048_576
_CONTEXT_BYTES = 3583
_RECURSIVE = (
    "Lambda has detected your function being invoked in a recursive loop with other AWS resources and stopped your "
    "function's invocation."
)


class Target(NamedTuple):
    """What an invocation goes to: a version, the alias by which it was named, and its function."""

    resolved: Resolved
    function: Function
    room: Room


async def target_of(tx: Transaction, what: FunctionReference) -> Target:
    """Return what an invocation goes to. Raises AwsError."""
    resolved = await directory.choose(tx, _qualified(what))
    function = await directory.function(tx, what.place)
    return Target(resolved, function, await concurrency.room(tx, function, resolved))


def _qualified(what: FunctionReference) -> FunctionReference:
    """Return what an invocation names; AWS says of a function that is not there that its `$LATEST` is not."""
    return what._replace(qualifier=what.qualifier or LATEST)


async def target(ctx: Context, params: Params) -> tuple[FunctionReference, Target]:
    """Return what a request invokes, if the caller may and it can be invoked now. Raises AwsError."""
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))

    async def body(tx: Transaction) -> Target:
        await access.authorize(ctx, tx, what, "InvokeFunction")
        return await target_of(tx, what)

    found = await ctx.transact(body)
    _check_state(found.resolved)
    return what, found


def _check_state(found: Resolved) -> None:
    """Raise AwsError where a version cannot be invoked now."""
    state = found.version.state
    if state != "Active":
        raise errors.conflict(
            f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
        )


def _invocation(ctx: Context, params: Params, what: FunctionReference) -> Invocation:
    """Return what a request asks a function. Raises AwsError."""
    payload = checked_payload(params.get("Payload"), PAYLOAD_BYTES)
    client_context = _client_context(params.get("ClientContext"))
    return Invocation(ctx.request_id, payload, what.arn, client_context, ctx.headers.get(TRACE_HEADER, ""))


async def invoke(ctx: Context, params: Params) -> Result:
    """Ask a function and wait for its answer."""
    what, found = await target(ctx, params)
    if params.get("InvocationType") == "DryRun":
        ctx.response_status = 204
        return {"StatusCode": 204}
    invocation, name = _invocation(ctx, params, what), params.get("DurableExecutionName")
    result: dict[str, Any] = {"StatusCode": 200}
    durable = found.resolved.version.durable
    if durable is not None:
        starting.check_named(what)
        _check_durable(params)
        execution, outcome = await starting.run(ctx.block, found.resolved, durable, invocation, name)
        result |= {"DurableExecutionArn": execution.arn, "ExecutedVersion": execution.version}
    else:
        _check_unnamed(name)
        outcome = await run(ctx.block, found, invocation)
        result["ExecutedVersion"] = found.resolved.version.version
    result["Payload"] = outcome.payload
    if outcome.error:
        result["FunctionError"] = "Unhandled"
    if params.get("LogType") == "Tail":
        result["LogResult"] = b64encode(outcome.log).decode()
    return result


def _check_durable(params: Params) -> None:
    """Raise AwsError for what the executions of durable functions would not honour."""
    if params.get("ClientContext"):
        raise errors.not_built("client contexts of durable functions")
    if params.get("LogType") == "Tail":
        raise errors.not_built("the end of the log of durable functions")


def _check_unnamed(name: str | None) -> None:
    """Raise AwsError for the name of a durable execution where there is none."""
    if name:
        raise errors.invalid("DurableExecutionName can only be used with durable functions.")


async def accept(ctx: Context, params: Params) -> Result:
    """Take an event for a function, which gets it soon."""
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    payload = checked_payload(params.get("Payload"), EVENT_BYTES)
    context = _client_context(params.get("ClientContext"))
    now = ctx.now()
    event = Event(
        place=what.place,
        qualifier=what.qualifier or "",
        request_id=ctx.request_id,
        payload=payload,
        accepted=now,
        due=now,
        client_context=msgspec.json.encode(context) if context is not None else b"",
        trace=ctx.headers.get(TRACE_HEADER, ""),
    )

    name = params.get("DurableExecutionName")

    async def body(tx: Transaction) -> tuple[Resolved, Execution | None, bool]:
        await access.authorize(ctx, tx, what, "InvokeFunction")
        resolved = await directory.resolve(tx, _qualified(what))
        _check_state(resolved)
        durable = resolved.version.durable
        if durable is None:
            _check_unnamed(name)
            events.accept(tx, event)
            return resolved, None, False
        starting.check_named(what)
        _check_durable(params)
        invocation = Invocation(ctx.request_id, payload, what.arn, context, event.trace)
        chosen = await directory.choose(tx, what)
        config = chosen.version.durable or durable
        started = await starting.start(tx, chosen, config, invocation, now, name=name, is_asynchronous=True)
        return resolved, *started

    resolved, execution, is_new = await ctx.transact(body)
    measuring.received(ctx.block, resolved)
    if is_new:
        measuring.note_durable(ctx.block, what.place, "DurableExecutionStarted")
    return {"StatusCode": 202, **({"DurableExecutionArn": execution.arn} if execution is not None else {})}


async def begin(block: Block, found: Target, invocation: Invocation) -> tuple[Pieces, asyncio.Task[Outcome]]:
    """Have a function serve an invocation; return its answer as it comes, and what becomes of the invocation.

    Returns once the function has begun to answer. Raises AwsError where it is throttled or cannot run.
    """
    begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stream = Stream(begun)
    pieces = Pieces(stream)
    running = asyncio.create_task(run(block, found, invocation, stream))
    first: list[asyncio.Future[Any]] = [begun, running]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    if running.done() and not begun.done():
        outcome = running.result()
        if not outcome.error:
            stream.feed(outcome.payload)
        stream.end()
    return pieces, running


async def invoke_streaming(ctx: Context, params: Params) -> Result:
    """Ask a function, and give its answer as it comes."""
    what, found = await target(ctx, params)
    if params.get("InvocationType") == "DryRun":
        ctx.response_status = 204
        return {"StatusCode": 204}
    pieces, running = await begin(ctx.block, found, _invocation(ctx, params, what))
    return {
        "StatusCode": 200,
        "ExecutedVersion": found.resolved.version.version,
        "EventStream": _events(pieces, running, tail=params.get("LogType") == "Tail"),
    }


async def _events(pieces: Pieces, running: asyncio.Task[Outcome], *, tail: bool) -> AsyncIterator[dict[str, Any]]:
    async for piece in pieces:
        yield {"PayloadChunk": {"Payload": piece}}
    outcome = await running
    complete: dict[str, Any] = {}
    if outcome.error:
        complete = {"ErrorCode": outcome.error, "ErrorDetails": outcome.payload.decode("utf-8", "replace")}
    if tail:
        complete["LogResult"] = b64encode(outcome.log).decode()
    yield {"InvokeComplete": complete}


async def run(block: Block, found: Target, invocation: Invocation, stream: Stream | None = None) -> Outcome:
    """Have a function serve an invocation, a durable one by an execution.

    Raises AwsError where it is throttled or cannot run.
    """
    durable = found.resolved.version.durable
    if durable is not None:
        return (await starting.run(block, found.resolved, durable, invocation))[1]
    return await run_once(block, found, invocation, stream)


async def run_once(block: Block, found: Target, invocation: Invocation, stream: Stream | None = None) -> Outcome:
    """Have a function called, and measure that. Raises AwsError where it is throttled or cannot run."""
    running = ENGINE.get(block)
    version, function = found.resolved.version, found.function
    trace = tracing.begin(block, version, invocation.trace)
    invocation.trace = trace.header
    if trace.is_recursive and function.recursion != "Allow":
        measuring.recursive(block, found.resolved)
        raise AwsError("RecursiveInvocationException", _RECURSIVE, status=400)
    if trace.sampled:
        running.subsegments.expect(version.place, trace.function, trace.root)
    try:
        place, names = function.place, (found.resolved.qualifier, version.version)
        with (
            running.concurrency.one_more(place, found.resolved.qualifier, found.room),
            running.concurrency.use_ready(place, names) as use,
        ):
            measuring.running(block, found.resolved, running.concurrency.of(place))
            if use is not None:
                measuring.note_use(block, place, use)
            outcome = await running.pools.invoke(version, invocation, stream)
    except AwsError as error:
        if error.code == "TooManyRequestsException":
            measuring.throttled(block, found.resolved)
        raise
    if len(outcome.payload) > ANSWER_BYTES:
        refused = too_large()
        outcome.error, outcome.payload = refused.error, refused.payload
    measuring.served(block, found.resolved, outcome)
    tracing.end(block, version, trace, invocation, outcome)
    return outcome


def checked_payload(payload: bytes | None, limit: int) -> bytes:
    """Return the event of a request, which is JSON. Raises AwsError."""
    if not payload:
        return b"{}"
    if len(payload) > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        raise AwsError("RequestTooLargeException", message, status=413)
    try:
        msgspec.json.decode(payload)
    except (ValueError, RecursionError) as error:
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}", status=400
        ) from None
    return payload


def _client_context(given: str | None) -> dict[str, Any] | None:
    """Read the ClientContext of a request: JSON in base64. Raises AwsError."""
    if not given:
        return None
    wrong = AwsError("InvalidRequestContentException", "Client context must be a valid Base64-encoded JSON object.")
    if len(given) > _CONTEXT_BYTES:
        raise wrong
    try:
        told = msgspec.json.decode(b64decode(given, validate=True))
    except (ValueError, RecursionError):
        raise wrong from None
    if not isinstance(told, dict):
        raise wrong
    return told
