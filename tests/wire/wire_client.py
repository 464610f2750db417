"""botocore as the other end: requests as it sends them, and responses as it reads them."""

from __future__ import annotations

import asyncio
import io
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import ResponseParserFactory
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp

from cloudlet.wire import HttpRequest, HttpResponse

_loader = Loader()


@cache
def botocore_model(service: str) -> ServiceModel:
    return ServiceModel(_loader.load_service_model(service, "service-2"), service)


def built_request(operation: OperationModel, protocol: str, params: dict[str, Any]) -> HttpRequest:
    """Return the request that botocore sends, before it is signed."""
    serializer = create_serializer(protocol, include_validation=False)
    request_dict = serializer.serialize_to_request(params, operation)
    prepare_request_dict(request_dict, "http://localhost:4566", context={"is_presign_request": False})
    prepared = create_request_object(request_dict).prepare()
    url = urlsplit(prepared.url)
    headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
    headers["host"] = request_dict.get("host_prefix", "") + "localhost:4566"
    body = prepared.body or b""
    return HttpRequest(
        prepared.method, url.path, url.query, headers, body.encode() if isinstance(body, str) else bytes(body)
    )


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


async def _collect(body: Any) -> bytes:
    return b"".join([chunk async for chunk in body])


def body_of(response: HttpResponse) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return asyncio.run(_collect(response.body))


def read_response(response: HttpResponse, operation: OperationModel, protocol: str) -> dict[str, Any]:
    """Return what a user of boto3 gets from a response, with timestamps as epoch seconds."""
    headers = HeadersDict()
    for name, value in response.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    body: Any = body_of(response)
    if response.status < 300 and (operation.has_streaming_output or operation.has_event_stream_output):
        body = _Stream(body)
    given = {
        "body": body,
        "headers": headers,
        "status_code": response.status,
        "context": {"operation_name": operation.name},
    }
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=lambda value: parse_timestamp(value).timestamp())
    parser = factory.create_parser(protocol)
    parsed: dict[str, Any] = parser.parse(given, operation.output_shape)
    if response.status >= 300:
        code = parsed.get("Error", {}).get("Code")
        shape = operation.service_model.shape_for_error_code(code)
        if shape is not None:
            modelled = parser.parse(given, shape)
            modelled.pop("ResponseMetadata", None)
            parsed["Modelled"] = modelled
    return parsed


class _Stream(io.BytesIO):
    """What botocore reads event streams and streaming bodies from."""

    def stream(self) -> Any:
        yield self.getvalue()
