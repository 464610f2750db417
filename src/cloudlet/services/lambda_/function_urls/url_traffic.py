"""Requests to the URLs of functions. Developer guide, "Invoking Lambda function URLs"."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.aws import function_response
from cloudlet.core.aws.cors import Cors
from cloudlet.core.aws.function_response import MalformedResponse
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.web import Answer, DataPlaneRequest
from cloudlet.services.lambda_ import access, invoking
from cloudlet.services.lambda_.execution.invocation import Invocation
from cloudlet.services.lambda_.execution.streaming import Pieces
from cloudlet.services.lambda_.function_urls import url_event, urls
from cloudlet.services.lambda_.function_urls.urls import Url
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.invoking import Target
from cloudlet.wire import HttpResponse

_STREAMED = "application/vnd.awslambda.http-integration-response"
_JSON = "application/json"
_END_OF_PRELUDE = bytes(8)
_PRELUDE_BYTES = 1 << 20


async def answer(block: Block, visit: DataPlaneRequest) -> Answer | None:
    """Let the function that has a URL answer; None where no function has it."""
    found = await block.store.transact(lambda tx: urls.by_id(tx, visit.resource))
    if found is None:
        return _message(403, "Forbidden")
    what, url = found
    cors = None if url.cors is None else Cors(_configuration(url))
    headers = visit.request.headers
    origin = headers.get("origin", "")
    if cors is not None and visit.request.method == "OPTIONS" and "access-control-request-method" in headers:
        return HttpResponse(200, cors.preflight(headers))
    try:
        response = await _answered(block, visit, what, url)
    except AwsError as error:
        status = error.status or 500
        response = _message(status, _MESSAGES[status]) if status in _MESSAGES else _failed()
    except MalformedResponse:
        response = _failed()
    except ValueError:
        response = _message(413, "Request Too Long")
    if cors is not None and origin:
        allowed = cors.simple(origin)
        named = {name for name, _ in allowed}
        response.headers = [pair for pair in response.headers if pair[0].lower() not in named] + allowed
    return response


_MESSAGES = {403: "Forbidden", 404: "Not Found", 429: "Rate Exceeded."}


def _configuration(url: Url) -> dict[str, Any]:
    cors = url.cors
    if cors is None:
        return {}
    return {
        "AllowOrigins": cors.origins,
        "AllowMethods": cors.methods,
        "AllowHeaders": cors.headers,
        "ExposeHeaders": cors.exposed,
        "AllowCredentials": cors.credentials,
        "MaxAge": cors.max_age or None,
    }


async def _answered(block: Block, visit: DataPlaneRequest, what: FunctionReference, url: Url) -> HttpResponse:
    """Ask the function. Raises AwsError, BadAnswer, and ValueError for a request that is too large."""
    wants_signature = url.auth == "AWS_IAM"
    if wants_signature and not visit.is_signed:
        raise AwsError("AccessDeniedException", "Forbidden", status=403)
    # The signature is over the whole body.
    body = visit.request.body = await visit.body(invoking.PAYLOAD_BYTES)
    caller = visit.identify() if wants_signature else ANONYMOUS
    if wants_signature and caller is ANONYMOUS:
        raise AwsError("AccessDeniedException", "Forbidden", status=403)
    request_id = uuid4()
    endpoint = f"{'https' if visit.secure else 'http'}://{visit.host}"
    place = what.place
    ctx = Context(block, caller, place.account, place.region, request_id, endpoint, visit.peer, visit.secure)
    if ctx.strict:
        ctx.permissions = await block.cloud.permissions.load(caller)
    found = await block.store.transact(lambda tx: _target(ctx, tx, what, url))
    signer = None if caller is ANONYMOUS else caller
    event = url_event.of(visit, body, request_id, signer, block.clock.now())
    invocation = Invocation(request_id, event, what.arn, None, visit.request.headers.get(TRACE_HEADER, ""))
    if url.mode == "RESPONSE_STREAM":
        pieces, running = await invoking.begin(block, found, invocation)
        if not pieces.has_begun and running.result().error:
            raise MalformedResponse(running.result().error)
        response = await _streamed(pieces)
        response.headers.append(("x-amzn-requestid", request_id))
        return response
    outcome = await invoking.run(block, found, invocation)
    if outcome.error:
        raise MalformedResponse(outcome.error)
    response = _read(outcome.payload)
    response.headers.append(("x-amzn-requestid", request_id))
    return response


async def _target(ctx: Context, tx: Transaction, what: FunctionReference, url: Url) -> Target:
    # Both are needed, since October 2025: developer guide, "Control access to Lambda function URLs".
    await access.authorize(ctx, tx, what, "InvokeFunctionUrl", {"lambda:FunctionUrlAuthType": url.auth})
    await access.authorize(ctx, tx, what, "InvokeFunction", {"lambda:InvokedViaFunctionUrl": "true"})
    return await invoking.target_of(tx, what)


async def _streamed(pieces: Pieces) -> HttpResponse:
    """Return the response of a function that answers in pieces. Raises BadAnswer."""
    if pieces.content_type != _STREAMED:
        kind = pieces.content_type or "application/octet-stream"
        return HttpResponse(200, [("content-type", kind)], _rest(b"", pieces))
    held = b""
    async for piece in pieces:
        held += piece
        head, found, rest = held.partition(_END_OF_PRELUDE)
        if found:
            return _with_prelude(head, _rest(rest, pieces))
        if len(held) > _PRELUDE_BYTES:
            break
    raise MalformedResponse("the answer has no end of its metadata")


def _with_prelude(head: bytes, body: AsyncIterator[bytes]) -> HttpResponse:
    try:
        told = msgspec.json.decode(head)
    except (ValueError, RecursionError) as error:
        raise MalformedResponse(f"the answer's metadata are no JSON: {error}") from error
    if not isinstance(told, dict):
        raise MalformedResponse("the answer's metadata are no object")
    shown = function_response.parse(msgspec.json.encode({"statusCode": 200, **told, "body": ""}), "2.0", _JSON)
    return HttpResponse(shown.status, shown.headers, body)


async def _rest(first: bytes, pieces: Pieces) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


def _read(payload: bytes) -> HttpResponse:
    """Return the response that a function's answer stands for. Raises BadAnswer."""
    try:
        answer = msgspec.json.decode(payload or b"null")
        if isinstance(answer, dict) and "statusCode" in answer:
            if not isinstance(answer.get("body"), str | None):
                payload = msgspec.json.encode({**answer, "body": msgspec.json.encode(answer["body"]).decode()})
        elif not isinstance(answer, str):
            payload = msgspec.json.format(payload or b"null", indent=-1)
    except (ValueError, RecursionError) as error:
        raise MalformedResponse(f"the answer is no JSON: {error}") from error
    return function_response.parse(payload, "2.0", _JSON)


def _failed() -> HttpResponse:
    return HttpResponse(502, [("content-type", "text/plain")], b"Internal Server Error")


def _message(status: int, message: str) -> HttpResponse:
    return HttpResponse(status, [("content-type", _JSON)], msgspec.json.encode({"Message": message}))
