"""Durable executions as the API shows them, and as functions get them."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.lambda_.durable import storage
from cloudlet.services.lambda_.durable.execution import Execution, Key, Operation

_TIMES = ("StartTimestamp", "EndTimestamp", "NextAttemptTimestamp", "ScheduledEndTimestamp")


def drop_none(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value is not None}


def summarize(execution: Execution) -> dict[str, Any]:
    """Return an execution as lists show it."""
    shown = {
        "DurableExecutionArn": execution.arn,
        "DurableExecutionName": execution.name,
        "FunctionArn": execution.key.place.qualified(execution.version),
        "Status": execution.status,
        "StartTimestamp": execution.started,
        "EndTimestamp": execution.ended if execution.has_ended else None,
    }
    return drop_none(shown)


def show(operation: Operation, input: str | None = None) -> dict[str, Any]:
    """Return an operation of the API; `input` is that of the whole execution."""
    result = {"Result": operation.result, "Error": operation.error}
    details: dict[str, Any] = {}
    match operation.type:
        case "EXECUTION":
            details = {"ExecutionDetails": {"InputPayload": input}}
        case "CONTEXT":
            details = {"ContextDetails": {**result, "ReplayChildren": operation.replays_children or None}}
        case "STEP":
            details = {"StepDetails": {**result, "Attempt": operation.attempt, "NextAttemptTimestamp": operation.due}}
        case "WAIT":
            details = {"WaitDetails": {"ScheduledEndTimestamp": operation.due}}
        case "CALLBACK":
            details = {"CallbackDetails": {**result, "CallbackId": operation.callback}}
        case "CHAINED_INVOKE":
            details = {"ChainedInvokeDetails": result}
    shown = {
        "Id": operation.id,
        "ParentId": operation.parent or None,
        "Name": operation.name or None,
        "Type": operation.type,
        "SubType": operation.subtype or None,
        "StartTimestamp": operation.started,
        "EndTimestamp": operation.ended,
        "Status": operation.status,
    }
    return drop_none({**shown, **{name: drop_none(value) for name, value in details.items()}})


def convert_times(shown: dict[str, Any]) -> dict[str, Any]:
    """Return an operation with its times in milliseconds, as events of invocations have it."""
    return {
        name: convert_times(value)
        if isinstance(value, dict) and name.endswith("Details")
        else int(value * 1000)
        if name in _TIMES
        else value
        for name, value in shown.items()
    }


async def list_state(
    tx: Transaction, key: Key, after: int, count: int, most_bytes: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Return operations after a number, and the number that the next page follows.

    They are those that a replay needs.
    What has happened within a context that has ended is left out, unless the context asks for it.
    """
    shown: list[dict[str, Any]] = []
    closed: set[str] = set()
    size = 0
    last = after
    async for operation in storage.list_operations(tx, key):
        is_hidden = operation.parent in closed
        if operation.type == "CONTEXT" and (is_hidden or (operation.is_closed and not operation.replays_children)):
            closed.add(operation.id)
        if is_hidden or operation.number <= after:
            continue
        size += len(operation.result or "") + len(msgspec.json.encode(operation.error)) + 500
        if shown and (len(shown) >= count or size > most_bytes):
            return shown, last
        input = (await storage.load_input(tx, key)).decode() if operation.type == "EXECUTION" else None
        shown.append(show(operation, input))
        last = operation.number
    return shown, None


def make_document(error: dict[str, Any] | None, kind: str, message: str) -> bytes:
    """Return the error document of an execution's error."""
    told = error or {}
    document = {"errorType": told.get("ErrorType") or kind, "errorMessage": told.get("ErrorMessage") or message}
    if told.get("StackTrace"):
        document["stackTrace"] = told["StackTrace"]
    return msgspec.json.encode(document)
