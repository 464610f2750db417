"""The query protocol of SQS where a client accepts JSON: parameters in a form, results in JSON.

API Gateway developer guides and AWS's samples show such answers: all members are there, in the order of their names,
null where they have no value, and maps are lists of names and values.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.wire import query
from cloudlet.wire.errors import WireError
from cloudlet.wire.failures import error_members, fault_of, status_of
from cloudlet.wire.http import HttpRequest, HttpResponse
from cloudlet.wire.shapes import Ref, Shape

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

_NAMES: Final = {"Messages": "messages", "QueueUrls": "queueUrls"}
"""Members that have a name of their own here."""


class Codec:
    """An operation in the query protocol, answered in JSON."""

    def __init__(self, operation: Operation) -> None:
        self._name = operation.name
        self._output = operation.output
        self._form = query.Codec(operation)

    def parse(self, request: HttpRequest, check: bool) -> dict[str, Any]:
        """Return the parameters of a request."""
        return self._form.parse(request, check)

    def serialize(self, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """Return the response that carries a result."""
        answer: dict[str, Any] = {"ResponseMetadata": {"RequestId": request_id}}
        if self._output is not None:
            answer[f"{self._name}Result"] = _structure(self._output.shape, result)
        return _response(200, {f"{self._name}Response": answer}, request_id)


def _structure(shape: Shape, value: Mapping[str, Any]) -> dict[str, Any]:
    members = {_NAMES.get(name, name): _value(ref, value.get(name)) for name, ref in shape.members.items()}
    return dict(sorted(members.items(), key=lambda member: member[0].lower()))


def _value(ref: Ref, value: Any) -> Any:
    shape = ref.shape
    if value is None:
        return None
    if shape.kind == "structure":
        return _structure(shape, value)
    if shape.kind == "list":
        return [_value(shape.element, each) for each in value]
    if shape.kind == "map":
        names = shape.key.query_name or "Name", shape.value.query_name or "Value"
        return [{names[0]: key, names[1]: _value(shape.value, each)} for key, each in value.items()]
    return b64encode(value).decode() if shape.kind == "blob" else value


def error_response(
    service: ServiceModel, error: WireError, request_id: str, operation: Operation | None = None
) -> HttpResponse:
    """Return the response that carries an error."""
    shape = service.error_shape(error.code)
    code = shape.error.get("code", shape.name) if shape is not None else error.code
    members = error_members(shape, error)
    message = next((value for name, value in members.items() if name.lower() == "message"), error.message)
    body = {"Error": {"Code": code, "Message": message, "Type": fault_of(error, shape)}, "RequestId": request_id}
    return _response(status_of(error, shape), body, request_id)


def _response(status: int, document: dict[str, Any], request_id: str) -> HttpResponse:
    headers = [("Content-Type", "application/json"), ("x-amzn-RequestId", request_id)]
    return HttpResponse(status, headers, msgspec.json.encode(document))
