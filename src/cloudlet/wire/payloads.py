"""The bodies of REST operations: a document of the members left over, one member alone, or a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from cloudlet.wire.body import decode_body
from cloudlet.wire.errors import InvalidRequest, InvalidResult, Violation, WireError
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.rest import Headers, RequestReader, ResponseHeads, body_members, request_body_members
from cloudlet.wire.shapes import Ref
from cloudlet.wire.trees import check_scalar
from cloudlet.wire.validation import invalid

if TYPE_CHECKING:
    from cloudlet.wire.eventstream import EventWriter
    from cloudlet.wire.operation import Operation

_RAW: Final = ("blob", "string")


class RestCodec(ABC):
    """An operation in a REST protocol; what its documents are made of is left to the protocol."""

    content_type: str

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._reader: RequestReader | None = None
        self._read_body: Callable[[bytes], dict[str, Any]] | None = None
        self._read_payload: Callable[[bytes], Any] | None = None
        self._payload: str | None = None
        self._raw_payload: Ref | None = None
        if operation.input is not None:
            self._compile_input(operation.input)
        self._write_body: Callable[[Mapping[str, Any]], bytes] | None = None
        self._write_payload: Callable[[Any], bytes] | None = None
        self._result_payload: Ref | None = None
        self._result_name = ""
        self._is_event_stream = False
        self._is_text = False
        self._body_names: frozenset[str] | None = None
        """The members of a result that are in its body; None where all are."""
        self._heads = ResponseHeads(operation.status, operation.output_shape)
        self._names: frozenset[str] = frozenset()
        if operation.output is not None:
            self._compile_output(operation.output)

    def _compile_input(self, ref: Ref) -> None:
        shape = ref.shape
        self._reader = RequestReader(self._operation, shape)
        self._payload = shape.payload
        if shape.payload is None:
            members = request_body_members(shape)
            self._read_body = self._body_reader(ref, members) if members else None
            return
        payload = shape.members[shape.payload]
        if payload.shape.kind in _RAW:
            self._raw_payload = payload
        else:
            self._read_payload = self._payload_reader(payload)

    def _compile_output(self, ref: Ref) -> None:
        shape = ref.shape
        self._own_content_type = any(
            member.location == "header" and (member.wire_name or "").lower() == "content-type"
            for member in shape.members.values()
        )
        self._names = frozenset(shape.members)
        if shape.payload is not None:
            payload = self._result_payload = shape.members[shape.payload]
            self._result_name = shape.payload
            self._is_event_stream = payload.shape.is_event_stream
            self._is_text = payload.shape.kind == "string"
            if payload.shape.kind not in _RAW and not self._is_event_stream:
                self._write_payload = self._payload_writer(payload)
            return
        members = body_members(shape)
        if members:
            self._write_body = self._body_writer(ref, members)
        if len(members) < len(shape.members):
            self._body_names = frozenset(members)

    def parse(self, request: HttpRequest, check: bool) -> dict[str, Any]:
        """Return the parameters of a request."""
        params: dict[str, Any] = {}
        if self._reader is None:
            return params
        try:
            self._parse_body(request, params)
        except RecursionError as error:
            raise self._malformed(error) from None
        self._reader.read(request, params)
        if check and (violations := self._operation.violations(params)):
            raise self._invalid(violations)
        return params

    def _invalid(self, violations: list[Violation]) -> InvalidRequest:
        """Return the error about violations as services of this protocol answer it."""
        return invalid(violations)

    def _parse_body(self, request: HttpRequest, params: dict[str, Any]) -> None:
        if self._raw_payload is not None and self._payload is not None:
            self._parse_raw(self._raw_payload, self._payload, request, params)
        elif self._read_payload is not None and self._payload is not None:
            body = decode_body(request)
            if body:
                value = self._read_payload(body)
                if value is not None:
                    params[self._payload] = value
        elif self._read_body is not None:
            params.update(self._read_body(decode_body(request)))

    def _parse_raw(self, ref: Ref, name: str, request: HttpRequest, params: dict[str, Any]) -> None:
        if ref.streaming:
            params[name] = request.body
            return
        body = decode_body(request)
        if ref.shape.kind == "blob":
            if body:
                params[name] = body
            return
        try:
            if body:
                params[name] = body.decode("utf-8")
        except UnicodeDecodeError:
            raise InvalidRequest("SerializationException", "The body is not valid UTF-8") from None

    def serialize(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """Return the response that carries a result."""
        if not result.keys() <= self._names:
            unknown = ", ".join(sorted(map(repr, result.keys() - self._names)))
            raise InvalidResult(f"the result of {self._operation.name} has no member {unknown}")
        headers = self._identity(request_id)
        status = self._heads.write(result, headers)
        if self._result_payload is not None:
            return self._payload_response(self._result_payload, result, status, headers)
        body = b""
        if self._write_body is not None and self._has_body(status):
            names = self._body_names
            if names is not None:
                result = {name: value for name, value in result.items() if name in names}
            body = self._write_body(result)
            headers.append(("Content-Type", self.content_type))
        return HttpResponse(status, headers, body)

    def _identity(self, request_id: str) -> Headers:
        """Return the headers that say who has answered which request."""
        return [("x-amzn-RequestId", request_id)]

    def _has_body(self, status: int) -> bool:
        return status not in (204, 304) and self._operation.http_method != "HEAD"

    def _payload_response(self, ref: Ref, result: Mapping[str, Any], status: int, headers: Headers) -> HttpResponse:
        value = result.get(self._result_name)
        if self._is_event_stream:
            from cloudlet.wire.eventstream import CONTENT_TYPE, events_of

            headers.append(("Content-Type", CONTENT_TYPE))
            return HttpResponse(status, headers, events_of(ref.shape, value, self._events()(self._operation)))
        if value is None:
            return HttpResponse(status, headers, b"")
        if self._write_payload is not None:
            _default_content_type(headers, self.content_type)
            return HttpResponse(status, headers, self._write_payload(value))
        if not self._own_content_type:
            headers.append(("Content-Type", "text/plain" if self._is_text else "application/octet-stream"))
        if self._is_text:
            return HttpResponse(status, headers, check_scalar(ref.shape, value).encode())
        if isinstance(value, str):
            value = value.encode()
        return HttpResponse(status, headers, value)

    @abstractmethod
    def _body_reader(self, ref: Ref, members: dict[str, Ref]) -> Callable[[bytes], dict[str, Any]]: ...

    @abstractmethod
    def _payload_reader(self, ref: Ref) -> Callable[[bytes], Any]: ...

    @abstractmethod
    def _body_writer(self, ref: Ref, members: dict[str, Ref]) -> Callable[[Mapping[str, Any]], bytes]: ...

    @abstractmethod
    def _payload_writer(self, ref: Ref) -> Callable[[Any], bytes]: ...

    @abstractmethod
    def _malformed(self, error: Exception) -> WireError: ...

    @abstractmethod
    def _events(self) -> Callable[[Operation], EventWriter]: ...


def _default_content_type(headers: Headers, content_type: str) -> None:
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", content_type))
