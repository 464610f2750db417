"""What answers a method: a Lambda function, an HTTP endpoint, a service of AWS, or the gateway itself (MOCK).

Developer guide, "Integrations for REST APIs in API Gateway".
"""

from __future__ import annotations

import asyncio
import re
from time import perf_counter
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws import function_response
from cloudlet.core.aws.arn import Arn
from cloudlet.core.aws.function_response import MalformedResponse
from cloudlet.core.background.workers import LARGE, offload_if
from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.services.apigateway import expressions, functions, outward, role_calls, service_requests
from cloudlet.services.apigateway.functions import TOO_LARGE, Failed
from cloudlet.services.apigateway.private_endpoints import PRIVATE_ENDPOINTS
from cloudlet.services.apigateway.rest import binary, certificates, events, mapping, matching
from cloudlet.services.apigateway.rest.call import Call
from cloudlet.services.apigateway.rest.compiled import Integration, Response
from cloudlet.services.apigateway.rest.mapping import Outgoing, Received
from cloudlet.services.apigateway.rest.refusal import Refusal, internal
from cloudlet.wire import HttpRequest, HttpResponse

_STATUS = re.compile(r"[1-5]\d\d", re.ASCII)
_MOCK_STATUS = re.compile(r"\s*\{[^{}]*?[\"']?statusCode[\"']?\s*:\s*[\"']?(\d{3})[\"']?\s*[,}]")
_GRACE_SECONDS = 1.0
_OF_AWS = ("AWS", "AWS_PROXY")
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_OF_ANSWER = frozenset(("body", "headers", "isBase64Encoded", "multiValueHeaders", "statusCode"))
"""What a function may answer with. Developer guide, "Output format of a Lambda function for proxy integration"."""


async def answer(call: Call, integration: Integration) -> HttpResponse:
    """Let the integration of a method answer. Raises Refusal where it does not."""
    started = perf_counter()
    call.trace.note(f"Starting integration of type {integration.kind}")
    try:
        async with asyncio.timeout(integration.seconds):
            response = await _answer(call, integration)
    except TimeoutError:
        call.integration_error = "Endpoint request timed out"
        raise Refusal("INTEGRATION_TIMEOUT", "Endpoint request timed out") from None
    except AwsError as error:
        # The URI makes no sense, now that stage variables and parameters are in it.
        call.integration_error = error.message
        raise internal(error.message) from error
    except Failed as failed:
        call.integration_error = f"{failed} {failed.error}".strip()
        raise _refusal(integration, failed, call.integration_error) from failed
    finally:
        if integration.kind != "MOCK":
            call.integration_millis = int((perf_counter() - started) * 1000)
    if integration.kind in _OF_AWS and call.trace_header and TRACE_HEADER not in dict(response.headers):
        response.headers.append((TRACE_HEADER, call.trace_header))
    return response


def _refusal(integration: Integration, failed: Failed, reason: str) -> Refusal:
    if failed.status == TOO_LARGE:
        return Refusal("REQUEST_TOO_LARGE", "Request Too Long", reason)
    if integration.function:
        # What a function has raised is an answer that makes no sense, as any other that is not of the right form.
        return internal(reason, status=502 if failed.error else 500)
    if integration.kind == "AWS" and failed.status == 500:
        # Nobody was asked: the role, or what the URI says, is wrong.
        return internal(reason)
    if failed.status == 504:
        return Refusal("INTEGRATION_TIMEOUT", "Endpoint request timed out", reason)
    return Refusal("INTEGRATION_FAILURE", "Network error communicating with endpoint", reason)


async def _answer(call: Call, integration: Integration) -> HttpResponse:
    if integration.kind == "AWS_PROXY":
        return await _function(call, integration)
    media_types = call.stage.media_types
    outgoing = Outgoing()
    if integration.kind == "HTTP_PROXY":
        outgoing.headers = outward.end_to_end(call.headers, *outward.OF_THE_WAY)
        outgoing.query = call.query_values()
    is_binary = media_types.has(call.headers.get("content-type", ""))
    body = binary.converted(call.body, integration.handling, is_binary=is_binary)
    if not (is_binary or integration.handling or integration.kind == "HTTP_PROXY"):
        body = binary.as_text(body)
    await mapping.mapped_parameters(call, integration, outgoing)
    if integration.kind == "HTTP_PROXY":
        outgoing.body = body
    else:
        await mapping.request_body(call, integration, body, outgoing)
    call.trace.data("Endpoint request body after transformations", outgoing.body)
    received = await _received(call, integration, outgoing)
    call.integration_status = received.status
    call.trace.note(f"Received response. Status: {received.status}")
    call.trace.data("Endpoint response headers", dict(received.headers))
    call.trace.data("Endpoint response body before transformations", received.body)
    if integration.kind == "HTTP_PROXY":
        kept = [pair for pair in received.headers if pair[0] not in outward.HOP_BY_HOP and pair[0] != "date"]
        return HttpResponse(received.status, kept, received.body)
    chosen = await _chosen(call, integration, received.matched)
    if not chosen.is_declared:
        raise internal(f"Output mapping refers to an invalid method response: {chosen.status}")
    is_binary = media_types.has(received.header("content-type") or "")
    wants_binary = media_types.has(call.headers.get("accept", ""))
    handling = chosen.handling
    if not handling and is_binary != wants_binary:
        # Without being told, a gateway gives clients what they ask for.
        handling = "CONVERT_TO_BINARY" if wants_binary else "CONVERT_TO_TEXT"
    body = binary.converted(received.body, handling, is_binary=is_binary)
    if not (is_binary or handling):
        body = binary.as_text(body)
    return HttpResponse(*await mapping.response(call, received, chosen, body))


async def _chosen(call: Call, integration: Integration, matched: str) -> Response:
    """Return the integration response whose pattern matches, or else the default one."""
    default = None
    for each in integration.responses:
        if not each.pattern:
            default = default or each
            continue
        if matched and await matching.matches(call.place.account, matched, each.pattern):
            return each
    if default is None:
        raise internal(f"No match for output mapping and no default output mapping configured: {matched}")
    return default


async def _received(call: Call, integration: Integration, outgoing: Outgoing) -> Received:
    if integration.kind == "MOCK":
        return await _mock(call, outgoing)
    if integration.kind == "HTTP" or integration.kind == "HTTP_PROXY":
        return await _endpoint(call, integration, outgoing)
    if integration.function:
        return await _custom_function(call, integration, outgoing)
    return await _service(call, integration, outgoing)


async def _mock(call: Call, outgoing: Outgoing) -> Received:
    """Answer as the body says: it has a statusCode. AWS does not insist on quotes around that."""
    body = outgoing.body
    shown = await offload_if(len(body) >= LARGE, call.place.account, _status_in, body)
    if not _STATUS.fullmatch(shown):
        raise internal("Unable to parse statusCode. It should be an integer that is defined in the request template.")
    return Received(int(shown), [], b"", shown)


def _status_in(body: bytes) -> str:
    said = expressions.found_in(body, "statusCode")
    match = _MOCK_STATUS.match(body.decode("utf-8", "replace")) if said is None else None
    return str(said) if match is None else match[1]


# -- Lambda functions


async def _function(call: Call, integration: Integration) -> HttpResponse:
    if integration.verb not in ("POST", "ANY"):
        raise internal(f"Lambda functions are invoked by POST, and not by {integration.verb}")
    media_types = call.stage.media_types
    is_binary = media_types.has(call.headers.get("content-type", ""))
    event = _encode(events.proxy(call, is_binary=is_binary))
    call.trace.data("Endpoint request body after transformations", event)
    payload = await _invoke(call, integration, event)
    call.integration_status = 200
    call.trace.data("Endpoint response body before transformations", payload)
    takes_binary = media_types.has(call.headers.get("accept", ""))
    if not takes_binary and b"isBase64Encoded" in payload:
        payload = _as_text(payload)
    try:
        _check_members(payload)
        return function_response.parse(payload, "1.0", "application/json")
    except MalformedResponse as bad:
        call.integration_error = str(bad)
        raise internal(f"Malformed Lambda proxy response: {bad}", status=502) from bad


def _check_members(payload: bytes) -> None:
    """Raise BadAnswer for a function's answer that has what API Gateway does not know."""
    try:
        unknown = _members(payload).keys() - _OF_ANSWER
    except (ValueError, RecursionError):
        # No object: whoever reads it says so.
        return
    if unknown:
        raise MalformedResponse(
            f"The response from the Lambda function has unknown members: {', '.join(sorted(unknown))}"
        )


def _as_text(payload: bytes) -> bytes:
    """Return a function's answer whose body is not decoded: the client has not asked for a binary type."""
    try:
        answered = msgspec.json.decode(payload)
    except (ValueError, RecursionError):
        return payload
    return _encode({**answered, "isBase64Encoded": False}) if isinstance(answered, dict) else payload


async def _invoke(call: Call, integration: Integration, event: bytes) -> bytes:
    return await functions.invoke(
        call.block,
        integration.function,
        event,
        call.place.account,
        call.resource_arn,
        integration.seconds + _GRACE_SECONDS,
        trace=call.trace_header,
        role=integration.role,
        caller=call.principal,
    )


async def _custom_function(call: Call, integration: Integration, outgoing: Outgoing) -> Received:
    """Call a function with what the template has made; what it raises is compared with the selection patterns."""
    body = outgoing.body or b"{}"
    if outgoing.headers.get("x-amz-invocation-type") == "Event":
        return await _start(call, integration, body)
    try:
        payload = await _invoke(call, integration, body)
    except Failed as failed:
        if not failed.error:
            raise
        return Received(200, [], failed.error.encode(), _message(failed.error))
    return Received(200, [("content-type", "application/json")], payload, "")


async def _start(call: Call, integration: Integration, event: bytes) -> Received:
    """Hand an event to a function without waiting for it."""
    params = {"FunctionName": integration.function, "Payload": event, "InvocationType": "Event"}
    try:
        await role_calls.call(
            call.block,
            "lambda",
            "Invoke",
            params,
            role=integration.role,
            caller=call.principal,
            account=call.place.account,
            region=Arn.parse(integration.function).region,
            source_arn=call.resource_arn,
            trace=call.trace_header,
        )
    except AwsError as error:
        raise Failed(error.status or 500, f"{error.code}: {error.message}") from error
    return Received(202, [], b"", "202")


def _message(error: str) -> str:
    """Return the message in what a function has raised."""
    try:
        found = msgspec.json.decode(error.encode())
    except (ValueError, RecursionError):
        return error
    message = found.get("errorMessage") if isinstance(found, dict) else None
    return str(message) if message is not None else error


# -- endpoints and services


def _query(outgoing: Outgoing) -> str:
    return urlencode([(name, value) for name, every in outgoing.query.items() for value in every])


async def _endpoint(call: Call, integration: Integration, outgoing: Outgoing) -> Received:
    try:
        parts = urlsplit(outward.filled(integration.uri, outgoing.path.get))
    except ValueError as error:
        raise Failed(500, f"The URL of the endpoint is not valid: {error}") from error
    query = "&".join(part for part in (parts.query, _query(outgoing)) if part)
    url = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}{'?' if query else ''}{query}"
    headers = outgoing.headers
    # Endpoints may trust it: it is not the client's to say.
    headers["x-amzn-apigateway-api-id"] = call.api_id
    if integration.kind == "HTTP":
        headers.setdefault("accept", "application/json")
        headers.setdefault("user-agent", f"AmazonAPIGateway_{call.api_id}")
        headers.setdefault("content-type", call.headers.get("content-type", "application/json"))
        headers.setdefault(TRACE_HEADER, call.headers[TRACE_HEADER])
    verb = call.verb if integration.verb == "ANY" else integration.verb
    call.trace.note(f"Sending request to {url}")
    call.trace.data("Endpoint request headers", headers)
    client = None
    if integration.link:
        private = await PRIVATE_ENDPOINTS.get(call.block).find_balancer(
            call.place, integration.link, parts.netloc, parts.scheme
        )
        client, url = private.client, private.origin + url[len(f"{parts.scheme}://{parts.netloc}") :]
        headers.setdefault("host", private.host)
    elif call.stage.client_certificate and parts.scheme == "https":
        client = await certificates.open_client(call.block, call.place, call.stage.client_certificate)
    answered = await outward.send(
        call.block, verb, url, list(headers.items()), outgoing.body, integration.seconds + _GRACE_SECONDS, client
    )
    call.integration_request_id = answered.header("x-amzn-requestid") or answered.header("x-amz-request-id") or ""
    return Received(answered.status, list(answered.headers), answered.body, str(answered.status))


async def _service(call: Call, integration: Integration, outgoing: Outgoing) -> Received:
    uri = outward.filled(integration.uri, outgoing.path.get)
    headers: dict[str, Any] = {"content-type": "application/json", "accept": "application/json", **outgoing.headers}
    query = _query(outgoing)
    address = service_requests.address_of(uri)
    if address.kind == "path":
        path, _, own = address.rest.partition("?")
        address = address._replace(rest=path)
        query = "&".join(part for part in (own, query) if part)
    verb = call.verb if integration.verb == "ANY" else integration.verb
    call.trace.note(f"Sending request to {uri}")
    answered = await service_requests.send(
        call.block,
        address,
        HttpRequest(verb, "/", query, headers, outgoing.body),
        role=integration.role,
        account=call.place.account,
        request_id=call.id,
        caller=call.principal,
        seconds=integration.seconds + _GRACE_SECONDS,
    )
    received = [(name.lower(), value) for name, value in answered.headers]
    body = answered.body if isinstance(answered.body, bytes) else b""
    call.integration_request_id = next((value for name, value in received if name == "x-amzn-requestid"), "")
    return Received(answered.status, received, body, str(answered.status))
