"""What an error's response says, in whatever protocol: its members, its status, and whose fault it is."""

from __future__ import annotations

from typing import Any

from cloudlet.wire.errors import WireError
from cloudlet.wire.shapes import Shape


def error_members(shape: Shape | None, error: WireError) -> dict[str, Any]:
    """Return the members of an error: its message, under the name that the model has for it, and its fields."""
    members = {name: value for name, value in error.fields.items() if value is not None}
    names = shape.members if shape is not None else {}
    name = next((name for name in names if name.lower() == "message"), "message")
    if name in members or not error.message:
        return members
    return {name: error.message, **members}


def _is_server_fault(shape: Shape) -> bool:
    return bool(shape.raw.get("fault") or shape.error.get("fault"))


def fault_of(error: WireError, shape: Shape | None) -> str:
    """Return who is at fault, Sender or Receiver."""
    if error.fault is not None:
        return error.fault
    if shape is not None:
        if _is_server_fault(shape):
            return "Receiver"
        if "senderFault" in shape.error:
            return "Sender" if shape.error["senderFault"] else "Receiver"
    return "Receiver" if status_of(error, shape) >= 500 else "Sender"


def status_of(error: WireError, shape: Shape | None) -> int:
    """Return the HTTP status of an error."""
    if error.status is not None:
        return error.status
    if shape is not None:
        status: int | None = shape.error.get("httpStatusCode")
        if status is not None:
            return status
        if _is_server_fault(shape):
            return 500
    return 500 if error.fault == "Receiver" else 400
