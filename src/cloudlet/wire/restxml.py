"""rest-xml: parameters in path, query string, headers and an XML body; S3 with its own ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from cloudlet.wire.bodies import pieces_of
from cloudlet.wire.errors import InvalidRequest, Violation, WireError, validation_message
from cloudlet.wire.failures import error_members, fault_of, status_of
from cloudlet.wire.host_ids import host_id
from cloudlet.wire.http import HttpResponse
from cloudlet.wire.payloads import RestCodec
from cloudlet.wire.rest import Headers, ResponseHeads, body_members
from cloudlet.wire.scalars import NotConvertible
from cloudlet.wire.shapes import Ref
from cloudlet.wire.xml import (
    MalformedXml,
    Write,
    XmlReader,
    XmlWriter,
    namespace_of,
    parse_document,
    wire_name,
)
from cloudlet.wire.xml_text import escape, escape_error

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

CONTENT_TYPE: Final = "application/xml"
_PROLOGUE: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_MALFORMED: Final = "The XML you provided was not well-formed or did not validate against our published schema"


class Dialect:
    """What a service's rest-xml codecs share: each shape is compiled once."""

    def __init__(self) -> None:
        self.reader = XmlReader()
        self.writer = XmlWriter(wire_name, readable=False)


class Codec(RestCodec):
    """An operation in rest-xml."""

    content_type = CONTENT_TYPE

    def __init__(self, operation: Operation) -> None:
        service = operation.service
        self._dialect = service.dialect(Dialect)
        self._namespace = service.namespace
        self._is_s3 = service.name == "s3"
        super().__init__(operation)

    def _identity(self, request_id: str) -> Headers:
        return s3_identity(request_id) if self._is_s3 else super()._identity(request_id)

    def _body_reader(self, ref: Ref, members: dict[str, Ref]) -> Callable[[bytes], dict[str, Any]]:
        read = self._document(ref, self._dialect.reader.structure(members))
        return lambda body: read(body) if body.strip() else {}

    def _payload_reader(self, ref: Ref) -> Callable[[bytes], Any]:
        read = self._document(ref, self._dialect.reader.value(ref))
        return lambda body: read(body) if body.strip() else None

    def _document(self, ref: Ref, read: Callable[[Any], Any]) -> Callable[[bytes], Any]:
        # S3 validates documents against its schema, the name of the root included.
        root = (ref.wire_name or ref.shape.root_name) if self._operation.service.name == "s3" else None

        def read_document(body: bytes) -> Any:
            try:
                document = parse_document(body)
                if root is not None and document.name != root:
                    raise MalformedXml(f"the document is no {root}")
                return read(document)
            except (MalformedXml, NotConvertible) as error:
                raise self._malformed(error) from None

        return read_document

    def _malformed(self, error: Exception) -> InvalidRequest:
        if self._operation.service.signing_name == "s3":
            return InvalidRequest("MalformedXML", _MALFORMED, status=400)
        return InvalidRequest("MalformedInput", f"The request body cannot be read: {error}", status=400)

    def _invalid(self, violations: list[Violation]) -> InvalidRequest:
        service = self._operation.service.name
        if service == "route53":
            return InvalidRequest("InvalidInput", validation_message(violations), violations, status=400)
        shape = self._operation.input_shape
        if service != "s3" or shape is None:
            return super()._invalid(violations)
        if any(shape.members[violation.member].location is None for violation in violations):
            return InvalidRequest("MalformedXML", _MALFORMED, violations, status=400)
        return InvalidRequest("InvalidArgument", validation_message(violations), violations, status=400)

    def _body_writer(self, ref: Ref, members: dict[str, Ref]) -> Callable[[Mapping[str, Any]], bytes]:
        if self._operation.service.name == "s3" and self._operation.name == "GetBucketLocation":
            return self._location
        root = ref.wire_name or ref.shape.root_name
        return self._document_writer(self._dialect.writer.element(ref.shape, root, self._root_namespace(ref), members))

    def _location(self, result: Mapping[str, Any]) -> bytes:
        # The root itself is the member: S3's oldest answer follows no rule of the protocol.
        location = escape(str(result.get("LocationConstraint") or ""))
        return f'{_PROLOGUE}<LocationConstraint xmlns="{self._namespace}">{location}</LocationConstraint>'.encode()

    def _root_namespace(self, ref: Ref) -> str:
        own = namespace_of(ref)
        if not self._namespace or " xmlns=" in own:
            return own
        return f'{own} xmlns="{escape(self._namespace)}"'

    def _payload_writer(self, ref: Ref) -> Callable[[Any], bytes]:
        root = ref.wire_name or ref.shape.root_name
        writer = self._dialect.writer
        if ref.shape.kind == "structure":
            return self._document_writer(writer.element(ref.shape, root, self._root_namespace(ref)))
        return self._document_writer(writer.value(ref, root))

    def _document_writer(self, write: Write) -> Callable[[Any], bytes]:
        return lambda value: f"{_PROLOGUE}{write(value)}".encode()

    def _events(self) -> Any:
        from cloudlet.wire.eventstream import EventWriter

        return lambda operation: EventWriter("text/xml", self._event_document)

    def _event_document(self, ref: Ref, members: dict[str, Ref]) -> Callable[[Mapping[str, Any]], bytes]:
        root = ref.wire_name or ref.shape.root_name
        write = self._dialect.writer.element(ref.shape, root, namespace_of(ref), members)
        return lambda value: write(value).encode()


def s3_identity(request_id: str) -> Headers:
    """Return the headers that all of S3's answers have."""
    return [("x-amz-request-id", request_id), ("x-amz-id-2", host_id(request_id)), ("Server", "AmazonS3")]


def error_response(
    service: ServiceModel, error: WireError, request_id: str, operation: Operation | None = None
) -> HttpResponse:
    """Return the response that carries an error in rest-xml; S3's has no wrapper and no namespace."""
    shape = service.error_shape(error.code)
    code = shape.error.get("code", shape.name) if shape is not None else error.code
    members = error_members(shape, error)
    message = next((members.pop(name) for name in list(members) if name.lower() == "message"), error.message)
    headers: Headers = [("Content-Type", CONTENT_TYPE)]
    inner = [f"<Code>{escape(code)}</Code><Message>{escape_error(message)}</Message>"]
    if shape is not None:
        ResponseHeads(400, shape).write(members, headers)
        modelled = {name: ref for name, ref in body_members(shape).items() if name in members}
        write = service.dialect(Dialect).writer.structure(shape, modelled)
        inner.append(write({name: members[name] for name in modelled}))
        members = {name: value for name, value in members.items() if name not in shape.members}
    for name, value in members.items():
        inner.append(f"<{name}>{escape_error(value)}</{name}>")
    status = status_of(error, shape)
    if service.name == "s3":
        headers += s3_identity(request_id)
        inner.append(f"<RequestId>{escape(request_id)}</RequestId><HostId>{host_id(request_id)}</HostId>")
        body = f"{_PROLOGUE}<Error>{''.join(inner)}</Error>"
    else:
        headers.append(("x-amzn-RequestId", request_id))
        namespace = f' xmlns="{escape(service.namespace)}"' if service.namespace else ""
        body = (
            f"{_PROLOGUE}<ErrorResponse{namespace}><Error><Type>{fault_of(error, shape)}</Type>{''.join(inner)}"
            f"</Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
        )
    if operation is not None and operation.http_method == "OPTIONS":
        # What S3 answers to browsers that ask first comes in chunks.
        return HttpResponse(status, headers, pieces_of(body.encode()))
    bodiless = status == 304 or (operation is not None and operation.http_method == "HEAD")
    return HttpResponse(status, headers, b"" if bodiless else body.encode())
