"""What the events of a WebSocket API go to, and what comes back.

Developer guide, "WebSocket APIs: Integrations", and "Set up two-way communication".
"""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

import msgspec

from cloudlet.core.block import Block
from cloudlet.core.function_answer import BadAnswer, text
from cloudlet.services.apigateway import functions, outward
from cloudlet.services.apigateway.functions import Failed
from cloudlet.services.apigateway.websocket.compiled import Integration
from cloudlet.services.apigateway.websocket.event import MESSAGE, Event

_encode = msgspec.json.Encoder().encode
_JSON = ("content-type", "application/json")


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
            raise Failed(503, "There is nothing behind VPC links: Cloudlet has no load balancers yet")
        if integration.function:
            answer = await _function(block, event, integration)
        elif integration.url:
            answer = await _endpoint(block, event, integration)
        else:
            answer = Answer(200, {}, b"", integration.answers)
    except Failed as failed:
        event.integration_error = f"{failed} {failed.error}".strip()
        raise
    finally:
        event.integration_millis = int((perf_counter() - started) * 1000)
    event.integration_status = answer.status
    return answer


async def _function(block: Block, event: Event, integration: Integration) -> Answer:
    account = event.session.place.account
    payload = await functions.invoke(
        block, integration.function, _encode(event.function_event()), account, event.arn, integration.seconds
    )
    try:
        answer = msgspec.json.decode(payload or b"null")
    except (msgspec.DecodeError, RecursionError):
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
    except BadAnswer as bad:
        raise Failed(500, str(bad)) from bad
    return Answer(status, shown, (body or "").encode("utf-8", "surrogatepass"))


async def _endpoint(block: Block, event: Event, integration: Integration) -> Answer:
    headers = [(name, value) for name, value in event.headers.items() if _is_passed_on(name)]
    if event.kind == MESSAGE or not integration.is_proxy:
        headers = [pair for pair in headers if pair[0] != "content-type"] + [_JSON]
    method = "POST" if integration.method == "ANY" else integration.method
    response = await outward.send(block, method, integration.url, headers, event.body, integration.seconds)
    goes_back = integration.is_proxy or integration.answers
    return Answer(response.status, dict(response.headers), response.body, goes_back)


def _is_passed_on(name: str) -> bool:
    return name not in outward.HOP_BY_HOP and name != "host" and not name.startswith("sec-websocket-")
