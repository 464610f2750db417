"""The operations on APIs."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import cors, deploying, documents, errors, listing, merging, parts, tagging
from cloudlet.services.apigateway.api_v2_parts import INTEGRATION, ROUTE
from cloudlet.services.apigateway.api_v2_stages import create_stage
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.route_check import DEFAULT

MOST_APIS = 600
_MEMBERS = (
    "ApiKeySelectionExpression",
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "DisableSchemaValidation",
    "IpAddressType",
    "Name",
    "RouteSelectionExpression",
    "Version",
)
_HTTP_ROUTES = "$request.method $request.path"
_KEY_SELECTIONS = ("$request.header.x-api-key", "$context.authorizer.usageIdentifierKey")


def _endpoint(ctx: Context, api: Document) -> str:
    """Return the URL at which an API is reached from where the caller is."""
    endpoint = ctx.endpoint
    if api["ProtocolType"] == "WEBSOCKET":
        endpoint = endpoint.replace("http", "ws", 1)
    return f"{endpoint}/_aws/execute-api/{api['ApiId']}"


async def shown(ctx: Context, tx: Transaction, api: Document) -> dict[str, Any]:
    """Return an API as answers have it."""
    kept = await tags.load(tx, tagging.key(ctx, f"apis/{api['ApiId']}"))
    return {**api, "ApiEndpoint": _endpoint(ctx, api), "Tags": kept}


def checked(api: Document) -> Document:
    """Return an API as it is kept. Raises AwsError."""
    protocol = api["ProtocolType"]
    selection = api.get("RouteSelectionExpression")
    if protocol == "HTTP":
        if api.setdefault("RouteSelectionExpression", _HTTP_ROUTES) not in (
            _HTTP_ROUTES,
            "${request.method} ${request.path}",
        ):
            raise errors.bad_request("RouteSelectionExpression must be ${request.method} ${request.path} for HTTP APIs")
        if api.get("DisableSchemaValidation"):
            raise errors.bad_request("DisableSchemaValidation is not supported for HTTP protocol")
    else:
        if not selection:
            raise errors.bad_request("RouteSelectionExpression is required for WEBSOCKET protocol")
        if not selection.startswith(("$request.body", "${request.body")):
            raise errors.bad_request("Invalid route selection expression: it is of the form $request.body.<property>")
        if "CorsConfiguration" in api:
            raise errors.bad_request("CORS configuration is not supported for WEBSOCKET protocol")
    if api.setdefault("ApiKeySelectionExpression", _KEY_SELECTIONS[0]) not in _KEY_SELECTIONS:
        raise errors.bad_request("Invalid API key selection expression")
    if "CorsConfiguration" in api:
        api["CorsConfiguration"] = cors.check(api["CorsConfiguration"])
    if api.setdefault("IpAddressType", "ipv4") != "ipv4":
        raise errors.not_built("APIs of the IP address type dualstack")
    api.setdefault("DisableExecuteApiEndpoint", False)
    return api


async def create(ctx: Context, tx: Transaction, protocol: str, params: Params) -> Document:
    """Add an API without anything in it. Raises AwsError."""
    space = documents.apis_of(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=MOST_APIS)) == MOST_APIS:
        raise errors.too_many("Maximum number of APIs for this account has been reached.")
    api = merging.given(params, _MEMBERS)
    api |= {"ApiId": documents.fresh_id(10), "ProtocolType": protocol, "CreatedDate": ctx.now()}
    api = checked(api)
    documents.settle(tx, api["ApiId"], Place(ctx.account, ctx.region, protocol))
    documents.save_api(tx, ctx.account, ctx.region, api)
    tags.save(tx, tagging.key(ctx, f"apis/{api['ApiId']}"), tagging.checked(params.get("Tags")))
    return api


@service.operation("apigatewayv2:CreateApi")
async def create_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    quick = "Target" in params
    if not quick and ("RouteKey" in params or "CredentialsArn" in params):
        raise errors.bad_request("Target is required when RouteKey or CredentialsArn is given")
    if quick and params["ProtocolType"] != "HTTP":
        raise errors.bad_request("Quick create is not supported for WEBSOCKET protocol")
    api = await create(ctx, tx, params["ProtocolType"], params)
    if quick:
        await _create_quickly(ctx, tx, api, params)
    return await shown(ctx, tx, api)


async def _create_quickly(ctx: Context, tx: Transaction, api: Document, params: Params) -> None:
    """Give an API one route to a target, and a stage that answers with it."""
    integration = await parts.create(ctx, tx, INTEGRATION, api, _integration_of(params))
    route_params = {
        "RouteKey": params.get("RouteKey", DEFAULT),
        "Target": f"integrations/{integration['IntegrationId']}",
    }
    route = await parts.create(ctx, tx, ROUTE, api, route_params)
    for kind, part in (("Integration", integration), ("Route", route)):
        documents.save_part(tx, api["ApiId"], kind, part[f"{kind}Id"], part={**part, "ApiGatewayManaged": True})
    await create_stage(ctx, tx, api, {"StageName": DEFAULT, "AutoDeploy": True}, managed=True)


def _integration_of(params: Params) -> Params:
    target = params["Target"]
    credentials = {"CredentialsArn": params["CredentialsArn"]} if "CredentialsArn" in params else {}
    if target.startswith("arn:"):
        return {
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": target,
            "PayloadFormatVersion": "2.0",
            **credentials,
        }
    return {"IntegrationType": "HTTP_PROXY", "IntegrationUri": target, "IntegrationMethod": "ANY", **credentials}


@service.operation("apigatewayv2:GetApi")
async def get_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await shown(ctx, tx, await documents.get_api(ctx, tx, params["ApiId"]))


@service.operation("apigatewayv2:GetApis")
async def get_apis(ctx: Context, tx: Transaction, params: Params) -> Result:
    result = await listing.page(tx, documents.apis_of(ctx.account, ctx.region), params)
    return {**result, "Items": [await shown(ctx, tx, api) for api in result["Items"]]}


@service.operation("apigatewayv2:UpdateApi")
async def update_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await documents.get_api(ctx, tx, params["ApiId"])
    api = checked(merging.merged(known, params, _MEMBERS))
    documents.save_api(tx, ctx.account, ctx.region, api)
    if any(member in params for member in ("Target", "RouteKey", "CredentialsArn")):
        await _update_quickly(ctx, tx, api, params)
    await deploying.follow(ctx, tx, api)
    return await shown(ctx, tx, api)


async def _managed(tx: Transaction, api: Document, kind: str) -> Document | None:
    """Return the part of a kind that a quick create has made."""
    return next(
        (each for each in await documents.all_parts(tx, api["ApiId"], kind) if each.get("ApiGatewayManaged")), None
    )


async def _update_quickly(ctx: Context, tx: Transaction, api: Document, params: Params) -> None:
    """Change the route and the integration that a quick create has made."""
    route, integration = [await _managed(tx, api, kind) for kind in ("Route", "Integration")]
    if route is None or integration is None:
        raise errors.bad_request("Target, RouteKey and CredentialsArn are only supported for APIs of a quick create")
    if "RouteKey" in params:
        changed = await ROUTE.check(ctx, tx, api, {**route, "RouteKey": params["RouteKey"]})
        documents.save_part(tx, api["ApiId"], "Route", route["RouteId"], part=changed)
    if "Target" in params or "CredentialsArn" in params:
        given = _integration_of({"Target": integration["IntegrationUri"], **params})
        kept = {key: integration[key] for key in ("IntegrationId", "ApiGatewayManaged")}
        changed = await INTEGRATION.check(ctx, tx, api, {**given, **kept})
        documents.save_part(tx, api["ApiId"], "Integration", integration["IntegrationId"], part=changed)


@service.operation("apigatewayv2:DeleteApi")
async def delete_api(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    await discard(ctx, tx, api)
    documents.remove_api(tx, ctx.account, ctx.region, api["ApiId"])
    tags.save(tx, tagging.key(ctx, f"apis/{api['ApiId']}"), {})
    return {}


async def discard(ctx: Context, tx: Transaction, api: Document) -> None:
    """Delete what belongs to an API, but is not kept as a part of it."""
    for stage in await documents.all_parts(tx, api["ApiId"], "Stage"):
        tags.save(tx, tagging.key(ctx, f"apis/{api['ApiId']}/stages/{stage['StageName']}"), {})
    deploying.remove_all(tx, api["ApiId"])


@service.operation("apigatewayv2:DeleteCorsConfiguration")
async def delete_cors_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    api.pop("CorsConfiguration", None)
    documents.save_api(tx, ctx.account, ctx.region, api)
    await deploying.follow(ctx, tx, api)
    return {}
