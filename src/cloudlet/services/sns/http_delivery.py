"""Delivery to HTTP and HTTPS endpoints. Developer Guide, "Fanout to HTTP/S endpoints", "HTTP/HTTPS headers"."""

from __future__ import annotations

from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse, request_target
from cloudlet.services.sns import http_authorization
from cloudlet.services.sns.undeliverable import Undeliverable

_SECONDS = 15.0
"""So long an endpoint may take to answer (Developer Guide, "Make sure your endpoint is ready")."""
_ANSWER_BYTES = 1 << 20
_PLAIN = "text/plain; charset=UTF-8"
_AGENT = "Amazon Simple Notification Service Agent"
_UNAUTHORIZED, _TOO_MANY_REQUESTS = 401, 429


async def post(
    client: HttpClient,
    url: str,
    body: str,
    *,
    kind: str,
    id: str,
    topic_arn: str,
    subscription_arn: str | None = None,
    content_type: str = _PLAIN,
    raw: bool = False,
    trace: str | None = None,
) -> None:
    """Send one message. Raises Undeliverable; `permanent` are all answers but 5xx and 429 (and none at all).

    The name and the password of the URL are sent to an endpoint that asks for them (Developer Guide: it "must be able
    to support the HTTP/1.1 401 Unauthorized header response").
    """
    headers = [
        ("x-amz-sns-message-type", kind),
        ("x-amz-sns-message-id", id),
        ("x-amz-sns-topic-arn", topic_arn),
    ]
    if subscription_arn is not None:
        headers.append(("x-amz-sns-subscription-arn", subscription_arn))
    if raw:
        headers.append(("x-amz-sns-rawdelivery", "true"))
    if trace is not None:
        headers.append((TRACE_HEADER, trace))
    headers += [("content-type", content_type), ("user-agent", _AGENT)]
    try:
        response = await _sent(client, url, headers, body.encode())
    except HttpError as error:
        raise Undeliverable(str(error), permanent=False) from error
    except ValueError as error:
        # Its text may have the URL in it, and that a password.
        raise Undeliverable("the endpoint's URL names no place to send to", permanent=True) from error
    if not 200 <= response.status < 300:
        passing = response.status >= 500 or response.status == _TOO_MANY_REQUESTS
        raise Undeliverable(
            f"the endpoint answered with status {response.status}", permanent=not passing, status=response.status
        )


async def _sent(client: HttpClient, url: str, headers: list[tuple[str, str]], body: bytes) -> HttpResponse:
    """Send a request, and again if it is asked who sends it; return the response."""

    async def send(headers: list[tuple[str, str]]) -> HttpResponse:
        # A message may come twice, so it is repeatable.
        return await client.request("POST", url, headers, body, timeout=_SECONDS, limit=_ANSWER_BYTES, repeatable=True)

    response = await send(headers)
    if response.status == _UNAUTHORIZED:
        asked = [value for name, value in response.headers if name == "www-authenticate"]
        authorization = http_authorization.answer(asked, url, request_target(url), body)
        if authorization is not None:
            response = await send([*headers, ("authorization", authorization)])
    return response
