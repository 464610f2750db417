"""Event streams: results that go on, as frames of application/vnd.amazon.eventstream."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from cloudlet.wire import timestamps
from cloudlet.wire.errors import InvalidResult, WireError
from cloudlet.wire.failures import error_members
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.shapes import Ref, Shape

if TYPE_CHECKING:
    from cloudlet.wire.operation import Operation

CONTENT_TYPE = "application/vnd.amazon.eventstream"

WriteMembers = Callable[[Mapping[str, Any]], bytes]

_PRELUDE = struct.Struct("!II")
_CRC = struct.Struct("!I")


class EventWriter(msgspec.Struct, frozen=True):
    """How a protocol writes the documents inside of events: their content type and a writer for a shape's members."""

    content_type: str
    document: Callable[[Ref, dict[str, Ref]], WriteMembers]


EventWriterOf = Callable[["Operation"], EventWriter]


def frame(headers: list[tuple[str, Any]], payload: bytes) -> bytes:
    """Return one message with its checksums; header values may be str, bytes, bool, int (64 bits) or datetime."""
    packed = b"".join(_header(name, value) for name, value in headers)
    prelude = _PRELUDE.pack(16 + len(packed) + len(payload), len(packed))
    prelude += _CRC.pack(crc32(prelude))
    message = prelude + packed + payload
    return message + _CRC.pack(crc32(message))


def _header(name: str, value: Any) -> bytes:
    encoded = name.encode()
    head = bytes([len(encoded)]) + encoded
    if isinstance(value, bool):
        return head + (b"\x00" if value else b"\x01")
    if isinstance(value, int):
        return head + b"\x05" + struct.pack("!q", value)
    if isinstance(value, bytes | bytearray):
        return head + b"\x06" + struct.pack("!H", len(value)) + bytes(value)
    if isinstance(value, str):
        text = value.encode()
        return head + b"\x07" + struct.pack("!H", len(text)) + text
    return head + b"\x08" + struct.pack("!q", round(timestamps.epoch(value) * 1000))


class _Event:
    """One kind of event, compiled."""

    def __init__(self, name: str, ref: Ref, writer: EventWriter) -> None:
        self._name = name
        self._shape = ref.shape
        members = ref.shape.members
        self._headers = [(member, use) for member, use in members.items() if use.event_header]
        self._payload = next((member for member, use in members.items() if use.event_payload), None)
        self._payload_ref = members[self._payload] if self._payload is not None else None
        inner = self._payload_ref
        body = {member: use for member, use in members.items() if not use.event_header and not use.event_payload}
        self._write: WriteMembers | None = None
        self._content_type: str | None = writer.content_type
        if inner is None:
            self._write = writer.document(ref, body) if body else None
            self._content_type = writer.content_type if body else None
        elif inner.shape.kind == "blob":
            self._content_type = "application/octet-stream"
        elif inner.shape.kind == "string":
            self._content_type = "text/plain"
        else:
            self._write = writer.document(inner, inner.shape.members)

    def frame(self, value: Any) -> bytes:
        if not isinstance(value, Mapping):
            raise InvalidResult(f"the event {self._name} must be a mapping")
        unknown = value.keys() - self._shape.members.keys()
        if unknown:
            raise InvalidResult(f"the event {self._name} has no member {', '.join(map(repr, unknown))}")
        kind = "exception" if self._shape.is_exception else "event"
        headers: list[tuple[str, Any]] = [(f":{kind}-type", self._name)]
        if self._content_type is not None:
            headers.append((":content-type", self._content_type))
        headers.append((":message-type", kind))
        for member, use in self._headers:
            header = value.get(member)
            if header is not None:
                if use.shape.kind == "timestamp":
                    header = timestamps.as_datetime(header)
                headers.append((member, header))
        return frame(headers, self._body(value))

    def _body(self, value: Mapping[str, Any]) -> bytes:
        if self._payload is None:
            if self._write is None:
                return b""
            skipped = {member for member, _ in self._headers}
            return self._write({name: item for name, item in value.items() if name not in skipped})
        payload = value.get(self._payload)
        if payload is None:
            return b""
        if self._write is not None:
            return self._write(payload)
        return payload.encode() if isinstance(payload, str) else bytes(payload)


async def events_of(shape: Shape, events: Any, writer: EventWriter, first: bytes = b"") -> AsyncIterator[bytes]:
    """Yield the frames of an event stream, after `first`; a `WireError` out of it becomes its last, an exception."""
    if first:
        yield first
    compiled: dict[str, _Event] = {}
    if events is None:
        return
    try:
        async for event in events:
            if not isinstance(event, Mapping) or len(event) != 1:
                raise InvalidResult(f"an event of {shape.name} must be a mapping with one member")
            ((name, value),) = event.items()
            if name not in compiled:
                if name not in shape.members:
                    raise InvalidResult(f"{shape.name} has no event {name!r}")
                compiled[name] = _Event(name, shape.members[name], writer)
            yield compiled[name].frame(value)
    except WireError as error:
        yield _exception(shape, error, writer)


def _exception(shape: Shape, error: WireError, writer: EventWriter) -> bytes:
    for name, ref in shape.members.items():
        known = (name, ref.shape.name, ref.shape.error.get("code"))
        if ref.shape.is_exception and error.code in known:
            members = {key: item for key, item in error_members(ref.shape, error).items() if key in ref.shape.members}
            return _Event(name, ref, writer).frame(members)
    headers = [(":error-code", error.code), (":error-message", error.message), (":message-type", "error")]
    return frame(headers, b"")


def json_events(operation: Operation) -> EventWriter:
    """Return how JSON services write the documents of events."""
    from cloudlet.wire.json import Dialect, JsonWriter

    dialect = operation.service.dialect(Dialect)
    return EventWriter("application/json", lambda ref, members: JsonWriter(dialect, ref.shape, members).write)


def rpc_response(
    operation: Operation,
    result: Mapping[str, Any],
    request_id: str,
    write: Callable[[Mapping[str, Any]], bytes],
    content_type: str,
    writer_of: EventWriterOf,
) -> HttpResponse:
    """Return the response of an RPC operation whose output has an event stream: its other members come first."""
    shape, name = operation.output_shape, operation.event_stream_output
    if shape is None or name is None:
        raise InvalidResult(f"{operation.name} has no event stream")
    initial = {member: value for member, value in result.items() if member != name}
    first = frame(
        [
            (":event-type", "initial-response"),
            (":content-type", content_type),
            (":message-type", "event"),
        ],
        write(initial),
    )
    events = events_of(shape.members[name].shape, result.get(name), writer_of(operation), first)
    return HttpResponse(200, [("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", request_id)], events)
