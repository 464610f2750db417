"""The events that functions get through their URLs.

Developer guide, "Invoking Lambda function URLs", "Request and response payloads": payload format version 2.0.
"""

from __future__ import annotations

from time import gmtime, strftime
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from cloudlet.core.aws import function_event
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.web import DataPlaneRequest


def of(visit: DataPlaneRequest, body: bytes, request_id: str, signer: Principal | None, now: float) -> bytes:
    """Return the event for a request; `signer` is who has signed it, if anybody has. `now` is in seconds."""
    request = visit.request
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    context: dict[str, Any] = {
        "accountId": "anonymous" if signer is None else signer.account,
        "apiId": visit.resource,
        "authentication": None,
        "domainName": visit.host,
        "domainPrefix": visit.resource,
        "http": {
            "method": request.method,
            "path": visit.path,
            "protocol": "HTTP/1.1",
            "sourceIp": visit.peer,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": strftime("%d/%b/%Y:%H:%M:%S +0000", gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if signer is not None:
        context["authorizer"] = {
            "iam": function_event.iam_authorizer(signer.access_key, signer.account, signer.user_id, signer.arn)
        }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": visit.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    cookies = function_event.cookies(request.headers)
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = function_event.combined(parse_qsl(request.query, keep_blank_values=True))
    if body:
        event["body"], event["isBase64Encoded"] = function_event.body(body, headers)
    return msgspec.json.encode(event)
