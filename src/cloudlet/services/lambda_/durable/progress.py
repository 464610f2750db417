"""Rules by which durable executions and their operations go on.

Functions save, time passes, and callbacks are answered.

API reference, "CheckpointDurableExecution" and "OperationUpdate". Everything here happens in a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Params, Transaction
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.durable import history, storage
from cloudlet.services.lambda_.durable.execution import (
    CANCELLED,
    FAILED,
    PAUSED,
    PAUSING,
    PENDING,
    READY,
    RUNNING,
    STARTED,
    SUCCEEDED,
    TIMED_OUT,
    Error,
    Execution,
    Operation,
    Pause,
    make_token,
)
from cloudlet.services.lambda_.durable.showing import drop_none

NEW: Final = "NEW"
TRANSITIONS: Final[dict[tuple[str, str], tuple[frozenset[str], str]]] = {
    ("EXECUTION", "SUCCEED"): (frozenset({NEW, STARTED}), SUCCEEDED),
    ("EXECUTION", "FAIL"): (frozenset({NEW, STARTED}), FAILED),
    ("CONTEXT", "START"): (frozenset({NEW}), STARTED),
    ("CONTEXT", "SUCCEED"): (frozenset({NEW, STARTED}), SUCCEEDED),
    ("CONTEXT", "FAIL"): (frozenset({NEW, STARTED}), FAILED),
    ("STEP", "START"): (frozenset({NEW, READY}), STARTED),
    ("STEP", "SUCCEED"): (frozenset({NEW, STARTED, READY}), SUCCEEDED),
    ("STEP", "FAIL"): (frozenset({NEW, STARTED, READY}), FAILED),
    ("STEP", "RETRY"): (frozenset({NEW, STARTED, READY}), PENDING),
    ("WAIT", "START"): (frozenset({NEW}), STARTED),
    ("WAIT", "CANCEL"): (frozenset({STARTED}), CANCELLED),
    ("CALLBACK", "START"): (frozenset({NEW}), STARTED),
    ("CHAINED_INVOKE", "START"): (frozenset({NEW}), STARTED),
}
"""The changes that a function may make.

Type and action of an operation → the statuses before, the status after.
"""

MAX_OPERATIONS: Final = 3_000
MAX_STORED_CHARACTERS: Final = 100 * 1_048_576
"""Quotas of an execution (developer guide, "Lambda quotas")."""
_PAYLOAD_CHARACTERS: Final = 1_048_576
_RESULT_CHARACTERS: Final = 6_291_456
_ENDINGS: Final = {SUCCEEDED: "Succeeded", FAILED: "Failed", TIMED_OUT: "TimedOut", "STOPPED": "Stopped"}
_NAMES: Final = {"CONTEXT": "Context", "STEP": "Step", "CALLBACK": "Callback", "CHAINED_INVOKE": "ChainedInvoke"}
EXPIRED: Final[Error] = {"ErrorType": "Callback.Timeout", "ErrorMessage": "Callback timed out"}
SILENT: Final[Error] = {"ErrorType": "Callback.Heartbeat", "ErrorMessage": "Callback heartbeat timed out"}


async def apply(tx: Transaction, execution: Execution, updates: Iterable[Params], now: float) -> Execution:
    """Do what a function says of its operations. Raises AwsError."""
    for update in updates:
        execution = await _apply(tx, execution, update, now)
    return execution


async def _apply(tx: Transaction, execution: Execution, update: Params, now: float) -> Execution:
    id, type, action = update["Id"], update["Type"], update["Action"]
    operation = await storage.find_operation(tx, execution.key, id)
    transition = TRANSITIONS.get((type, action))
    if transition is None:
        raise errors.invalid(f"Invalid action {action} for an operation of type {type}.")
    if operation is not None and operation.type != type:
        raise errors.invalid("Inconsistent operation type.")
    allowed, status = transition
    before = NEW if operation is None else operation.status
    if before not in allowed:
        raise errors.invalid(f"Invalid action {action} for operation {id} of type {type}: its status is {before}.")
    if execution.has_ended:
        raise errors.invalid("The durable execution has already completed.")
    execution = _count(execution, update)
    if type == "EXECUTION":
        # The SDK gives it an id of its own.
        return finish(tx, execution, status, now, update.get("Payload"), update.get("Error"))
    if operation is None:
        execution, operation = await _add(tx, execution, update, now)
    operation = replace(operation, status=status)
    match type, action:
        case _, "START":
            return _start(tx, execution, operation, update, now)
        case "STEP", "RETRY":
            return _retry(tx, execution, operation, update, now)
        case "WAIT", "CANCEL":
            execution = history.add(tx, execution, "WaitCancelled", now, {}, operation)
            return close(tx, execution, replace(operation, status=CANCELLED), now)
    options = update.get("ContextOptions") or {}
    operation = replace(operation, replays_children=bool(options.get("ReplayChildren")))
    return end(tx, execution, operation, status, now, update.get("Payload"), update.get("Error"))


def _count(execution: Execution, update: Params) -> Execution:
    """Return an execution with what an update stores. Raises AwsError where that is too much."""
    most = _RESULT_CHARACTERS if update["Type"] == "EXECUTION" else _PAYLOAD_CHARACTERS
    error = update.get("Error") or {}
    said = [error.get("ErrorMessage"), error.get("ErrorType"), error.get("ErrorData"), *(error.get("StackTrace") or ())]
    payload, told = len(update.get("Payload") or ""), sum(len(each or "") for each in said)
    if payload > most or told > _PAYLOAD_CHARACTERS:
        raise errors.invalid(f"The payload of an operation must not be larger than {most} bytes.")
    stored = execution.stored + payload + told
    if stored > MAX_STORED_CHARACTERS:
        raise errors.invalid(f"A durable execution may store no more than {MAX_STORED_CHARACTERS} bytes.")
    return replace(execution, stored=stored)


async def _add(tx: Transaction, execution: Execution, update: Params, now: float) -> tuple[Execution, Operation]:
    """Return an execution with an operation more, and that."""
    parent = update.get("ParentId") or ""
    if parent:
        around = await storage.find_operation(tx, execution.key, parent)
        if around is None or around.type != "CONTEXT":
            raise errors.invalid("Invalid parent operation id.")
    if execution.operations >= MAX_OPERATIONS:
        raise errors.invalid(f"A durable execution may have no more than {MAX_OPERATIONS} operations.")
    number = execution.operations + 1
    operation = Operation(
        id=update["Id"],
        number=number,
        type=update["Type"],
        status=STARTED,
        started=now,
        parent=parent,
        name=update.get("Name") or "",
        subtype=update.get("SubType") or "",
    )
    return replace(execution, operations=number), operation


def _start(tx: Transaction, execution: Execution, operation: Operation, update: Params, now: float) -> Execution:
    details: dict[str, Any] = {}
    due: float | None = None
    match operation.type:
        case "WAIT":
            seconds = (update.get("WaitOptions") or {}).get("WaitSeconds")
            if seconds is None:
                raise errors.invalid("WaitOptions are required to start a wait.")
            due = now + seconds
            operation = replace(operation, due=due)
            details = {"Duration": seconds, "ScheduledEndTimestamp": due}
        case "CALLBACK":
            options = update.get("CallbackOptions") or {}
            timeout, heartbeat = options.get("TimeoutSeconds") or 0, options.get("HeartbeatTimeoutSeconds") or 0
            callback = make_token(execution.key.place.name, execution.key.id, operation.id)
            operation = replace(
                operation,
                callback=callback,
                timeout=timeout,
                heartbeat=heartbeat,
                deadline=now + timeout if timeout else None,
            )
            due = find_next_look(operation, now)
            details = {"CallbackId": callback, "Timeout": timeout, "HeartbeatTimeout": heartbeat}
        case "CHAINED_INVOKE":
            options = update.get("ChainedInvokeOptions")
            if options is None:
                raise errors.invalid("ChainedInvokeOptions are required to start a chained invocation.")
            if options.get("TenantId"):
                raise errors.not_built("tenants")
            payload, trace = update.get("Payload") or "{}", options.get("XAmznTraceId") or execution.trace
            call = storage.Call(options["FunctionName"], payload, trace)
            storage.put_call(tx, execution.key, operation.id, call)
            operation = replace(operation, function=call.function)
            details = {"FunctionName": call.function, "Input": {"Payload": payload}}
        case "STEP":
            operation = replace(operation, due=None)
    kind = {"WAIT": "Wait"}.get(operation.type) or _NAMES[operation.type]
    execution = history.add(tx, execution, f"{kind}Started", now, details, operation)
    waits = operation.type in ("WAIT", "CALLBACK", "CHAINED_INVOKE")
    return _keep(tx, execution, operation, waits=waits, due=due)


def _retry(tx: Transaction, execution: Execution, operation: Operation, update: Params, now: float) -> Execution:
    delay = (update.get("StepOptions") or {}).get("NextAttemptDelaySeconds") or 0
    attempt = operation.attempt + 1
    operation = replace(
        operation, attempt=attempt, due=now + delay, result=update.get("Payload"), error=update.get("Error")
    )
    retries = {"RetryDetails": {"CurrentAttempt": attempt, "NextAttemptDelaySeconds": delay}}
    if operation.error is None:
        details = {**history.show_result(operation.result), **retries}
        execution = history.add(tx, execution, "StepSucceeded", now, details, operation)
    else:
        execution = history.add(
            tx, execution, "StepFailed", now, {**history.show_error(operation.error), **retries}, operation
        )
    return _keep(tx, execution, operation, waits=True, due=operation.due)


def end(
    tx: Transaction,
    execution: Execution,
    operation: Operation,
    status: str,
    now: float,
    result: str | None = None,
    error: Error | None = None,
) -> Execution:
    """End an operation: a step, a context, a callback or a call."""
    succeeded = status == SUCCEEDED
    details = history.show_result(result) if succeeded else history.show_error(error)
    if operation.type == "STEP":
        details["RetryDetails"] = {"CurrentAttempt": operation.attempt + 1}
    kind = f"{_NAMES[operation.type]}{_ENDINGS[status]}"
    execution = history.add(tx, execution, kind, now, details, operation)
    ended = replace(operation, status=status, result=result if succeeded else None, error=None if succeeded else error)
    if operation.type == "CHAINED_INVOKE":
        storage.remove_call(tx, execution.key, operation.id)
    return close(tx, execution, ended, now)


def close(tx: Transaction, execution: Execution, operation: Operation, now: float) -> Execution:
    """Keep an operation that has ended."""
    return _keep(tx, execution, replace(operation, ended=now), waits=False, due=None)


def _keep(tx: Transaction, execution: Execution, operation: Operation, *, waits: bool, due: float | None) -> Execution:
    storage.put_operation(tx, execution.key, operation)
    waiting = {id: when for id, when in execution.waiting.items() if id != operation.id}
    if waits:
        waiting[operation.id] = due
    changed = execution.changed if operation.id in execution.changed else (*execution.changed, operation.id)
    return replace(execution, waiting=waiting, changed=changed)


def find_next_look(operation: Operation, now: float) -> float | None:
    """Return when a callback times out unless it is heard of; None for never."""
    heartbeat = now + operation.heartbeat if operation.heartbeat else None
    due = [when for when in (operation.deadline, heartbeat) if when is not None]
    return min(due, default=None)


def finish(
    tx: Transaction,
    execution: Execution,
    status: str,
    now: float,
    result: str | None = None,
    error: Error | None = None,
) -> Execution:
    """End an execution."""
    succeeded = status == SUCCEEDED
    details = history.show_result(result) if succeeded else history.show_error(error)
    execution = history.add(tx, execution, f"Execution{_ENDINGS[status]}", now, details)
    storage.put_result(tx, execution.key, result if succeeded else None, None if succeeded else error)
    storage.remove_calls(tx, execution.key)
    return replace(
        execution,
        status=status,
        ended=now,
        waiting={},
        changed=(),
        has_to_run=False,
        invoked=None,
        pause=None,
        token=execution.token + 1,
    )


async def advance(tx: Transaction, execution: Execution, now: float) -> Execution:
    """Return an execution after all whose time is over: waits, retries, callbacks, and itself."""
    if execution.has_ended:
        return execution
    if now >= execution.times_out:
        return finish(tx, execution, TIMED_OUT, execution.times_out)
    over = sorted((when, id) for id, when in execution.waiting.items() if when is not None and when <= now)
    for _, id in over:
        operation = await storage.find_operation(tx, execution.key, id)
        if operation is not None:
            execution = _expire(tx, execution, operation, now)
    return replace(execution, has_to_run=True) if over else execution


def _expire(tx: Transaction, execution: Execution, operation: Operation, now: float) -> Execution:
    match operation.type:
        case "WAIT":
            duration = round((operation.due or now) - operation.started)
            execution = history.add(tx, execution, "WaitSucceeded", now, {"Duration": duration}, operation)
            return close(tx, execution, replace(operation, status=SUCCEEDED), now)
        case "CALLBACK":
            is_over = operation.deadline is not None and operation.deadline <= now
            error = EXPIRED if is_over else SILENT
            return end(tx, execution, operation, TIMED_OUT, now, None, error)
    return _keep(tx, execution, replace(operation, status=READY, due=None), waits=False, due=None)


def note_heartbeat(tx: Transaction, execution: Execution, operation: Operation, now: float) -> Execution:
    """Return an execution after a sign of life of a callback."""
    waiting = {**execution.waiting, operation.id: find_next_look(operation, now)}
    return replace(execution, waiting=waiting)


def begin(tx: Transaction, execution: Execution, payload: bytes) -> Execution:
    """Keep a new execution with its input."""
    key = execution.key
    storage.put_input(tx, key, payload)
    storage.put_name(tx, key, execution.name)
    operation = Operation(
        id=key.id, number=1, type="EXECUTION", status=STARTED, started=execution.started, name=execution.name
    )
    storage.put_operation(tx, key, operation)
    details = {"Input": {"Payload": payload.decode()}, "ExecutionTimeout": execution.config.execution_timeout}
    execution = replace(execution, operations=1, status=RUNNING)
    return history.add(tx, execution, "ExecutionStarted", execution.started, details, operation)


def settle_pause(execution: Execution) -> Execution:
    """Return an execution whose invocation has come to where it can be paused."""
    if execution.status != PAUSING:
        return execution
    return replace(execution, status=PAUSED, has_to_run=True, token=execution.token + 1)


def pause(tx: Transaction, execution: Execution, pause: Pause, now: float) -> Execution:
    """Pause an execution, once its invocation, if any, saves something or ends."""
    details = {
        "PauseRequestTimestamp": now,
        "Reason": {"Payload": pause.reason} if pause.reason else None,
        "ExecutionTimeoutPaused": pause.stops_timeout,
    }
    execution = history.add(tx, execution, "ExecutionPaused", now, drop_none(details))
    return replace(execution, pause=pause, status=PAUSED if execution.invoked is None else PAUSING)


def resume(tx: Transaction, execution: Execution, pause: Pause, reason: str, now: float) -> Execution:
    """Have an execution that is paused go on."""
    paused = now - pause.requested if pause.stops_timeout else 0.0
    details = {"ResumeRequestTimestamp": now, "Reason": {"Payload": reason} if reason else None}
    execution = history.add(tx, execution, "ExecutionResumed", now, drop_none(details))
    deadline = execution.deadline + paused
    return replace(execution, pause=None, status=RUNNING, deadline=deadline, not_before=now)
