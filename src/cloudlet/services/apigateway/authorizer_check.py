"""What an authorizer may be. API reference, "CreateAuthorizer"."""

from __future__ import annotations

import re

from cloudlet.core import Context, Transaction
from cloudlet.core.aws.urls import split_url
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import Document, all_parts
from cloudlet.services.apigateway.integration_check import check_role, function_of

MEMBERS = (
    "AuthorizerCredentialsArn",
    "AuthorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds",
    "AuthorizerType",
    "AuthorizerUri",
    "EnableSimpleResponses",
    "IdentitySource",
    "IdentityValidationExpression",
    "JwtConfiguration",
    "Name",
)
_HTTP_SOURCE = re.compile(r"\$request\.(header|querystring)\.[^\s]+|\$context\.[\w.]+|\$stageVariables\.\w+")
_WEBSOCKET_SOURCE = re.compile(r"route\.request\.(header|querystring)\.[^\s]+|context\.[\w.]+|stageVariables\.\w+")
_OF_FUNCTIONS = (
    "AuthorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds",
    "AuthorizerUri",
    "AuthorizerCredentialsArn",
    "EnableSimpleResponses",
)


async def check(ctx: Context, tx: Transaction, api: Document, part: Document) -> Document:
    """Return an authorizer as it is kept. Raises AwsError."""
    protocol = api["ProtocolType"]
    if part.get("IdentityValidationExpression"):
        raise errors.bad_request("IdentityValidationExpression is not supported")
    for other in await all_parts(tx, api["ApiId"], "Authorizer"):
        if other["Name"] == part.get("Name") and other["AuthorizerId"] != part["AuthorizerId"]:
            raise errors.bad_request(
                f"Authorizer name must be unique. Authorizer {part['Name']} already exists in this API"
            )
    pattern = _HTTP_SOURCE if protocol == "HTTP" else _WEBSOCKET_SOURCE
    check_role(ctx, part.get("AuthorizerCredentialsArn"))
    sources = part.get("IdentitySource") or []
    if not all(pattern.fullmatch(source) for source in sources):
        raise errors.bad_request("Identity source expression is not valid")
    if part["AuthorizerType"] == "JWT":
        _check_jwt(protocol, part, sources)
    else:
        _check_function(protocol, part, sources)
    return part


def _check_jwt(protocol: str, part: Document, sources: list[str]) -> None:
    if protocol != "HTTP":
        raise errors.bad_request("Authorizer type JWT is not supported for WEBSOCKET protocol")
    for member in _OF_FUNCTIONS:
        if member in part:
            raise errors.bad_request(f"{member} is not supported for the authorizer type JWT")
    configuration = part.get("JwtConfiguration") or {}
    if not configuration.get("Issuer") or not configuration.get("Audience"):
        raise errors.bad_request("JwtConfiguration with an issuer and an audience is required for the type JWT")
    issuer = split_url(configuration["Issuer"])
    if issuer.scheme not in ("https", "http") or not issuer.hostname:
        raise errors.bad_request("Invalid issuer: it must be a URL")
    if len(sources) != 1:
        raise errors.bad_request("JWT authorizers take exactly one identity source")


def _check_function(protocol: str, part: Document, sources: list[str]) -> None:
    if "JwtConfiguration" in part:
        raise errors.bad_request("JwtConfiguration is only supported for the authorizer type JWT")
    if ":function:" not in function_of(part.get("AuthorizerUri", "")):
        raise errors.bad_request("AuthorizerUri must be the URI of the invocation of a Lambda function")
    if protocol == "WEBSOCKET":
        for member in ("AuthorizerPayloadFormatVersion", "AuthorizerResultTtlInSeconds", "EnableSimpleResponses"):
            if part.get(member):
                raise errors.bad_request(f"{member} is not supported for WEBSOCKET protocol")
        return
    version = part.get("AuthorizerPayloadFormatVersion")
    if version not in ("1.0", "2.0"):
        raise errors.bad_request("AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer")
    if part.setdefault("EnableSimpleResponses", False) and version != "2.0":
        raise errors.bad_request("EnableSimpleResponses is only supported for the payload format version 2.0")
    if part.setdefault("AuthorizerResultTtlInSeconds", 0) and not sources:
        raise errors.bad_request("Identity source is required when caching is enabled")
