"""The EC2 protocol: the query protocol with other names, lists always flat, and no wrapper around results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudlet.wire.errors import InvalidResult, WireError
from cloudlet.wire.failures import status_of
from cloudlet.wire.forms import FormReader, tree_of
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.query import CONTENT_TYPE, error_fields, form_pairs, invalid
from cloudlet.wire.shapes import Ref
from cloudlet.wire.xml import XmlWriter, wire_name
from cloudlet.wire.xml_text import escape

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation


def form_names(ref: Ref, default: str) -> tuple[str, ...]:
    """Return the names that a parameter may have: one of its own, or the element's with a capital."""
    if ref.query_name:
        return (ref.query_name,)
    name = ref.wire_name or default
    capital = name[:1].upper() + name[1:]
    # The protocol asks for the capital; botocore leaves a member's own name as it is.
    return (capital,) if ref.wire_name or capital == name else (capital, name)


class Dialect:
    """What a service's EC2 codecs share: each shape is compiled once."""

    def __init__(self) -> None:
        self.reader = FormReader(form_names, nested_lists=False)
        self.writer = XmlWriter(wire_name, readable=True)


class Codec:
    """An operation in the EC2 protocol."""

    def __init__(self, operation: Operation) -> None:
        service = operation.service
        dialect = service.dialect(Dialect)
        self._operation = operation
        self._read = dialect.reader.structure(operation.input_shape) if operation.input_shape else None
        output = operation.output_shape
        self._write = dialect.writer.structure(output, output.members) if output else None
        namespace = f' xmlns="{escape(service.namespace)}/"' if service.namespace else ""
        namespace = namespace.replace('//"', '/"')
        self._opening = f"<{operation.name}Response{namespace}>"
        self._closing = f"</{operation.name}Response>"

    def parse(self, request: HttpRequest, check: bool) -> dict[str, Any]:
        """Return the parameters of a request."""
        if self._read is None:
            return {}
        params: dict[str, Any] = self._read(tree_of(form_pairs(request)), "")
        if check and (violations := self._operation.violations(params)):
            raise invalid(self._operation.service.name, violations)
        return params

    def serialize(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """Return the response that carries a result."""
        out = [self._opening, f"<requestId>{escape(request_id)}</requestId>"]
        if self._write is not None:
            out.append(self._write(result))
        elif result:
            raise InvalidResult(f"{self._operation.name} has no output")
        out.append(self._closing)
        headers = [CONTENT_TYPE, ("x-amzn-RequestId", request_id)]
        return HttpResponse(200, headers, "".join(out).encode())


def error_response(
    service: ServiceModel, error: WireError, request_id: str, operation: Operation | None = None
) -> HttpResponse:
    """Return the response that carries an error in the EC2 protocol."""
    shape = service.error_shape(error.code)
    code = shape.error.get("code", shape.name) if shape is not None else error.code
    body = (
        f"<Response><Errors><Error><Code>{escape(code)}</Code>"
        f"{error_fields(service.dialect(Dialect).writer, shape, error)}</Error></Errors>"
        f"<RequestID>{escape(request_id)}</RequestID></Response>"
    )
    headers = [CONTENT_TYPE, ("x-amzn-RequestId", request_id)]
    return HttpResponse(status_of(error, shape), headers, body.encode())
