"""The client's side of an operation, in RPC v2 with CBOR: what one block sends another that runs elsewhere.

Cloudlet's blocks all understand this protocol (see `matching`), so a caller needs no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.wire import cbor
from cloudlet.wire.errors import WireError
from cloudlet.wire.http import HttpRequest
from cloudlet.wire.operation import Operation
from cloudlet.wire.rpccbor import Dialect

_HEADERS = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor", "accept": "application/cbor"}
_MESSAGE = ("message", "Message", "errorMessage")


def request_for(operation: Operation, params: Mapping[str, Any]) -> HttpRequest:
    """Return the request that calls an operation. Raises `InvalidResult` if the model knows no such parameter."""
    source = operation.input
    body = b""
    if source is not None:
        dialect = operation.service.dialect(Dialect)
        body = dialect.document(source, source.shape.members)(params)
    service = operation.service
    path = f"/service/{service.target_prefix or service.name}/operation/{operation.name}"
    return HttpRequest("POST", path, "", dict(_HEADERS), body)


def result_of(operation: Operation, status: int, body: bytes) -> dict[str, Any]:
    """Return what a response says. Raises WireError for the error that it says, MalformedCbor for what is none."""
    document = cbor.decode(body) if body else {}
    if not isinstance(document, dict):
        raise cbor.MalformedCbor("a response is a map")
    if status >= 300:
        raise _error(status, document)
    output = operation.output
    if output is None:
        return {}
    reader = operation.service.dialect(Dialect).reader
    result: dict[str, Any] = reader.structure(output, output.shape.members)(document)
    return result


def _error(status: int, document: dict[str, Any]) -> WireError:
    code = str(document.pop("__type", "InternalFailure")).rpartition("#")[2]
    message = next((document.pop(name) for name in _MESSAGE if name in document), "")
    return WireError(code, str(message), status=status, fields=document)
