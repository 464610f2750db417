"""What answers a route: a Lambda function, an HTTP endpoint, or a service of AWS.

Developer guide, "Create integrations for HTTP APIs in API Gateway".
"""

from __future__ import annotations

from time import perf_counter
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from cloudlet.core.aws import function_response
from cloudlet.core.aws.function_response import MalformedResponse
from cloudlet.services.apigateway import aws_integrations, expressions, functions, outward
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.functions import TOO_LARGE, Failed
from cloudlet.services.apigateway.http import events
from cloudlet.services.apigateway.http.call import Call
from cloudlet.services.apigateway.http.compiled import Integration
from cloudlet.services.apigateway.parameter_mapping import changed_pairs
from cloudlet.services.apigateway.private_endpoints import PRIVATE_ENDPOINTS
from cloudlet.wire import HttpResponse

_encode = msgspec.json.Encoder().encode


async def answer(call: Call, integration: Integration) -> HttpResponse:
    """Let the integration of a route answer. Raises Refused where it does not."""
    started = perf_counter()
    try:
        if integration.function:
            response = await _function(call, integration)
        elif integration.call is not None:
            response = await _service(call, integration.call)
        else:
            response = await _endpoint(call, integration)
    except Failed as failed:
        call.integration_error = f"{failed} {failed.error}".strip()
        raise _refused(failed, call.integration_error) from failed
    finally:
        call.integration_millis = int((perf_counter() - started) * 1000)
    if integration.response_changes:
        _change_response(call, integration, response)
    return response


def _refused(failed: Failed, reason: str) -> Refused:
    """Return what a client is told; HTTP APIs have one status for what is not there and for what is too slow."""
    if failed.status == TOO_LARGE:
        return Refused(413, "Request Entity Too Large", "REQUEST_TOO_LARGE", reason=reason)
    if failed.status == 500:
        return Refused(500, "Internal Server Error", "INTEGRATION_FAILURE", reason=reason)
    kind = "INTEGRATION_TIMEOUT" if failed.status == 504 else "INTEGRATION_FAILURE"
    return Refused(503, "Service Unavailable", kind, reason=reason)


async def _function(call: Call, integration: Integration) -> HttpResponse:
    if integration.changes:
        _change_event(call, integration)
    event = events.function_v2(call) if integration.payload == "2.0" else events.function_v1(call)
    payload = await functions.invoke(
        call.block,
        integration.function,
        _encode(event),
        call.place.account,
        call.route_arn,
        integration.seconds,
        call.trace,
        role=integration.role,
        caller=call.principal,
    )
    call.integration_status = 200
    try:
        return function_response.parse(payload, integration.payload)
    except MalformedResponse as bad:
        raise Failed(500, str(bad)) from bad


def _change_event(call: Call, integration: Integration) -> None:
    """Make the changes of the parameter mapping to what the event will tell."""
    headers, query, path = _changed(call, integration, list(call.headers.items()), call.path)
    combined: dict[str, str] = {}
    for name, value in headers:
        combined[name] = f"{combined[name]},{value}" if name in combined else value
    call.headers, call.query = combined, query
    call.path = path


def _changed(
    call: Call, integration: Integration, headers: list[tuple[str, str]], path: str
) -> tuple[list[tuple[str, str]], str, str]:
    """Return headers, query and path with the changes of the parameter mapping."""
    queries: list[tuple[str, str]] | None = None
    for change in integration.changes:
        if change.place == "header":
            headers = changed_pairs(headers, change, call.lookup)
        elif change.place == "querystring":
            queries = changed_pairs(call.queries() if queries is None else queries, change, call.lookup)
        else:
            value = change.value.value(call.lookup)
            path = path if value is None else f"/{value.lstrip('/')}"
    return headers, call.query if queries is None else urlencode(queries), path


async def _endpoint(call: Call, integration: Integration) -> HttpResponse:
    private = None
    url = integration.url
    if integration.link:
        private = await PRIVATE_ENDPOINTS.get(call.block).find(call.place, integration.link, integration.url)
        url = private.origin + quote(call.path, f"{outward.PATH_CHARACTERS}%")
    try:
        parts = urlsplit(url if private else outward.filled(url, lambda name: call.variables.get(name, "")))
    except ValueError as error:
        raise Failed(500, f"The URL of the endpoint is not valid: {error}") from error
    headers = list(outward.end_to_end(call.headers, *outward.OF_THE_WAY).items())
    path = parts.path
    query = "&".join(part for part in (parts.query, call.query) if part)
    if integration.changes:
        headers, changed, path = _changed(call, integration, headers, path)
        query = "&".join(part for part in (parts.query, changed) if part)
        path = quote(path, f"{outward.PATH_CHARACTERS}%")
    protocol = "https" if call.visit.secure else "http"
    headers += [
        ("forwarded", f"by=127.0.0.1;for={call.visit.peer};host={call.visit.host};proto={protocol}"),
        ("via", "HTTP/1.1 AmazonAPIGateway"),
    ]
    if private is not None:
        headers.append(("host", private.host))
    method = call.method if integration.method == "ANY" else integration.method
    client = None if private is None else private.client
    target = f"{parts.scheme}://{parts.netloc}{path or '/'}{'?' if query else ''}{query}"
    answered = await outward.send(call.block, method, target, headers, call.body, integration.seconds, client)
    call.integration_status = answered.status
    call.integration_request_id = answered.header("x-amzn-requestid") or answered.header("x-amz-request-id") or ""
    kept = [pair for pair in answered.headers if pair[0] not in outward.HOP_BY_HOP and pair[0] != "date"]
    return HttpResponse(answered.status, kept, answered.body)


async def _service(call: Call, made: aws_integrations.Call) -> HttpResponse:
    try:
        result = await aws_integrations.make(call.block, made, call.lookup, call.place, call.principal)
    except aws_integrations.Failed as failed:
        call.integration_status = failed.status
        error = failed.error
        body = _encode({"__type": error.code, "message": error.message})
        return HttpResponse(failed.status, [("content-type", "application/json")], body)
    call.integration_status = 200
    return HttpResponse(200, [("content-type", "application/json")], aws_integrations.to_api(result))


def _change_response(call: Call, integration: Integration, response: HttpResponse) -> None:
    """Make the changes that the integration has for answers of this status."""
    changes = integration.response_changes.get(response.status)
    if not changes:
        return

    def lookup(variable: str) -> str | None:
        if not variable.startswith("response."):
            return call.lookup(variable)
        place, _, name = variable.removeprefix("response.").partition(".")
        if place == "header":
            values = [value for key, value in response.headers if key.lower() == name.lower()]
            return ",".join(values) if values else None
        if place == "body" and isinstance(response.body, bytes):
            text = response.body[: expressions.LARGEST_BODY]
            return expressions.in_json(text, name) if name else text.decode("utf-8", "replace")
        return None

    for change in changes:
        if change.place == "header":
            response.headers = changed_pairs(response.headers, change, lookup)
            continue
        status = change.value.value(lookup) or ""
        if status.isascii() and status.isdecimal() and len(status) == 3 and 200 <= int(status) <= 599:
            response.status = int(status)
