"""rest-json: parameters in path, query string, headers and a JSON body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.wire.errors import InvalidResult, WireError
from cloudlet.wire.failures import error_members, status_of
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.json import Dialect, JsonReader, JsonWriter, decode_document, error_body
from cloudlet.wire.payloads import RestCodec
from cloudlet.wire.rest import ResponseHeads
from cloudlet.wire.shapes import Ref
from cloudlet.wire.trees import malformed

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

CONTENT_TYPE: Final = "application/json"


class Codec(RestCodec):
    """An operation in rest-json."""

    content_type = CONTENT_TYPE

    def __init__(self, operation: Operation) -> None:
        self._dialect = operation.service.dialect(Dialect)
        super().__init__(operation)

    def _body_reader(self, ref: Ref, members: dict[str, Ref]) -> Callable[[bytes], dict[str, Any]]:
        reader = JsonReader(self._dialect, ref, members)
        fast = reader.fast(constrained=False)
        slow = reader.slow

        def read(body: bytes) -> dict[str, Any]:
            if not body:
                return {}
            if fast is not None:
                try:
                    return fast(body)
                except (msgspec.MsgspecError, ValueError, RecursionError):
                    pass
            return slow(body)

        return read

    def _payload_reader(self, ref: Ref) -> Callable[[bytes], Any]:
        read = self._dialect.reader.read(ref)
        return lambda body: read(decode_document(body))

    def _body_writer(self, ref: Ref, members: dict[str, Ref]) -> Callable[[Mapping[str, Any]], bytes]:
        return JsonWriter(self._dialect, ref.shape, members).write

    def _payload_writer(self, ref: Ref) -> Callable[[Any], bytes]:
        if ref.shape.kind == "structure" and not ref.shape.is_document:
            return JsonWriter(self._dialect, ref.shape, ref.shape.members).write
        write = self._dialect.full.write(ref)

        def write_payload(value: Any) -> bytes:
            try:
                return msgspec.json.encode(value if write is None else write(value))
            except (TypeError, ValueError) as error:
                raise InvalidResult(f"the result cannot be written as JSON: {error}") from error

        return write_payload

    def _malformed(self, error: Exception) -> WireError:
        return malformed("The request body is nested too deeply")

    def _events(self) -> Any:
        from cloudlet.wire.eventstream import json_events

        return json_events


def error_response(
    service: ServiceModel, error: WireError, request_id: str, operation: Operation | None = None
) -> HttpResponse:
    """Return the response that carries an error in rest-json."""
    shape = service.error_shape(error.code)
    headers = [
        ("Content-Type", CONTENT_TYPE),
        ("x-amzn-RequestId", request_id),
        ("x-amzn-ErrorType", shape.name if shape is not None else error.code),
    ]
    if shape is not None:
        ResponseHeads(400, shape).write(error_members(shape, error), headers)
    return HttpResponse(status_of(error, shape), headers, error_body(service, shape, error, {}))
