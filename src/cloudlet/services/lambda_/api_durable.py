"""The operations on durable executions. Developer guide, "Lambda durable functions"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.durable import history, progress, showing, storage
from cloudlet.services.lambda_.durable.driving import Change, change_execution
from cloudlet.services.lambda_.durable.execution import (
    FAILED,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    Execution,
    Key,
    Operation,
    Pause,
    make_not_found,
    parse,
    parse_token,
)
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions import showing as functions
from cloudlet.services.lambda_.functions.function import Place

_PAGE: Final = 100
_MAX_PAGE_ITEMS: Final = 1_000
_MAX_MARKER_CHARACTERS: Final = 9
_STATE_BYTES: Final = 4 * 1_048_576
_STALE: Final = "Invalid checkpoint token"
_decode_event = msgspec.msgpack.Decoder(dict[str, Any]).decode


async def _authorize(ctx: Context, arn: str, action: str) -> Key:
    """Return the execution of an ARN that the caller may do this to. Raises AwsError."""
    key = parse(arn, ctx.account, ctx.region)
    await ctx.transact(lambda tx: access.authorize_own(ctx, tx, arn, action))
    return key


async def _find(tx: Transaction, key: Key, arn: str) -> Execution:
    execution = await storage.find(tx, key)
    if execution is None or execution.arn != arn:
        raise make_not_found(arn)
    return execution


async def _change(ctx: Context, key: Key, arn: str, change: Change) -> tuple[Execution, bool]:
    """Change an execution; return its new form, and whether it had not ended before. Raises AwsError."""
    execution, was_open = await change_execution(ctx.block, key, change)
    if execution is None or execution.arn != arn:
        raise make_not_found(arn)
    return execution, was_open


def _check_token(execution: Execution, token: str) -> None:
    if token != execution.checkpoint_token:
        raise errors.invalid(_STALE)


def _read_marker(params: Params) -> int | None:
    """Return the number that a page begins with. Raises AwsError for what is none."""
    marker = params.get("Marker") or ""
    if not marker:
        return None
    if not (marker.isascii() and marker.isdecimal() and len(marker) <= _MAX_MARKER_CHARACTERS):
        raise errors.invalid("The provided marker is not valid.")
    return int(marker)


@service.direct("CheckpointDurableExecution")
async def checkpoint_durable_execution(ctx: Context, params: Params) -> Result:
    arn, token, updates = params["DurableExecutionArn"], params["CheckpointToken"], params.get("Updates") or ()
    client_token = params.get("ClientToken") or ""
    key = await _authorize(ctx, arn, "CheckpointDurableExecution")
    shown: list[dict[str, Any]] = []

    async def save(tx: Transaction, execution: Execution, now: float) -> Execution:
        shown.clear()
        if execution.arn != arn or execution.invoked is None:
            raise errors.invalid(_STALE)
        if client_token and client_token == execution.client_token:
            await _show(tx, execution, [update["Id"] for update in updates], shown)
            return execution
        _check_token(execution, token)
        execution = await progress.apply(tx, execution, updates, now)
        if execution.has_ended:
            return execution
        await _show(tx, execution, execution.changed, shown)
        saved = replace(execution, token=execution.token + 1, client_token=client_token, changed=(), has_to_run=False)
        return progress.settle_pause(saved)

    execution, was_open = await _change(ctx, key, arn, save)
    if not was_open:
        raise errors.invalid("The durable execution has already completed.")
    answer: dict[str, Any] = {"NewExecutionState": {"Operations": shown}}
    return {**answer, "CheckpointToken": execution.checkpoint_token} if execution.status == RUNNING else answer


async def _show(tx: Transaction, execution: Execution, ids: Any, shown: list[dict[str, Any]]) -> None:
    for id in ids:
        operation = await storage.find_operation(tx, execution.key, id)
        if operation is not None:
            shown.append(showing.show(operation))


@service.operation("GetDurableExecutionState")
async def get_durable_execution_state(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["DurableExecutionArn"]
    key = parse(arn, ctx.account, ctx.region)
    await access.authorize_own(ctx, tx, arn, "GetDurableExecutionState")
    execution = await _find(tx, key, arn)
    _check_token(execution, params["CheckpointToken"])
    marker = _read_marker(params) or 0
    count = min(params.get("MaxItems") or _PAGE, _MAX_PAGE_ITEMS)
    shown, last = await showing.list_state(tx, key, marker, count, _STATE_BYTES)
    return {"Operations": shown, **({} if last is None else {"NextMarker": str(last)})}


@service.operation("GetDurableExecution")
async def get_durable_execution(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["DurableExecutionArn"]
    key = parse(arn, ctx.account, ctx.region)
    await access.authorize_own(ctx, tx, arn, "GetDurableExecution")
    execution = await _find(tx, key, arn)
    is_included = params.get("IncludeExecutionData") is not False
    shown: dict[str, Any] = {
        **showing.summarize(execution),
        "Version": execution.version,
        "TraceHeader": {"XAmznTraceId": execution.trace} if execution.trace else None,
        "ExecutionDataIncluded": is_included,
        "DurableConfig": functions.show_durable(execution.config),
    }
    if not execution.has_ended:
        shown["ExpectedExecutionTimeoutTimestamp"] = execution.times_out
    if execution.pause is not None:
        shown["PauseDetails"] = showing.drop_none(
            {
                "PauseRequestTimestamp": execution.pause.requested,
                "Reason": execution.pause.reason or None if is_included else None,
                "ExecutionTimeoutPaused": execution.pause.stops_timeout,
            }
        )
    if is_included:
        result, error = await storage.load_result(tx, key)
        shown |= {"InputPayload": (await storage.load_input(tx, key)).decode(), "Result": result, "Error": error}
    return showing.drop_none(shown)


@service.operation("GetDurableExecutionHistory")
async def get_durable_execution_history(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["DurableExecutionArn"]
    key = parse(arn, ctx.account, ctx.region)
    await access.authorize_own(ctx, tx, arn, "GetDurableExecutionHistory")
    execution = await _find(tx, key, arn)
    backwards = bool(params.get("ReverseOrder"))
    marker, count = _read_marker(params), min(params.get("MaxItems") or _PAGE, _MAX_PAGE_ITEMS)
    space = storage.get_event_space(key)
    if backwards:
        end = marker or execution.events + 1
        rows = (await tx.range(space.key(max(1, end - count)), space.key(end), limit=count))[::-1]
    else:
        rows = await tx.range(space.key(marker or 1), space.end, limit=count)
    shown: list[dict[str, Any]] = []
    size = 0
    for _, raw in rows:
        size += len(raw)
        if shown and size > _STATE_BYTES:
            break
        shown.append(_decode_event(raw))
    last = shown[-1]["EventId"] if shown else 0
    # The marker of a page is the first event of it, or the one behind its last.
    following = last if backwards else last + 1
    has_more = bool(shown) and (last > 1 if backwards else last < execution.events)
    if params.get("IncludeExecutionData") is False:
        shown = [history.drop_data(event) for event in shown]
    return {"Events": shown, **({"NextMarker": str(following)} if has_more else {})}


@service.operation("ListDurableExecutionsByFunction")
async def list_durable_executions_by_function(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    await access.authorize(ctx, tx, what, "ListDurableExecutionsByFunction")
    await directory.function(tx, what.place)
    version = None if what.qualifier is None else (await directory.resolve(tx, what)).version.version
    choose = _make_filter(params, version)
    limit = params.get("MaxItems") or _PAGE
    if params.get("ReverseOrder"):
        shown, marker = await paging.page(
            tx, storage.get_execution_space(what.place), params.get("Marker"), limit, choose, _MAX_PAGE_ITEMS
        )
        return {"DurableExecutions": shown, **({"NextMarker": marker} if marker else {})}
    return await _list_newest(tx, what.place, params.get("Marker"), min(limit, _MAX_PAGE_ITEMS), choose)


def _make_filter(params: Params, version: str | None) -> Callable[[bytes], dict[str, Any] | None]:
    name, statuses = params.get("DurableExecutionName"), params.get("Statuses")
    after, before = params.get("StartedAfter"), params.get("StartedBefore")

    def choose(raw: bytes) -> dict[str, Any] | None:
        execution = storage.decode_execution(raw)
        is_chosen = (
            (version is None or execution.version == version)
            and (not name or execution.name == name)
            and (not statuses or execution.status in statuses)
            and (after is None or execution.started > after)
            and (before is None or execution.started < before)
        )
        return showing.summarize(execution) if is_chosen else None

    return choose


async def _list_newest(
    tx: Transaction, place: Place, marker: str | None, limit: int, choose: Callable[[bytes], dict[str, Any] | None]
) -> Result:
    """Return a page of a function's executions, the newest first. The marker is the id of the last one before it."""
    space = storage.get_execution_space(place)
    end = space.key(marker) if marker else space.end
    shown: list[dict[str, Any]] = []
    last = ""
    while rows := await tx.range(space.begin, end, limit=_PAGE, reverse=True):
        for key, raw in rows:
            end = key
            chosen = choose(raw)
            if chosen is None:
                continue
            if len(shown) == limit:
                return {"DurableExecutions": shown, "NextMarker": last}
            shown.append(chosen)
            last = space.unpack(key)[0]
    return {"DurableExecutions": shown}


@service.direct("StopDurableExecution")
async def stop_durable_execution(ctx: Context, params: Params) -> Result:
    arn, error = params["DurableExecutionArn"], params.get("Error")
    key = await _authorize(ctx, arn, "StopDurableExecution")

    async def stop(tx: Transaction, execution: Execution, now: float) -> Execution:
        return progress.finish(tx, execution, STOPPED, now, None, error or {})

    execution, _ = await _change(ctx, key, arn, stop)
    return {"StopTimestamp": execution.ended}


@service.direct("PauseDurableExecution")
async def pause_durable_execution(ctx: Context, params: Params) -> None:
    reason, stops_timeout = params.get("Reason") or "", params.get("ExecutionTimeoutPaused") is not False

    def pause(tx: Transaction, execution: Execution, now: float) -> Execution:
        if execution.pause is not None:
            raise _make_conflict(execution)
        return progress.pause(tx, execution, Pause(now, reason, stops_timeout), now)

    await _change_pause(ctx, params, "PauseDurableExecution", pause)


@service.direct("ResumeDurableExecution")
async def resume_durable_execution(ctx: Context, params: Params) -> None:
    reason = params.get("Reason") or ""

    def resume(tx: Transaction, execution: Execution, now: float) -> Execution:
        if execution.pause is None:
            raise _make_conflict(execution)
        return progress.resume(tx, execution, execution.pause, reason, now)

    await _change_pause(ctx, params, "ResumeDurableExecution", resume)


async def _change_pause(
    ctx: Context, params: Params, action: str, change: Callable[[Transaction, Execution, float], Execution]
) -> None:
    """Pause an execution, or have it go on, once for a client's token. Raises AwsError."""
    arn, token = params["DurableExecutionArn"], params.get("ClientToken") or ""
    key = await _authorize(ctx, arn, action)

    async def apply(tx: Transaction, execution: Execution, now: float) -> Execution:
        if token and token == execution.pause_token:
            return execution
        return replace(change(tx, execution, now), pause_token=token)

    execution, was_open = await _change(ctx, key, arn, apply)
    if not was_open:
        raise _make_conflict(execution)
    ctx.response_status = 202


@service.direct("DeleteDurableExecution")
async def delete_durable_execution(ctx: Context, params: Params) -> Result:
    arn = params["DurableExecutionArn"]
    key = await _authorize(ctx, arn, "DeleteDurableExecution")

    async def delete(tx: Transaction) -> None:
        execution = await _find(tx, key, arn)
        if not execution.has_ended:
            raise _make_conflict(execution)
        await storage.remove(tx, execution)

    await ctx.transact(delete)
    ctx.response_status = 202
    return {"DeletionRequestTimestamp": ctx.now()}


def _make_conflict(execution: Execution) -> AwsError:
    return errors.conflict(f"The durable execution is in status {execution.status}: {execution.arn}")


@service.direct("SendDurableExecutionCallbackSuccess")
async def send_durable_execution_callback_success(ctx: Context, params: Params) -> None:
    given = params.get("Result")
    payload = given if isinstance(given, bytes | None) else await given.read(_STATE_BYTES)
    text = None if payload is None else payload.decode("utf-8", "replace")

    def end(tx: Transaction, execution: Execution, operation: Operation, now: float) -> Execution:
        return replace(progress.end(tx, execution, operation, SUCCEEDED, now, text), has_to_run=True)

    await _answer(ctx, params["CallbackId"], "SendDurableExecutionCallbackSuccess", end)


@service.direct("SendDurableExecutionCallbackFailure")
async def send_durable_execution_callback_failure(ctx: Context, params: Params) -> None:
    error = params.get("Error") or {}

    def end(tx: Transaction, execution: Execution, operation: Operation, now: float) -> Execution:
        return replace(progress.end(tx, execution, operation, FAILED, now, None, error), has_to_run=True)

    await _answer(ctx, params["CallbackId"], "SendDurableExecutionCallbackFailure", end)


@service.direct("SendDurableExecutionCallbackHeartbeat")
async def send_durable_execution_callback_heartbeat(ctx: Context, params: Params) -> None:
    await _answer(ctx, params["CallbackId"], "SendDurableExecutionCallbackHeartbeat", progress.note_heartbeat)


async def _answer(
    ctx: Context,
    callback: str,
    action: str,
    change: Callable[[Transaction, Execution, Operation, float], Execution],
) -> None:
    """Do something to the operation of a callback that nobody has answered yet. Raises AwsError."""
    parts = parse_token(callback)
    if len(parts) != 3:
        raise errors.invalid("Invalid callback id.")
    name, id, operation_id = parts
    key = Key(Place(ctx.account, ctx.region, name), id)

    async def find(tx: Transaction) -> None:
        execution = await storage.find(tx, key)
        arn = f"{key.place.arn}:$LATEST/durable-execution/unknown/{id}" if execution is None else execution.arn
        await access.authorize_own(ctx, tx, arn, action)
        if execution is None:
            raise errors.not_found(f"Callback not found: {callback}")

    await ctx.transact(find)
    closed = AwsError("CallbackTimeoutException", "The callback has timed out or has already completed.", status=400)

    async def answer(tx: Transaction, execution: Execution, now: float) -> Execution:
        operation = await storage.find_operation(tx, key, operation_id)
        if operation is None or operation.callback != callback or operation.is_closed:
            raise closed
        return change(tx, execution, operation, now)

    _, was_open = await change_execution(ctx.block, key, answer)
    if not was_open:
        raise closed
