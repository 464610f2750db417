"""The errors that a service answers, and those that parsing a request raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import msgspec

Fault = Literal["Sender", "Receiver"]

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class WireError(Exception):
    """An error in AWS's terms; `serialize_error` writes it in the form of the protocol that was asked in.

    `code` is the name of the error shape or the code that its model gives it, `status` and `fault` default to
    what the model says, and `fields` are further members of the error shape (or, for S3, of the error document).
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int | None = None,
        fault: Fault | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.fault = fault
        self.fields = _NO_FIELDS if fields is None else fields

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidResult(Exception):
    """A service gave a result that its own model does not allow: a bug in the service, never the caller's fault."""


class Violation(msgspec.Struct, frozen=True):
    """One constraint of the model that a request does not satisfy.

    `path` is written as AWS writes it (`tags.1.member.key`), `member` is the top-level member as the model names
    it, `limit` is the length, bound, pattern or tuple of values that was asked for, and `text` is AWS's wording. No
    message shows a value that `is_sensitive`: messages are in logs and in CloudTrail's records.
    """

    path: str
    kind: str
    value: Any
    limit: Any
    member: str
    text: str
    is_sensitive: bool = False


class InvalidRequest(WireError):
    """A request that cannot be understood, or that does not satisfy the model's constraints."""

    def __init__(
        self,
        code: str,
        message: str,
        violations: Sequence[Violation] = (),
        *,
        status: int | None = None,
    ) -> None:
        super().__init__(code, message, status=status, fault="Sender")
        self.violations = tuple(violations)
        self.operation = ""
        self.protocol = ""
        """Of which operation it was read as a request, and in which protocol; empty where nothing was."""


class Undecodable(InvalidRequest):
    """A compressed body that cannot be decompressed."""

    def __init__(self, message: str) -> None:
        super().__init__("SerializationException", message)


_SHOWN = 2_000


def shown(value: Any) -> str:
    """Return a value as AWS's (Java's) messages show it: `[a, b]`, `{k=v}`, `true`."""
    text = _shown(value, 0)
    return text if len(text) <= _SHOWN else text[:_SHOWN]


def _shown(value: Any, depth: int) -> str:
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if depth > 16:
        return "..."
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(item, depth + 1)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item, depth + 1) for item in value) + "]"
    return str(value)


def validation_message(violations: Sequence[Violation]) -> str:
    """Return AWS's own sentence about the constraints that a request fails."""
    parts = []
    for violation in violations:
        value = " null" if violation.kind == "required" else f" '{shown(violation.value)}'"
        named = "" if violation.is_sensitive else value
        parts.append(f"Value{named} at '{violation.path}' failed to satisfy constraint: {violation.text}")
    count = len(parts)
    return f"{count} validation error{'' if count == 1 else 's'} detected: {'; '.join(parts)}"
