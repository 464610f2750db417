"""What the events of a WebSocket API go to, and what comes back.

Developer guide, "WebSocket APIs: Integrations", and "Set up two-way communication".
"""

from __future__ import annotations

from base64 import b64encode
from time import perf_counter
from typing import NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from cloudlet.core.aws.function_response import MalformedResponse, text
from cloudlet.core.kernel.block import Block
from cloudlet.services.apigateway import expressions, functions, outward, service_requests
from cloudlet.services.apigateway.functions import Failed
from cloudlet.services.apigateway.service_requests import Address
from cloudlet.services.apigateway.websocket import mapping
from cloudlet.services.apigateway.websocket.compiled import Integration
from cloudlet.services.apigateway.websocket.event import MESSAGE, Event
from cloudlet.wire import HttpRequest

_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """What an integration has answered; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    goes_back: bool = True
    """Whether it may go to the client."""


async def call(block: Block, event: Event, integration: Integration) -> Answer:
    """Let an integration have an event. Raises Failed."""
    started = perf_counter()
    try:
        if integration.is_private:
            raise Failed(503, "Cloudlet does not build VPC links of WebSocket APIs")
        if integration.function:
            answer = await _function(block, event, integration)
        else:
            body = event.body if integration.is_proxy else await _mapped(event, integration)
            if integration.url:
                answer = await _endpoint(block, event, integration, body)
            elif integration.service is not None:
                answer = await _service(block, event, integration, integration.service, body)
            else:
                answer = Answer(_mocked(integration, body), {}, b"")
    except Failed as failed:
        event.integration_error = f"{failed} {failed.error}".strip()
        raise
    finally:
        event.integration_millis = int((perf_counter() - started) * 1000)
    event.integration_status = answer.status
    if integration.is_text:
        answer = answer._replace(body=_make_text(answer.body))
    return answer if integration.is_proxy else await _answered(event, integration, answer)


def _make_text(body: bytes) -> bytes:
    """Return a body as it is where it is text, else as base64."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return b64encode(body)
    return body


async def _mapped(event: Event, integration: Integration) -> bytes:
    """Return the body that an integration gets."""
    template = integration.templates.chosen(event.lookup)
    if template is not None:
        return await mapping.rendered(template, event, event.body)
    if not integration.passes:
        raise Failed(500, "There is no mapping template for the message, and it may not go on as it is")
    return event.body


def _mocked(integration: Integration, body: bytes) -> int:
    """Return the status that the template of a mock says; 200 without one."""
    if not integration.templates.by_key:
        return 200
    status = expressions.found_in(body, "statusCode")
    if isinstance(status, str) and status.isascii() and status.isdecimal() and len(status) == 3:
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise Failed(500, "The request template of the mock integration says no statusCode")
    return status


async def _answered(event: Event, integration: Integration, answer: Answer) -> Answer:
    """Return what an integration response makes of an answer; without one nothing goes back."""
    response = mapping.matching(integration.responses, answer.status)
    if response is None:
        return answer._replace(goes_back=False)
    template = response.templates.chosen(event.lookup)
    return answer if template is None else answer._replace(body=await mapping.rendered(template, event, answer.body))


async def _function(block: Block, event: Event, integration: Integration) -> Answer:
    account = event.session.place.account
    payload = await functions.invoke(
        block,
        integration.function,
        _encode(event.function_event()),
        account,
        event.arn,
        integration.seconds,
        role=integration.role,
        caller=event.session.principal,
    )
    try:
        answer = msgspec.json.decode(payload or b"null")
    except (ValueError, RecursionError):
        raise Failed(500, "The response from the Lambda function is not JSON") from None
    status = answer.get("statusCode") if isinstance(answer, dict) else None
    if isinstance(status, str) and status.isascii() and status.isdecimal() and len(status) == 3:
        status = int(status)
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        raise Failed(500, "The response from the Lambda function has no valid statusCode")
    headers = answer.get("headers") or {}
    if not isinstance(headers, dict):
        raise Failed(500, "The headers of the response from the Lambda function are not a map")
    body = answer.get("body")
    if body is not None and not isinstance(body, str):
        raise Failed(500, "The body of the response from the Lambda function is not text")
    try:
        shown = {name.lower(): text(value) for name, value in headers.items()}
    except MalformedResponse as bad:
        raise Failed(500, str(bad)) from bad
    return Answer(status, shown, (body or "").encode("utf-8", "surrogatepass"))


class _Placed(NamedTuple):
    """The values of an integration's parameters by their places."""

    headers: dict[str, str]
    query: str
    path: dict[str, str]

    def into(self, path: str) -> str:
        """Return a path, or URL, with its variables in braces replaced."""
        for name, value in self.path.items():
            path = path.replace(f"{{{name}}}", quote(value, ""))
        return path


def _placed(event: Event, integration: Integration) -> _Placed:
    values: dict[str, dict[str, str]] = {"header": {}, "querystring": {}, "path": {}}
    for parameter in integration.parameters:
        value = parameter.value(event)
        if value is not None:
            values[parameter.place][parameter.name] = value
    return _Placed(values["header"], urlencode(values["querystring"]), values["path"])


async def _endpoint(block: Block, event: Event, integration: Integration, body: bytes) -> Answer:
    passed_on = outward.end_to_end(event.headers, "host").items()
    headers = {name: value for name, value in passed_on if not name.startswith("sec-websocket-")}
    if event.kind == MESSAGE or not integration.is_proxy:
        headers["content-type"] = _JSON
    placed = _placed(event, integration)
    url = placed.into(integration.url)
    if placed.query:
        url += f"{'&' if '?' in url else '?'}{placed.query}"
    method = "POST" if integration.method == "ANY" else integration.method
    sent = list({**headers, **placed.headers}.items())
    response = await outward.send(block, method, url, sent, body, integration.seconds)
    return Answer(response.status, dict(response.headers), response.body)


async def _service(block: Block, event: Event, integration: Integration, address: Address, body: bytes) -> Answer:
    account = event.session.place.account
    if address.function:
        payload = await functions.invoke(
            block,
            address.function,
            body or b"{}",
            account,
            event.arn,
            integration.seconds,
            role=integration.role,
            caller=event.session.principal,
        )
        return Answer(200, {}, payload)
    placed = _placed(event, integration)
    headers = {"content-type": _JSON, **placed.headers}
    response = await service_requests.send(
        block,
        address._replace(rest=placed.into(address.rest)),
        HttpRequest(integration.method, "/", placed.query, headers, body),
        role=integration.role,
        caller=event.session.principal,
        account=account,
        request_id=event.request_id,
        seconds=integration.seconds,
    )
    content = response.body if isinstance(response.body, bytes) else b""
    return Answer(response.status, dict(response.headers), content)
