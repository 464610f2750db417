"""Smithy's RPC v2 with CBOR: one CBOR document each way, the operation named by the path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.wire import cbor, timestamps
from cloudlet.wire.bodies import pieces_of
from cloudlet.wire.body import decode_body
from cloudlet.wire.errors import InvalidResult, WireError
from cloudlet.wire.failures import error_members, status_of
from cloudlet.wire.http import FileBody, HttpRequest, HttpResponse
from cloudlet.wire.json import query_error_header
from cloudlet.wire.shapes import Ref
from cloudlet.wire.supplements import error_namespace
from cloudlet.wire.trees import Reader, Writer, malformed
from cloudlet.wire.validation import invalid

if TYPE_CHECKING:
    from cloudlet.wire.eventstream import EventWriter, WriteMembers
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

_PROTOCOL = ("smithy-protocol", "rpc-v2-cbor")
_CONTENT_TYPE = ("Content-Type", "application/cbor")


def _timestamp(value: Any, format: str | None) -> cbor.Timestamp:
    return cbor.Timestamp(timestamps.epoch(value))


class Dialect:
    """What a service's CBOR codecs share: each shape is compiled once."""

    def __init__(self) -> None:
        self.reader = Reader(binary=True)
        self.writer = Writer(_timestamp, lambda value: value, full=True)

    def document(self, ref: Ref, members: dict[str, Ref]) -> WriteMembers:
        """Return the function that writes some of the members of a structure as a document."""
        write = self.writer.structure(ref.shape, members)
        return lambda value: cbor.encode(write(value))


class Codec:
    """An operation in RPC v2 CBOR."""

    def __init__(self, operation: Operation) -> None:
        dialect = operation.service.dialect(Dialect)
        self._operation = operation
        source, output = operation.input, operation.output
        self._read = dialect.reader.structure(source, source.shape.members) if source is not None else None
        self._write = None
        self._payload = output.shape.payload if output is not None else None
        if output is not None:
            members = {name: ref for name, ref in output.shape.members.items() if name != output.shape.event_stream}
            self._write = dialect.document(output, members)

    def parse(self, request: HttpRequest, check: bool) -> dict[str, Any]:
        """Return the parameters of a request."""
        if self._read is None:
            return {}
        body = decode_body(request)
        try:
            params: dict[str, Any] = self._read(cbor.decode(body) if body else {})
        except (cbor.MalformedCbor, RecursionError) as error:
            raise malformed(f"Unable to parse the request body: {error}") from None
        if check and (violations := self._operation.violations(params)):
            raise invalid(violations)
        return params

    def serialize(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """Return the response that carries a result."""
        if self._operation.event_stream_output is not None:
            return self._stream(result, request_id)
        headers = [_PROTOCOL, ("x-amzn-RequestId", request_id)]
        if self._write is None:
            if result:
                raise InvalidResult(f"{self._operation.name} has no output")
            return HttpResponse(200, headers, b"")
        headers.append(_CONTENT_TYPE)
        payload = None if self._payload is None else result.get(self._payload)
        if self._payload is not None and isinstance(payload, FileBody | AsyncIterator):
            document = self._write({name: value for name, value in result.items() if name != self._payload})
            return HttpResponse(200, headers, cbor.with_stream(document, self._payload, pieces_of(payload)))
        return HttpResponse(200, headers, self._write(result))

    def _stream(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        from cloudlet.wire.eventstream import rpc_response

        write = self._write if self._write is not None else cbor.encode
        response = rpc_response(self._operation, result, request_id, write, _CONTENT_TYPE[1], cbor_events)
        response.headers.append(_PROTOCOL)
        return response


def cbor_events(operation: Operation) -> EventWriter:
    """Return how CBOR services write the documents of events."""
    from cloudlet.wire.eventstream import EventWriter

    return EventWriter(_CONTENT_TYPE[1], operation.service.dialect(Dialect).document)


def error_response(
    service: ServiceModel, error: WireError, request_id: str, operation: Operation | None = None
) -> HttpResponse:
    """Return the response that carries an error in RPC v2 CBOR."""
    shape = service.error_shape(error.code)
    members = error_members(shape, error)
    document: dict[str, Any] = {"__type": error.code}
    if shape is not None:
        document["__type"] = error_namespace(service.name, error.code, modeled=True) + shape.name
        known = {name: value for name, value in members.items() if name in shape.members}
        document |= service.dialect(Dialect).writer.structure(shape, shape.members)(known)
        members = {name: value for name, value in members.items() if name not in known}
    document |= members
    headers = [
        _PROTOCOL,
        _CONTENT_TYPE,
        ("x-amzn-RequestId", request_id),
        *query_error_header(service, error, shape),
    ]
    return HttpResponse(status_of(error, shape), headers, cbor.encode(document))
