"""What an integration may be. API reference, "CreateIntegration"; developer guide, "Integrations for HTTP APIs"."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from cloudlet.core import Arn, Context, Transaction
from cloudlet.core.authorization import role_session
from cloudlet.core.authorization.enforcement import check_passed_role
from cloudlet.services.apigateway import aws_integrations, errors, links, parameter_mapping, service_requests
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.role_calls import ANY_USER
from cloudlet.services.apigateway.websocket import mapping

MEMBERS = (
    "ConnectionId",
    "ConnectionType",
    "ContentHandlingStrategy",
    "CredentialsArn",
    "Description",
    "IntegrationMethod",
    "IntegrationSubtype",
    "IntegrationType",
    "IntegrationUri",
    "PassthroughBehavior",
    "PayloadFormatVersion",
    "RequestParameters",
    "RequestTemplates",
    "ResponseParameters",
    "TemplateSelectionExpression",
    "TimeoutInMillis",
    "TlsConfig",
)
MAPS = ("RequestParameters", "RequestTemplates", "ResponseParameters")
_OF_HTTP = ("AWS_PROXY", "HTTP_PROXY")
_OF_WEBSOCKETS_ONLY = (
    "ContentHandlingStrategy",
    "PassthroughBehavior",
    "RequestTemplates",
    "TemplateSelectionExpression",
)
TO_TEXT = "CONVERT_TO_TEXT"
_METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_LONGEST_MILLIS = {"HTTP": 30_000, "WEBSOCKET": 29_000}
_FUNCTION = re.compile(
    r"(?:arn:[^:]+:apigateway:[^:]+:lambda:path/2015-03-31/functions/)?(?P<arn>arn:.+?)(?:/invocations)?"
)
_VARIABLE = "${stageVariables."


async def check(ctx: Context, tx: Transaction, api: Document, part: Document) -> Document:
    """Return an integration as it is kept. Raises BadRequestException."""
    protocol = api["ProtocolType"]
    kind = part["IntegrationType"]
    if protocol == "HTTP" and kind not in _OF_HTTP:
        raise errors.bad_request(f"{kind} is not a supported integration type for HTTP protocol")
    check_role(ctx, part.get("CredentialsArn"))
    await _check_connection(ctx, tx, part)
    longest = _LONGEST_MILLIS[protocol]
    if part.setdefault("TimeoutInMillis", longest) > longest:
        raise errors.bad_request(f"Timeout should be between 50 ms and {longest} ms")
    if protocol == "HTTP":
        _check_http(part)
    else:
        _check_websocket(part)
    if kind == "AWS_PROXY" and "IntegrationSubtype" not in part:
        _check_function(part)
    elif kind in ("HTTP", "HTTP_PROXY"):
        _check_url(part)
    elif kind == "AWS":
        _check_service(part)
    return part


def check_role(ctx: Context, role: str | None) -> None:
    """Raise AwsError unless a role, if one is given, may be given to API Gateway by the caller."""
    if role is None or role.startswith(ANY_USER):
        return
    try:
        role_session.check_role(ctx.account, role)
    except ValueError:
        raise errors.bad_request("Invalid ARN specified in the request") from None
    check_passed_role(ctx, "apigateway", role, "apigateway.amazonaws.com")


async def _check_connection(ctx: Context, tx: Transaction, part: Document) -> None:
    if part.setdefault("ConnectionType", "INTERNET") == "VPC_LINK":
        if "ConnectionId" not in part:
            raise errors.bad_request("ConnectionId is required when ConnectionType is VPC_LINK")
        await links.get(ctx, tx, part["ConnectionId"])
    elif "ConnectionId" in part:
        raise errors.bad_request("ConnectionId is only supported when ConnectionType is VPC_LINK")
    if "TlsConfig" in part and part["ConnectionType"] != "VPC_LINK":
        raise errors.bad_request("TlsConfig is only supported for private integrations")


def _check_http(part: Document) -> None:
    for member in _OF_WEBSOCKETS_ONLY:
        if member in part:
            raise errors.bad_request(f"{member} is not supported for HTTP protocol")
    version = part.get("PayloadFormatVersion")
    subtype = part.get("IntegrationSubtype")
    if part["IntegrationType"] == "HTTP_PROXY":
        if subtype is not None:
            raise errors.bad_request("IntegrationSubtype is only supported for the AWS_PROXY integration type")
        if part.setdefault("PayloadFormatVersion", "1.0") != "1.0":
            raise errors.bad_request("PayloadFormatVersion provided is invalid for the HTTP_PROXY integration type")
    elif subtype is not None:
        part.setdefault("PayloadFormatVersion", "1.0")
        aws_integrations.check(part)
    elif version is None:
        raise errors.bad_request("PayloadFormatVersion is a required parameter for integration type AWS_PROXY")
    elif version not in ("1.0", "2.0"):
        raise errors.bad_request(f"PayloadFormatVersion {version} is not supported for the AWS_PROXY integration type")
    if subtype is None:
        parameter_mapping.check_request(part.get("RequestParameters") or {})
    parameter_mapping.check_responses(part.get("ResponseParameters") or {})


def _check_websocket(part: Document) -> None:
    if "IntegrationSubtype" in part or "ResponseParameters" in part:
        raise errors.bad_request("IntegrationSubtype and ResponseParameters are not supported for WEBSOCKET protocol")
    if part.setdefault("PayloadFormatVersion", "1.0") != "1.0":
        raise errors.bad_request("PayloadFormatVersion must be 1.0 for WEBSOCKET protocol")
    if part.get("ContentHandlingStrategy", TO_TEXT) != TO_TEXT:
        raise errors.not_built(f"the content handling strategy {part['ContentHandlingStrategy']} of WebSocket APIs")
    if part.get("RequestTemplates") and part["IntegrationType"].endswith("_PROXY"):
        raise errors.bad_request("RequestTemplates are not supported for proxy integrations")
    mapping.check_templates(part.get("RequestTemplates"))
    mapping.parameters(part.get("RequestParameters"))
    if part.get("RequestParameters") and part["IntegrationType"] in ("AWS_PROXY", "MOCK"):
        raise errors.not_built("request parameters of this type of integration")
    part.setdefault("PassthroughBehavior", "WHEN_NO_MATCH")
    part.setdefault("IntegrationResponseSelectionExpression", "${integration.response.statuscode}")


def _check_service(part: Document) -> None:
    address = service_requests.address_of(part.get("IntegrationUri", ""))
    if not address.function and "CredentialsArn" not in part:
        raise errors.bad_request("Credentials ARN is required for AWS service integrations")
    if part.setdefault("IntegrationMethod", "POST") not in _METHODS:
        raise errors.bad_request("Invalid HTTP method specified. It should be one of " + ", ".join(_METHODS))


def _check_function(part: Document) -> None:
    uri = part.get("IntegrationUri", "")
    match = _FUNCTION.fullmatch(uri)
    if match is None or (_VARIABLE not in uri and not _is_function(match["arn"])):
        raise errors.bad_request(
            "Invalid integration URI specified: it has to be the ARN of a Lambda function, or of its invocation"
        )
    part.setdefault("IntegrationMethod", "POST")


def _is_function(text: str) -> bool:
    try:
        arn = Arn.parse(text)
    except ValueError:
        return False
    return arn.service == "lambda" and arn.resource.startswith("function:")


def function_of(uri: str) -> str:
    """Return the ARN of the Lambda function in an integration's, or authorizer's, URI."""
    match = _FUNCTION.fullmatch(uri)
    return uri if match is None else match["arn"]


def _check_url(part: Document) -> None:
    uri = part.get("IntegrationUri")
    if uri is None:
        raise errors.bad_request("IntegrationUri cannot be null for the integration type")
    if part.get("IntegrationMethod") not in _METHODS:
        raise errors.bad_request("Invalid HTTP method specified. It should be one of " + ", ".join(_METHODS))
    if part["ConnectionType"] == "VPC_LINK" or _VARIABLE in uri:
        return
    try:
        parts = urlsplit(uri)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise errors.bad_request("Invalid HTTP endpoint specified for URI")
