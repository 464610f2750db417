"""AWS's protocols by name; each is imported when it is first spoken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from cloudlet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cloudlet.wire.errors import WireError
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

FORMS = ("query", "query-json")
"""The query protocol, answered in XML and, by SQS, in JSON."""

_MODULES = {
    "json": "json",
    "query": "query",
    "query-json": "query_json",
    "ec2": "ec2",
    "rest-json": "restjson",
    "rest-xml": "restxml",
    "smithy-rpc-v2-cbor": "rpccbor",
}


class Codec(Protocol):
    """An operation compiled for one protocol."""

    def parse(self, request: HttpRequest, check: bool) -> dict[str, Any]: ...

    def serialize(self, result: Mapping[str, Any], request_id: str) -> HttpResponse: ...


ErrorWriter = Callable[["ServiceModel", "WireError", str, "Operation | None"], HttpResponse]


@cache
def _module(protocol: str) -> Any:
    try:
        name = _MODULES[protocol]
    except KeyError:
        raise LookupError(f"no such protocol: {protocol!r}") from None
    return import_module(f"cloudlet.wire.{name}")


def codec_of(protocol: str, operation: Operation) -> Codec:
    """Return the operation compiled for a protocol."""
    codec: Codec = _module(protocol).Codec(operation)
    return codec


def error_writer_of(protocol: str) -> ErrorWriter:
    """Return the function that writes errors in a protocol."""
    writer: ErrorWriter = _module(protocol).error_response
    return writer
