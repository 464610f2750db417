"""The events that Lambda functions get from HTTP APIs.

Developer guide, "Create AWS Lambda proxy integrations for HTTP APIs" and "Control access to HTTP APIs with AWS Lambda
authorizers".
"""

from __future__ import annotations

from typing import Any

from cloudlet.core.aws import function_event
from cloudlet.services.apigateway.http.call import Call
from cloudlet.services.apigateway.naming import prefix_of


def _authorizer_v2(call: Call) -> dict[str, Any] | None:
    if call.claims is not None:
        return {"jwt": {"claims": call.claims, "scopes": call.scopes}}
    if call.authorizer is not None:
        return {"lambda": dict(call.authorizer)}
    principal = call.principal
    if principal is not None:
        signer = function_event.iam_authorizer(
            principal.access_key, principal.account, principal.user_id, principal.arn
        )
        return {"iam": signer}
    return None


def _context_v2(call: Call) -> dict[str, Any]:
    context: dict[str, Any] = {
        "accountId": call.place.account,
        "apiId": call.api_id,
        "domainName": call.domain,
        "domainPrefix": prefix_of(call.domain),
        "http": {
            "method": call.method,
            "path": call.whole_path,
            "protocol": "HTTP/1.1",
            "sourceIp": call.visit.peer,
            "userAgent": call.headers.get("user-agent", ""),
        },
        "requestId": call.id,
        "routeKey": call.key,
        "stage": call.stage.name,
        "time": call.clf_time(),
        "timeEpoch": int(call.time * 1000),
    }
    authorizer = _authorizer_v2(call)
    if authorizer is not None:
        context["authorizer"] = authorizer
    return context


def _request_v2(call: Call) -> dict[str, Any]:
    """Return what events for functions and for authorizers have in common."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": call.key,
        "rawPath": call.whole_path,
        "rawQueryString": call.query,
    }
    headers = call.headers
    if "cookie" in headers:
        event["cookies"] = function_event.cookies(headers)
        headers = {name: value for name, value in headers.items() if name != "cookie"}
    event["headers"] = headers
    if call.query:
        event["queryStringParameters"] = function_event.combined(call.queries())
    event["requestContext"] = _context_v2(call)
    if call.variables:
        event["pathParameters"] = call.variables
    if call.stage.variables:
        event["stageVariables"] = call.stage.variables
    return event


def function_v2(call: Call) -> dict[str, Any]:
    """Return the event of payload format version 2.0."""
    event = _request_v2(call)
    if call.body:
        event["body"], event["isBase64Encoded"] = function_event.body(call.body, call.headers)
    else:
        event["isBase64Encoded"] = False
    return event


def authorizer_v2(call: Call, sources: list[str]) -> dict[str, Any]:
    """Return the event of format 2.0 for an authorizer."""
    return {**_request_v2(call), "type": "REQUEST", "routeArn": call.arn, "identitySource": sources or None}


def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _identity_v1(call: Call) -> dict[str, Any]:
    principal = call.principal
    return {
        "accessKey": principal.access_key if principal else None,
        "accountId": principal.account if principal else None,
        "caller": principal.user_id if principal else None,
        "cognitoAmr": None,
        "cognitoAuthenticationProvider": None,
        "cognitoAuthenticationType": None,
        "cognitoIdentityId": None,
        "cognitoIdentityPoolId": None,
        "principalOrgId": None,
        "sourceIp": call.visit.peer,
        "user": principal.user_id if principal else None,
        "userAgent": call.headers.get("user-agent"),
        "userArn": principal.arn if principal else None,
    }


def _context_v1(call: Call) -> dict[str, Any]:
    context: dict[str, Any] = {
        "accountId": call.place.account,
        "apiId": call.api_id,
        "domainName": call.domain,
        "domainPrefix": prefix_of(call.domain),
        "extendedRequestId": call.id,
        "httpMethod": call.method,
        "identity": _identity_v1(call),
        "path": call.whole_path,
        "protocol": "HTTP/1.1",
        "requestId": call.id,
        "requestTime": call.clf_time(),
        "requestTimeEpoch": int(call.time * 1000),
        "resourceId": call.key,
        "resourcePath": call.route.path if call.route is not None else "",
        "stage": call.stage.name,
    }
    if call.claims is not None:
        context["authorizer"] = {"claims": call.claims, "scopes": call.scopes}
    elif call.authorizer is not None:
        context["authorizer"] = {"principalId": call.principal_id, **call.authorizer}
    return context


def _request_v1(call: Call) -> dict[str, Any]:
    headers = {_title(name): value for name, value in call.headers.items()}
    queries = call.queries()
    many: dict[str, list[str]] = {}
    for key, value in queries:
        many.setdefault(key, []).append(value)
    return {
        "version": "1.0",
        "resource": call.route.path if call.route is not None else "",
        "path": f"/{call.mapped.key}{call.path}" if call.mapped is not None and call.mapped.key else call.whole_path,
        "httpMethod": call.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(queries) or None,
        "multiValueQueryStringParameters": many or None,
        "requestContext": _context_v1(call),
        "pathParameters": call.variables or None,
        "stageVariables": call.stage.variables or None,
    }


def function_v1(call: Call) -> dict[str, Any]:
    """Return the event of payload format version 1.0."""
    event = _request_v1(call)
    event["body"], event["isBase64Encoded"] = (
        function_event.body(call.body, call.headers) if call.body else (None, False)
    )
    return event


def authorizer_v1(call: Call, sources: list[str]) -> dict[str, Any]:
    """Return the event of format 1.0 for an authorizer."""
    joined = ",".join(sources) or None
    return {
        **_request_v1(call),
        "type": "REQUEST",
        "methodArn": call.arn,
        "identitySource": joined,
        "authorizationToken": joined,
    }
