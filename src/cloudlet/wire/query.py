"""The query protocol: parameters in a form, results in XML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cloudlet.wire.body import decode_body
from cloudlet.wire.errors import InvalidRequest, InvalidResult, Violation, WireError, validation_message
from cloudlet.wire.failures import error_members, fault_of, status_of
from cloudlet.wire.forms import FormReader, parse_pairs, tree_of
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.shapes import Ref, Shape
from cloudlet.wire.xml import XmlWriter
from cloudlet.wire.xml_text import escape, escape_error

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

CONTENT_TYPE: Final = ("Content-Type", "text/xml")

_CORAL: Final = frozenset({"cloudformation", "elbv2", "iam", "sns", "sts"})
"""Services whose front end reports a missing parameter like any other violation."""


def form_name(ref: Ref, default: str) -> str:
    """Return the name of a parameter or an element in the query protocol."""
    return ref.query_name or ref.wire_name or default


def form_names(ref: Ref, default: str) -> tuple[str, ...]:
    """Return the one name that a parameter has in the query protocol."""
    return (form_name(ref, default),)


class Dialect:
    """What a service's query codecs share: each shape is compiled once."""

    def __init__(self) -> None:
        self.reader = FormReader(form_names, nested_lists=True)
        self.writer = XmlWriter(form_name, readable=True)


def form_pairs(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the parameters of a form, of the query string and of the body."""
    body = decode_body(request)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("MalformedQueryString", "The request body is not valid UTF-8") from None
    pairs = parse_pairs(request.query) if request.query else []
    pairs += parse_pairs(text.strip())
    return pairs


def invalid(service: str, violations: list[Violation]) -> InvalidRequest:
    """Return the error about violations as query services answer it."""
    missing = next((violation for violation in violations if violation.kind == "required"), None)
    if missing is not None and service not in _CORAL:
        path = ".".join(part[:1].upper() + part[1:] for part in missing.path.split("."))
        name = missing.member if "." not in missing.path else path
        return InvalidRequest(
            "MissingParameter", f"The request must contain the parameter {name}.", violations, status=400
        )
    return InvalidRequest("ValidationError", validation_message(violations), violations, status=400)


class Codec:
    """An operation in the query protocol."""

    def __init__(self, operation: Operation) -> None:
        service = operation.service
        dialect = service.dialect(Dialect)
        self._operation = operation
        self._read = dialect.reader.structure(operation.input_shape) if operation.input_shape else None
        self._queue_url = (
            service.name == "sqs" and operation.input_shape is not None and "QueueUrl" in operation.input_shape.members
        )
        self._write = None
        self._wrapper = ""
        output = operation.output
        if output is not None:
            self._write = dialect.writer.structure(output.shape, output.shape.members)
            self._wrapper = output.result_wrapper or f"{operation.name}Result"
        namespace = f' xmlns="{escape(service.namespace)}"' if service.namespace else ""
        self._opening = f"<{operation.name}Response{namespace}>"
        self._closing = f"</{operation.name}Response>"

    def parse(self, request: HttpRequest, check: bool) -> dict[str, Any]:
        """Return the parameters of a request."""
        if self._read is None:
            return {}
        params: dict[str, Any] = self._read(tree_of(form_pairs(request)), "")
        if self._queue_url and "QueueUrl" not in params and len(request.path) > 1:
            # In the query protocol a queue's URL is also the address to send to.
            params["QueueUrl"] = f"http://{request.headers.get('host', 'localhost')}{request.path}"
        if check and (violations := self._operation.violations(params)):
            raise invalid(self._operation.service.name, violations)
        return params

    def serialize(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """Return the response that carries a result."""
        out = [self._opening]
        if self._write is not None:
            out.append(f"<{self._wrapper}>")
            out.append(self._write(result))
            out.append(f"</{self._wrapper}>")
        elif result:
            raise InvalidResult(f"{self._operation.name} has no output")
        out.append(f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata>")
        out.append(self._closing)
        headers = [CONTENT_TYPE, ("x-amzn-RequestId", request_id)]
        return HttpResponse(200, headers, "".join(out).encode())


def error_fields(writer: XmlWriter, shape: Shape | None, error: WireError) -> str:
    """Return the elements of an error besides its code."""
    members = error_members(shape, error)
    # The message has one name in these protocols, whatever the model calls the member.
    message = next((members.pop(name) for name in list(members) if name.lower() == "message"), error.message)
    out = [f"<Message>{escape_error(message)}</Message>"]
    modelled = {name: ref for name, ref in shape.members.items() if name in members} if shape else {}
    if shape is not None and modelled:
        out.append(writer.structure(shape, modelled)({name: members[name] for name in modelled}))
    for name, value in members.items():
        if name not in modelled:
            out.append(f"<{name}>{escape_error(value)}</{name}>")
    return "".join(out)


def error_response(
    service: ServiceModel, error: WireError, request_id: str, operation: Operation | None = None
) -> HttpResponse:
    """Return the response that carries an error in the query protocol."""
    shape = service.error_shape(error.code)
    code = shape.error.get("code", shape.name) if shape is not None else error.code
    namespace = f' xmlns="{escape(service.namespace)}"' if service.namespace else ""
    body = (
        f"<ErrorResponse{namespace}><Error><Type>{fault_of(error, shape)}</Type><Code>{escape(code)}</Code>"
        f"{error_fields(service.dialect(Dialect).writer, shape, error)}</Error>"
        f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    )
    headers = [CONTENT_TYPE, ("x-amzn-RequestId", request_id)]
    return HttpResponse(status_of(error, shape), headers, body.encode())
