"""awsJson 1.0 and 1.1: one JSON document each way, the operation named by a header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec

from cloudlet.wire import json_text, timestamps
from cloudlet.wire.body import MAX_BODY, decode_body, too_large
from cloudlet.wire.errors import InvalidResult, WireError
from cloudlet.wire.failures import error_members, fault_of, status_of
from cloudlet.wire.fast import NotPlain, TypeMaker
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.shapes import Ref, Shape
from cloudlet.wire.supplements import LARGEST_REQUESTS, SUMMED, error_namespace
from cloudlet.wire.trees import Reader, Writer, malformed
from cloudlet.wire.validation import invalid

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

_encode: Final = msgspec.json.Encoder().encode

Decode = Callable[[bytes], dict[str, Any]]

CHECKSUM: Final = "x-amz-crc32"
"""The header in which some services tell the CRC-32 of a body: see `supplements.SUMMED`."""


def decode_document(body: bytes) -> Any:
    """Return any JSON document as plain values; raise `InvalidRequest` if it is none."""
    try:
        return json_text.decode(body)
    except msgspec.DecodeError as error:
        if "truncated" in str(error):
            raise malformed("Unexpected end-of-input") from None
        raise malformed(f"Unable to parse the request body: {error}") from None
    except (RecursionError, ValueError):
        raise malformed("Unable to parse the request body") from None


def _timestamp(value: Any, format: str | None) -> Any:
    if format in (None, "unixTimestamp"):
        return timestamps.unix(value)
    return timestamps.writer(format)(value)


def _float(value: Any) -> Any:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


class Dialect:
    """What a service's JSON codecs share: each shape is compiled once."""

    def __init__(self) -> None:
        self.reader = Reader()
        # What a service has as JSON already, an item of DynamoDB say, goes into the answer as it is.
        self.quick = Writer(_timestamp, _float, full=False, written=msgspec.Raw)
        self.full = Writer(_timestamp, _float, full=True, written=msgspec.Raw)
        self.constrained = TypeMaker(constrained=True)
        self.typed = TypeMaker(constrained=False)


class JsonReader:
    """Reads a JSON body to some of the members of a structure."""

    def __init__(self, dialect: Dialect, ref: Ref, members: dict[str, Ref]) -> None:
        self._dialect = dialect
        self._ref = ref
        self._members = members
        self._slow = dialect.reader.structure(ref, members)

    def fast(self, *, constrained: bool) -> Decode | None:
        """Return a decoder that gives parameters and refuses what does not fit, if the shape allows one."""
        shape = self._ref.shape
        maker = self._dialect.constrained if constrained else self._dialect.typed
        try:
            made = maker.structure(shape.name, self._members, shape.required)
            return msgspec.json.Decoder(made).decode
        except (NotPlain, TypeError, ValueError):
            # A combination that msgspec does not support: the slow way decides alone.
            return None

    def slow(self, body: bytes) -> dict[str, Any]:
        """Return the members, with their types enforced."""
        params: dict[str, Any] = self._slow(decode_document(body))
        return params


class JsonWriter:
    """Writes some of the members of a structure to a JSON body."""

    def __init__(self, dialect: Dialect, shape: Shape, members: Mapping[str, Ref]) -> None:
        self._names = frozenset(members)
        self._full = dialect.full.structure(shape, members)
        plain = all(ref.wire_name in (None, name) and dialect.quick.write(ref) is None for name, ref in members.items())
        self._quick = None if plain else dialect.quick.structure(shape, members)

    def write(self, result: Mapping[str, Any]) -> bytes:
        """Return the body; raise `InvalidResult` if the result has a member that the model does not know."""
        try:
            if self._quick is not None:
                encoded = _encode(self._quick(result))
            elif result.keys() <= self._names:
                encoded = _encode(result)
            else:
                return _encode(self._full(result))
            # Members that are None and numbers that JSON does not have all come out as null.
            return _encode(self._full(result)) if b"null" in encoded else encoded
        except (TypeError, ValueError, msgspec.MsgspecError):
            pass
        try:
            return _encode(self._full(result))
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise InvalidResult(f"the result cannot be written as JSON: {error}") from error


class Codec:
    """An operation in awsJson."""

    def __init__(self, operation: Operation) -> None:
        service = operation.service
        self._operation = operation
        self._largest = LARGEST_REQUESTS.get(service.name, MAX_BODY)
        self._content_type = ("Content-Type", f"application/x-amz-json-{service.json_version}")
        self._summed = service.name in SUMMED
        self._reader: JsonReader | None = None
        self._checked: Decode | None = None
        self._typed: Decode | None = None
        self._has_typed = False
        if operation.input is not None:
            self._reader = JsonReader(service.dialect(Dialect), operation.input, operation.input.shape.members)
            self._checked = self._reader.fast(constrained=True)
        self._writer: JsonWriter | None = None
        output = operation.output_shape
        if output is not None:
            members = {name: ref for name, ref in output.members.items() if name != output.event_stream}
            self._writer = JsonWriter(service.dialect(Dialect), output, members)

    def parse(self, request: HttpRequest, check: bool) -> dict[str, Any]:
        """Return the parameters of a request."""
        body = request.body
        if type(body) is not bytes or "content-encoding" in request.headers:
            body = decode_body(request, self._largest)
        if len(body) > self._largest:
            raise too_large(self._largest)
        decode = self._checked if check else self._unchecked()
        if decode is not None and not json_text.is_slow(body):
            try:
                return decode(body)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                pass
        return self._parse_slowly(body, check)

    def _unchecked(self) -> Decode | None:
        if not self._has_typed:
            self._has_typed = True
            self._typed = self._reader.fast(constrained=False) if self._reader else None
        return self._typed

    def _parse_slowly(self, body: bytes, check: bool) -> dict[str, Any]:
        if self._reader is None or self._operation.input is None:
            return {}
        try:
            params = self._reader.slow(body or b"{}")
        except RecursionError:
            raise malformed("The request body is nested too deeply") from None
        if check:
            violations = self._operation.violations(params)
            if violations:
                raise invalid(violations)
        return params

    def serialize(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """Return the response that carries a result."""
        if self._operation.event_stream_output is not None:
            return self._stream(result, request_id)
        if self._writer is not None:
            body = self._writer.write(result)
        elif result:
            raise InvalidResult(f"{self._operation.name} has no output")
        else:
            body = b"{}" if self._operation.output is not None else b""
        headers = [self._content_type, ("x-amzn-RequestId", request_id)]
        if self._summed:
            headers.append(checksum(body))
        return HttpResponse(200, headers, body)

    def _stream(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        from cloudlet.wire.eventstream import json_events, rpc_response

        write = self._writer.write if self._writer is not None else _encode
        return rpc_response(self._operation, result, request_id, write, self._content_type[1], json_events)


def checksum(body: bytes) -> tuple[str, str]:
    """Return the header with the checksum of a body, as it is sent: of what is compressed, where it is."""
    return (CHECKSUM, str(crc32(body)))


def error_body(service: ServiceModel, shape: Shape | None, error: WireError, extra: Mapping[str, Any]) -> bytes:
    """Return the JSON document of an error."""
    fields = error_members(shape, error)
    if shape is None:
        return _encode({**extra, **fields})
    known = {name: value for name, value in fields.items() if name in shape.members}
    unknown = {name: value for name, value in fields.items() if name not in shape.members}
    body_members = {name: ref for name, ref in shape.members.items() if ref.location is None}
    known = {name: value for name, value in known.items() if name in body_members}
    write = service.dialect(Dialect).full.structure(shape, body_members)
    return _encode({**extra, **write(known), **unknown})


_RENAMED: Final = {"AccessDenied": "AccessDeniedException"}
"""Errors of no model that former query services name otherwise in JSON."""


def query_error_header(service: ServiceModel, error: WireError, shape: Shape | None) -> list[tuple[str, str]]:
    """Return the header by which clients of a former query service learn the code of old."""
    if not service.query_compatible:
        return []
    code = shape.error.get("code", shape.name) if shape is not None else error.code
    return [("x-amzn-query-error", f"{code};{fault_of(error, shape)}")]


def error_response(
    service: ServiceModel, error: WireError, request_id: str, operation: Operation | None = None
) -> HttpResponse:
    """Return the response that carries an error in awsJson."""
    shape = service.error_shape(error.code)
    name = shape.name if shape is not None else error.code
    if service.query_compatible:
        name = _RENAMED.get(name, name)
    prefix = error_namespace(service.name, error.code, modeled=shape is not None)
    body = error_body(service, shape, error, {"__type": prefix + name})
    headers = [
        ("Content-Type", f"application/x-amz-json-{service.json_version}"),
        ("x-amzn-RequestId", request_id),
        *query_error_header(service, error, shape),
    ]
    if service.name in SUMMED:
        headers.append(checksum(body))
    return HttpResponse(status_of(error, shape), headers, body)
