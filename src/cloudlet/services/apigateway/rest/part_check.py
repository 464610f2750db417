"""What models, request validators and authorizers may be. API reference, "Model", "RequestValidator", "Authorizer"."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.apigateway import documents, errors
from cloudlet.services.apigateway.documents import Document, all_parts, save_part
from cloudlet.services.apigateway.integration_check import function_of
from cloudlet.services.apigateway.rest import deploying, method_check, schemas

MOST = 60
_NAME = re.compile(r"[A-Za-z0-9]+")
_SOURCE = re.compile(
    r"method\.request\.(header|querystring|multivalueheader|multivaluequerystring)\.[^\s,]+"
    r"|stageVariables\.\w+|context\.[\w.]+"
)
_HEADER = re.compile(r"method\.request\.header\.[^\s,]+")
_LONGEST_KEPT_SECONDS = 3600
_USUAL_KEPT_SECONDS = 300


async def add(
    tx: Transaction,
    api_id: str,
    kind: str,
    member: str,
    check: Callable[[Transaction, str, Document], Awaitable[Document]],
    part: Document,
) -> Document:
    """Add a part of a kind, known by a member, to an API. Raises AwsError."""
    if len(await all_parts(tx, api_id, kind)) >= MOST:
        raise errors.limit_exceeded(f"Maximum number of {kind}s for this API has been reached.")
    part["id"] = documents.fresh_id(6)
    if member != "id" and await documents.find_part(tx, api_id, kind, part[member]) is not None:
        raise errors.conflict(f"{kind} name already exists for this REST API")
    part = await check(tx, api_id, part)
    save_part(tx, api_id, kind, part[member], part=part)
    return part


async def model(tx: Transaction, api_id: str, part: Document) -> Document:
    """Return a model as it is kept. Raises BadRequestException."""
    if not _NAME.fullmatch(part["name"]):
        raise errors.bad_request("Model name must be alphanumeric: " + part["name"])
    text = part.get("schema")
    if not text:
        raise errors.bad_request("Model schema must have at least 1 property or array items defined")
    if "json" in part["contentType"]:
        try:
            schemas.check(text)
        except ValueError as error:
            raise errors.bad_request(
                f"Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified. "
                f"{error}]"
            ) from error
    return part


async def unused_model(tx: Transaction, api_id: str, part: Document) -> Document:
    """Raise ConflictException for a model that is in use."""
    name = part["name"]
    for _, method in await deploying.methods_of(tx, api_id):
        used = [*(method.get("requestModels") or {}).values()]
        for response in (method.get("methodResponses") or {}).values():
            used += (response.get("responseModels") or {}).values()
        if name in used:
            raise errors.conflict(f"Cannot delete model '{name}', is referenced in method requests or responses")
    for other in await all_parts(tx, api_id, "Model"):
        if other["name"] != name and f'/models/{name}"' in other["schema"].replace("\\/", "/"):
            raise errors.conflict(f"Cannot delete model '{name}', is referenced in model {other['name']}")
    return part


async def flattened(tx: Transaction, api_id: str, part: Document) -> str:
    """Return the schema of a model with those that it refers to in it."""
    known = {each["name"]: each["schema"] for each in await all_parts(tx, api_id, "Model")}
    return msgspec.json.encode(schemas.flattened(part["schema"], known)).decode()


async def validator(tx: Transaction, api_id: str, part: Document) -> Document:
    """Return a request validator as it is kept. Raises AwsError."""
    for member in ("validateRequestBody", "validateRequestParameters"):
        part.setdefault(member, False)
    for other in await all_parts(tx, api_id, "RequestValidator"):
        if part.get("name") and other.get("name") == part["name"] and other["id"] != part["id"]:
            raise errors.conflict("Request Validator name must be unique for this REST API")
    return part


async def unused_validator(tx: Transaction, api_id: str, part: Document) -> Document:
    """Raise ConflictException for a validator that a method has."""
    if any(method.get("requestValidatorId") == part["id"] for _, method in await deploying.methods_of(tx, api_id)):
        raise errors.conflict("Cannot delete request validator, it is referenced in a method")
    return part


async def authorizer(tx: Transaction, api_id: str, part: Document) -> Document:
    """Return an authorizer as it is kept. Raises AwsError."""
    kind = part["type"]
    if kind not in ("TOKEN", "REQUEST"):
        raise errors.not_built(f"authorizers of the type {kind} for REST APIs")
    if part.get("providerARNs") or part.get("jwtConfiguration"):
        raise errors.bad_request(f"providerARNs and jwtConfiguration are not for authorizers of the type {kind}")
    for member in ("providerARNs", "jwtConfiguration"):
        part.pop(member, None)
    if not part.get("name"):
        raise errors.bad_request("Authorizer name cannot be empty")
    for other in await all_parts(tx, api_id, "Authorizer"):
        if other["name"] == part["name"] and other["id"] != part["id"]:
            raise errors.bad_request("Authorizer name must be unique for this REST API")
    uri = part.get("authorizerUri") or ""
    if "${stageVariables." not in uri and ":function:" not in function_of(uri):
        raise errors.bad_request(
            "Invalid Authorizer URI: " + uri + ". Authorizer URI should be a valid API Gateway ARN "
            "that represents a Lambda function invocation."
        )
    part.setdefault("authType", "custom")
    seconds = part.setdefault("authorizerResultTtlInSeconds", _USUAL_KEPT_SECONDS)
    if not 0 <= seconds <= _LONGEST_KEPT_SECONDS:
        raise errors.bad_request("Authorizer result TTL must be between 0 and 3600 seconds")
    sources = [each.strip() for each in (part.get("identitySource") or "").split(",") if each.strip()]
    if kind == "TOKEN":
        if not sources:
            sources = ["method.request.header.Authorization"]
        if len(sources) != 1 or not _HEADER.fullmatch(sources[0]):
            raise errors.bad_request("Identity source of a TOKEN authorizer must be one header")
        if part.get("identityValidationExpression"):
            method_check.check_pattern(part["identityValidationExpression"], "identity validation expression")
    else:
        if part.pop("identityValidationExpression", None):
            raise errors.bad_request("identityValidationExpression is only for authorizers of the type TOKEN")
        if not sources and seconds:
            raise errors.bad_request("Identity source is required when caching is enabled")
        if not all(_SOURCE.fullmatch(each) for each in sources):
            raise errors.bad_request("Invalid identity source specified")
    if sources:
        part["identitySource"] = ", ".join(sources)
    return part


async def unused_authorizer(tx: Transaction, api_id: str, part: Document) -> Document:
    """Raise ConflictException for an authorizer that a method has."""
    if any(method.get("authorizerId") == part["id"] for _, method in await deploying.methods_of(tx, api_id)):
        raise errors.conflict("Cannot delete authorizer, is referenced in method")
    return part
