"""Integrations of the type AWS: requests to any operation of a service, in the service's own protocol.

Developer guide, "Integration request for AWS integrations": the URI is
`arn:aws:apigateway:{region}:{service}:action/{Action}` or `…:path/{path}`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import NamedTuple

from cloudlet.core import AwsError, Params, Result
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.models import get_block_name
from cloudlet.services.apigateway import errors, role_calls
from cloudlet.services.apigateway.functions import Failed
from cloudlet.services.apigateway.outward import LARGEST_BYTES
from cloudlet.wire import HttpRequest, HttpResponse, Operation, ServiceModel, WireError, load
from cloudlet.wire.bodies import pieces_of
from cloudlet.wire.catalog import candidates
from cloudlet.wire.http import FileBody

_URI = re.compile(
    r"arn:[\w-]+:apigateway:(?P<region>[\w-]*):(?:(?P<host>[\w.-]+)\.)?(?P<service>[\w-]+)"
    r":(?P<kind>action|path)/(?P<rest>.*)",
    re.DOTALL,
)
_FUNCTION = re.compile(r"2015-03-31/functions/(?P<arn>arn:.+)/invocations")
_FORM = "application/x-www-form-urlencoded"


class Address(NamedTuple):
    """Where a request goes."""

    region: str
    service: str
    host: str
    """What comes before the service's name in the host: a bucket, say."""
    kind: str
    """`action` or `path`."""
    rest: str

    @property
    def function(self) -> str:
        """The ARN of the Lambda function whose invocation this is; empty where it is none."""
        match = _FUNCTION.fullmatch(self.rest) if self.service == "lambda" and self.kind == "path" else None
        return "" if match is None else match["arn"]


def address_of(uri: str) -> Address:
    """Return what the URI of an integration says. Raises BadRequestException."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise errors.bad_request("Invalid ARN specified in the request")
    if not candidates(match["service"]):
        raise errors.bad_request(f"AWS service of type {match['service']} not supported")
    return Address(match["region"], match["service"], match["host"] or "", match["kind"], match["rest"])


async def send(
    block: Block,
    address: Address,
    request: HttpRequest,
    *,
    role: str,
    account: str,
    request_id: str,
    seconds: float,
    caller: Principal | None = None,
) -> HttpResponse:
    """Send a request, whose path is that of `address`, to a service as a session of a role; return its answer.

    `caller` is who has signed the call of the API, for roles that mean him. What the service refuses is an answer, too.
    Raises Failed where there is none.
    """
    for name in candidates(address.service):
        model = load(name)
        addressed = _addressed(model, address, request)
        found = model.match(addressed)
        if found is not None:
            break
    else:
        raise Failed(500, f"{address.service} has no operation for {request.method} {address.kind}/{address.rest}")
    protocol, operation = found[0], model.operations[found[1]]
    try:
        params = operation.parse(protocol, addressed)
        async with asyncio.timeout(seconds):
            result = await _call(block, model, operation, params, address.region, role, account, caller)
        return await _whole(operation.serialize(protocol, result or {}, request_id))
    except TimeoutError:
        raise Failed(504, "Endpoint request timed out") from None
    except role_calls.RoleRefused as refused:
        raise Failed(500, refused.message) from refused
    except WireError as error:
        return await _whole(model.serialize_error(protocol, error, request_id, operation))


def _addressed(model: ServiceModel, address: Address, request: HttpRequest) -> HttpRequest:
    """Return a request as it would come to the front door of a service."""
    if address.kind == "path":
        # What a service of actions only is asked for is in a header; its path is a slash alone: `path//`.
        path = f"/{address.rest.removeprefix('/')}"
        if address.host:
            path = f"/{address.host}{path}"
        return HttpRequest(request.method, path, request.query, request.headers, request.body)
    headers = dict(request.headers)
    action, _, more = address.rest.partition("&")
    body = request.body if isinstance(request.body, bytes) else b""
    if "json" in model.protocols and not headers.get("content-type", "").startswith(_FORM):
        headers["x-amz-target"] = f"{model.target_prefix}.{action}"
        return HttpRequest("POST", "/", "", headers, body or b"{}")
    headers["content-type"] = _FORM
    form = "&".join(part for part in (f"Action={action}", more, request.query, body.decode("utf-8", "replace")) if part)
    return HttpRequest("POST", "/", "", headers, form.encode())


async def _call(
    block: Block,
    model: ServiceModel,
    operation: Operation,
    params: Params,
    region: str,
    role: str,
    account: str,
    caller: Principal | None,
) -> Result:
    if not block.cloud.has(get_block_name(model.name)):
        raise AwsError("NotImplemented", f"Cloudlet has no service {model.name} yet.", status=501)
    return await role_calls.call(
        block, model.name, operation.name, params, role=role, account=account, region=region, caller=caller
    )


async def _whole(response: HttpResponse) -> HttpResponse:
    """Return a response with its whole body in memory. Raises Failed for one that is too large."""
    body = response.body
    if isinstance(body, FileBody):
        if body.size > LARGEST_BYTES:
            body.close()
            raise Failed(500, "The answer is too large")
        response.body = b"".join([piece async for piece in pieces_of(body)])
    elif isinstance(body, AsyncIterator):
        parts, size = [], 0
        async for part in body:
            size += len(part)
            if size > LARGEST_BYTES:
                raise Failed(500, "The answer is too large")
            parts.append(part)
        response.body = b"".join(parts)
    return response
