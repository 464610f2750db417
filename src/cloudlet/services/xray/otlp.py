"""OTLP over HTTP: what exporters of OpenTelemetry send, and what they are answered, as protobuf or JSON.

OpenTelemetry, "OTLP Specification"; CloudWatch user guide, "OTLP endpoints", for the limits. protobuf is imported when
it is first needed.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.xray.errors import invalid
from cloudlet.services.xray.spans import Attributes, attributes

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_MOST_BYTES = 5 << 20
_MOST_SPANS = 10_000


def kind(content_type: str | None) -> str:
    """Return which of both a content type is. Raises AwsError for another one."""
    named = (content_type or "").partition(";")[0].strip().lower()
    if named not in (PROTOBUF, JSON):
        raise AwsError("UnsupportedMediaTypeException", f"The content type must be {PROTOBUF} or {JSON}.", status=415)
    return named


def spans(body: bytes, form: str) -> list[tuple[Span, Attributes, Attributes]]:
    """Return the spans of a request, with the attributes of their resources and of their scopes. Raises AwsError."""
    if len(body) > _MOST_BYTES:
        raise invalid("The request is larger than 5 MB")
    request = _from_json(body) if form == JSON else _from_protobuf(body)
    found = list(_spans(request))
    if len(found) > _MOST_SPANS:
        raise invalid(f"Number of spans exceeds limit {_MOST_SPANS}")
    return found


def _spans(request: ExportTraceServiceRequest) -> Iterator[tuple[Span, Attributes, Attributes]]:
    for of_resource in request.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            scope = _of_scope(of_scope.scope)
            for span in of_scope.spans:
                yield span, resource, scope


def _of_scope(scope: InstrumentationScope) -> Attributes:
    """Return what a scope is as attributes. OpenTelemetry, "Mapping to non-OTLP Formats"."""
    named = {"name": scope.name, "version": scope.version}
    told = {name: value for name, value in named.items() if value} | attributes(scope.attributes)
    return {f"otel.scope.{name}": value for name, value in told.items()}


def _from_protobuf(body: bytes) -> ExportTraceServiceRequest:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError:
        raise invalid("The body is no ExportTraceServiceRequest in protobuf") from None
    return request


def _from_json(body: bytes) -> ExportTraceServiceRequest:
    from google.protobuf.json_format import ParseDict, ParseError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        raw = msgspec.json.decode(body or b"{}")
        for of_resource in raw.get("resourceSpans") or []:
            for of_scope in of_resource.get("scopeSpans") or []:
                for span in of_scope.get("spans") or []:
                    _read_ids(span)
                    for link in span.get("links") or []:
                        _read_ids(link)
        request = ExportTraceServiceRequest()
        ParseDict(raw, request, ignore_unknown_fields=True)
    except (msgspec.DecodeError, ParseError, AttributeError, TypeError, ValueError, RecursionError):
        raise invalid("The body is no ExportTraceServiceRequest in JSON") from None
    return request


def _read_ids(told: dict[str, Any]) -> None:
    """Write ids as protobuf's JSON has bytes: OTLP has them in hexadecimal digits."""
    for member in ("traceId", "spanId", "parentSpanId"):
        if told.get(member):
            told[member] = b64encode(bytes.fromhex(told[member])).decode()


def answer(form: str, rejected: int, why: str) -> bytes:
    """Return the answer to a request of which some spans, or none, were not taken."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = why
    if form == JSON:
        from google.protobuf.json_format import MessageToJson

        return str(MessageToJson(response, indent=None)).encode()
    return bytes(response.SerializeToString())
