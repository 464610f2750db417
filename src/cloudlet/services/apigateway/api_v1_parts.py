"""The operations on models, request validators, authorizers and gateway responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.apigateway import documents, errors
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, parts_of, save_part
from cloudlet.services.apigateway.integration_check import check_role
from cloudlet.services.apigateway.rest import gateway_responses, listing, part_check, patches, schemas, store
from cloudlet.services.apigateway.rest.patches import Path
from cloudlet.services.apigateway.verdicts import Verdicts

Check = Callable[[Transaction, str, Document], Awaitable[Document]]
"""Takes the API's id and the part as it is to be; returns it as it is kept. Raises AwsError."""


class Kind(NamedTuple):
    """A kind of part: its name, the parameter that names one, what is given of it, and how it may be patched."""

    name: str
    plural: str
    parameter: str
    member: str
    """The member that it is known by."""
    members: tuple[str, ...]
    check: Check
    paths: tuple[Path, ...]
    remove: Check | None = None
    """Looks whether it may go. Raises AwsError."""
    verdicts: Verdicts | None = None
    """Those on texts that it has, where these may take long to read."""


_KINDS = (
    Kind(
        "Model",
        "Models",
        "modelName",
        "name",
        ("contentType", "description", "name", "schema"),
        part_check.model,
        (patches.value("/schema"), patches.value("/description")),
        part_check.unused_model,
        schemas.VERDICTS,
    ),
    Kind(
        "RequestValidator",
        "RequestValidators",
        "requestValidatorId",
        "id",
        ("name", "validateRequestBody", "validateRequestParameters"),
        part_check.validator,
        (
            patches.value("/name"),
            patches.value("/validateRequestBody", patches.boolean),
            patches.value("/validateRequestParameters", patches.boolean),
        ),
        part_check.unused_validator,
    ),
    Kind(
        "Authorizer",
        "Authorizers",
        "authorizerId",
        "id",
        (
            "authType",
            "authorizerCredentials",
            "authorizerResultTtlInSeconds",
            "authorizerUri",
            "identitySource",
            "identityValidationExpression",
            "jwtConfiguration",
            "name",
            "providerARNs",
            "type",
        ),
        part_check.authorizer,
        (
            patches.value("/name"),
            patches.value("/type", patches.one_of("TOKEN", "REQUEST")),
            patches.value("/authorizerUri"),
            patches.value("/authorizerCredentials", operations=patches.ANY),
            patches.value("/authorizerResultTtlInSeconds", patches.integer),
            patches.value("/authType"),
            patches.value("/identitySource", operations=patches.ANY),
            patches.value("/identityValidationExpression", operations=patches.ANY),
            patches.elements("/providerARNs"),
        ),
        part_check.unused_authorizer,
    ),
)


def _declare(kind: Kind) -> None:
    changing = service.operation if kind.verdicts is None else kind.verdicts.operation

    @changing(f"Create{kind.name}")
    async def create(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await store.get_api(ctx, tx, params["restApiId"])
        part = {member: params[member] for member in kind.members if params.get(member) is not None}
        check_role(ctx, part.get("authorizerCredentials"))
        return await part_check.add(tx, api["id"], kind.name, kind.member, kind.check, part)

    @service.operation(f"Get{kind.name}")
    async def get(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await store.get_api(ctx, tx, params["restApiId"], kind.name)
        part = await store.get_part(tx, api["id"], kind.name, params[kind.parameter])
        if params.get("flatten"):
            return {**part, "schema": await part_check.flattened(tx, api["id"], part)}
        return part

    @service.operation(f"Get{kind.plural}")
    async def get_all(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await store.get_api(ctx, tx, params["restApiId"])
        return await listing.page(tx, parts_of(api["id"], kind.name), params)

    @changing(f"Update{kind.name}")
    async def update(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await store.get_api(ctx, tx, params["restApiId"], kind.name)
        known = await store.get_part(tx, api["id"], kind.name, params[kind.parameter])
        patched = patches.patched(known, params.get("patchOperations"), kind.paths)
        check_role(ctx, patched.get("authorizerCredentials"))
        part = await kind.check(tx, api["id"], patched)
        save_part(tx, api["id"], kind.name, part[kind.member], part=part)
        return part

    @service.operation(f"Delete{kind.name}")
    async def delete(ctx: Context, tx: Transaction, params: Params) -> Result:
        api = await store.get_api(ctx, tx, params["restApiId"], kind.name)
        part = await store.get_part(tx, api["id"], kind.name, params[kind.parameter])
        if kind.remove is not None:
            await kind.remove(tx, api["id"], part)
        documents.remove_part(tx, api["id"], kind.name, part[kind.member])
        return {}


for _kind in _KINDS:
    _declare(_kind)


_RESPONSE_PATHS = (
    patches.value("/statusCode"),
    patches.entry("/responseParameters/*"),
    patches.entry("/responseTemplates/*"),
)


async def _response(tx: Transaction, api_id: str, kind: str) -> Document:
    """Return a gateway response: the API's own, or what there is without one."""
    found = await documents.find_part(tx, api_id, "GatewayResponse", kind)
    return gateway_responses.default(kind) if found is None else found


@service.operation("PutGatewayResponse")
async def put_gateway_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    members = ("responseType", "statusCode", "responseParameters", "responseTemplates")
    given = {member: params[member] for member in members if params.get(member) is not None}
    response = gateway_responses.checked(given)
    save_part(tx, api["id"], "GatewayResponse", response["responseType"], part=response)
    return response


@service.operation("GetGatewayResponse")
async def get_gateway_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    return await _response(tx, api["id"], params["responseType"])


@service.operation("GetGatewayResponses")
async def get_gateway_responses(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    return {"items": [await _response(tx, api["id"], kind) for kind in gateway_responses.TYPES]}


@service.operation("UpdateGatewayResponse")
async def update_gateway_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    known = await _response(tx, api["id"], params["responseType"])
    response = gateway_responses.checked(patches.patched(known, params.get("patchOperations"), _RESPONSE_PATHS))
    save_part(tx, api["id"], "GatewayResponse", response["responseType"], part=response)
    return response


@service.operation("DeleteGatewayResponse")
async def delete_gateway_response(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    if await documents.find_part(tx, api["id"], "GatewayResponse", params["responseType"]) is None:
        raise errors.not_found("Gateway response type not defined on api")
    documents.remove_part(tx, api["id"], "GatewayResponse", params["responseType"])
    return {}
