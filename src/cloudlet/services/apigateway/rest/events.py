"""The event that Lambda functions get of REST APIs.

Developer guide, "Lambda proxy integrations in API Gateway", "Input format of a Lambda function for proxy integration".
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from cloudlet.services.apigateway.rest.call import Call


def proxy(call: Call, *, is_binary: bool) -> dict[str, Any]:
    """Return the event of a request; `is_binary`: its body is told as base64."""
    headers = call.header_values()
    body: str | None = None
    if call.body:
        body = b64encode(call.body).decode() if is_binary else call.body.decode("utf-8", "replace")
    return {
        "resource": call.resource,
        "path": call.whole_path if call.mapped is not None else call.path,
        "httpMethod": call.verb,
        "headers": {name: every[-1] for name, every in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": call.queries or None,
        "multiValueQueryStringParameters": call.query_values() or None,
        "pathParameters": call.variables or None,
        "stageVariables": call.stage.variables or None,
        "requestContext": call.request_context(),
        "body": body,
        "isBase64Encoded": bool(body) and is_binary,
    }
