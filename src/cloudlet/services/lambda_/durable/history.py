"""The history of a durable execution: an event for each thing that has happened."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.services.lambda_.durable import storage
from cloudlet.services.lambda_.durable.execution import Error, Execution, Operation
from cloudlet.services.lambda_.durable.showing import drop_none

_DATA = ("Input", "Result", "Error", "Reason")


def add(
    tx: Transaction,
    execution: Execution,
    kind: str,
    now: float,
    details: dict[str, Any],
    operation: Operation | None = None,
) -> Execution:
    """Note that something has happened; return the execution with one event more."""
    number = execution.events + 1
    event: dict[str, Any] = {"EventType": kind, "EventId": number, "EventTimestamp": now, f"{kind}Details": details}
    if operation is not None:
        event |= {
            "Id": operation.id,
            "Name": operation.name or None,
            "ParentId": operation.parent or None,
            "SubType": operation.subtype or None,
        }
    storage.put_event(tx, execution.key, number, drop_none(event))
    return replace(execution, events=number)


def show_result(payload: str | None) -> dict[str, Any]:
    return {"Result": drop_none({"Payload": payload})}


def show_error(error: Error | None) -> dict[str, Any]:
    return {"Error": drop_none({"Payload": error})}


def drop_data(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event without what a function got, returned or failed with."""
    name = f"{event['EventType']}Details"
    details = {
        member: {"Truncated": True} if member in _DATA and value else value for member, value in event[name].items()
    }
    return {**event, name: details}
