"""What is asked of a function, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(slots=True)
class Invocation:
    """One event for a function."""

    request_id: str
    payload: bytes
    invoked_arn: str
    client_context: dict[str, Any] | None = None
    trace: str = ""
    """The trace header that the function gets."""


@dataclass(slots=True)
class Outcome:
    """What came of an invocation."""

    payload: bytes
    """What the function returned, or AWS's error document, as JSON."""
    error: str = ""
    """The type of the error; empty where there was none."""
    log: bytes = b""
    """The end of what was logged for it, 4 KB at most."""
    duration: float = 0.0
    """In seconds."""
    init: float = 0.0
    """How long the start took that came before it, in seconds; 0 where none did."""
    restore: float = 0.0
    """How long it took before it to go on from a snapshot, in seconds; 0 where it did not."""


ANSWER_BYTES = 6_291_556
"""As large an answer may be."""


def too_large() -> Outcome:
    """Return what is answered where an answer is larger."""
    error = "Function.ResponseSizeTooLarge"
    message = f"Response payload size exceeded maximum allowed payload size ({ANSWER_BYTES} bytes)."
    return Outcome(error_document(error, message), error)


def error_document(kind: str, message: str) -> bytes:
    """Return what is answered for an error that the function did not report itself."""
    return msgspec.json.encode({"errorType": kind, "errorMessage": message})


def error_type(document: bytes) -> str:
    """Return the type of an error document, whatever it is."""
    return _said(document, "errorType") or "Error"


def error_message(document: bytes) -> str:
    """Return the message of an error document, whatever it is; empty where it has none."""
    return _said(document, "errorMessage")


def _said(document: bytes, name: str) -> str:
    try:
        told = msgspec.json.decode(document)
    except (ValueError, RecursionError):
        return ""
    return str(told.get(name) or "") if isinstance(told, dict) else ""
