"""The operations on what an API is made of: integrations, routes, authorizers, models and responses."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.apigateway import (
    authorizer_check,
    deploying,
    errors,
    integration_check,
    parts,
    route_check,
    templates,
)
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, all_parts, get_api, remove_parts, save_part
from cloudlet.services.apigateway.parts import Kind
from cloudlet.services.apigateway.rest import schemas
from cloudlet.services.apigateway.websocket import mapping

_RESPONSE_KEY = "$default"


async def _remove_integration(tx: Transaction, api: Document, part: Document) -> None:
    target = f"integrations/{part['IntegrationId']}"
    for route in await all_parts(tx, api["ApiId"], "Route"):
        if route.get("Target") == target:
            raise errors.conflict(f"Cannot delete Integration '{part['IntegrationId']}' that is referenced by a Route")
    remove_parts(tx, api["ApiId"], "IntegrationResponse", part["IntegrationId"])


async def _remove_route(tx: Transaction, api: Document, part: Document) -> None:
    remove_parts(tx, api["ApiId"], "RouteResponse", part["RouteId"])


async def _remove_authorizer(tx: Transaction, api: Document, part: Document) -> None:
    for route in await all_parts(tx, api["ApiId"], "Route"):
        if route.get("AuthorizerId") == part["AuthorizerId"]:
            raise errors.conflict(f"Cannot delete authorizer '{part['AuthorizerId']}', is referenced by a Route")


async def _check_model(ctx: Context, tx: Transaction, api: Document, part: Document) -> Document:
    if api["ProtocolType"] != "WEBSOCKET":
        raise errors.bad_request("Models are not supported for HTTP protocol")
    part.setdefault("ContentType", "application/json")
    if not part.get("Name", "").isalnum():
        raise errors.bad_request("Model name must be alphanumeric")
    for other in await all_parts(tx, api["ApiId"], "Model"):
        if other["Name"] == part["Name"] and other["ModelId"] != part["ModelId"]:
            raise errors.conflict(f"Model name already exists for this API: {part['Name']}")
    try:
        schemas.check(part.get("Schema", ""))
    except ValueError as error:
        raise errors.bad_request(f"Invalid model schema specified: {error}") from None
    return part


async def _check_route_response(ctx: Context, tx: Transaction, api: Document, part: Document) -> Document:
    if api["ProtocolType"] != "WEBSOCKET":
        raise errors.bad_request("Route responses are not supported for HTTP protocol")
    if part.get("RouteResponseKey") != _RESPONSE_KEY:
        raise errors.bad_request(f"Invalid route response key: the only supported one is {_RESPONSE_KEY}")
    for member in ("ResponseModels", "ResponseParameters", "ModelSelectionExpression"):
        if part.get(member):
            raise errors.not_built(f"{member} of route responses")
    for other in await all_parts(tx, api["ApiId"], "RouteResponse", part["RouteId"]):
        if other["RouteResponseId"] != part["RouteResponseId"]:
            raise errors.conflict("A route response with this key already exists")
    return part


async def _check_integration_response(ctx: Context, tx: Transaction, api: Document, part: Document) -> Document:
    if api["ProtocolType"] != "WEBSOCKET":
        raise errors.bad_request("Integration responses are not supported for HTTP protocol")
    mapping.check_templates(part.get("ResponseTemplates"))
    mapping.response(part)
    for member in ("ContentHandlingStrategy", "ResponseParameters"):
        if part.get(member):
            raise errors.not_built(f"{member} of integration responses")
    for other in await all_parts(tx, api["ApiId"], "IntegrationResponse", part["IntegrationId"]):
        is_other = other["IntegrationResponseId"] != part["IntegrationResponseId"]
        if is_other and other["IntegrationResponseKey"] == part["IntegrationResponseKey"]:
            raise errors.conflict("An integration response with this key already exists")
    return part


INTEGRATION = Kind(
    "Integration",
    integration_check.MEMBERS,
    integration_check.check,
    integration_check.MAPS,
    remove=_remove_integration,
    verdicts=templates.VERDICTS,
)
ROUTE = Kind("Route", route_check.MEMBERS, route_check.check, route_check.MAPS, remove=_remove_route)
AUTHORIZER = Kind("Authorizer", authorizer_check.MEMBERS, authorizer_check.check, remove=_remove_authorizer)
MODEL = Kind("Model", ("ContentType", "Description", "Name", "Schema"), _check_model, verdicts=schemas.VERDICTS)
ROUTE_RESPONSE = Kind(
    "RouteResponse",
    ("ModelSelectionExpression", "ResponseModels", "ResponseParameters", "RouteResponseKey"),
    _check_route_response,
    parent=ROUTE,
)
INTEGRATION_RESPONSE = Kind(
    "IntegrationResponse",
    (
        "ContentHandlingStrategy",
        "IntegrationResponseKey",
        "ResponseParameters",
        "ResponseTemplates",
        "TemplateSelectionExpression",
    ),
    _check_integration_response,
    parent=INTEGRATION,
    verdicts=templates.VERDICTS,
)

for _kind in (INTEGRATION, ROUTE, AUTHORIZER, MODEL, ROUTE_RESPONSE, INTEGRATION_RESPONSE):
    parts.declare(_kind)


@service.operation("apigatewayv2:DeleteRouteRequestParameter")
async def delete_route_request_parameter(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await get_api(ctx, tx, params["ApiId"])
    route = await parts.get(tx, ROUTE, api, params["RouteId"])
    known = route.get("RequestParameters") or {}
    if params["RequestParameterKey"] not in known:
        raise errors.no_such("RequestParameter", params["RequestParameterKey"])
    kept = {key: value for key, value in known.items() if key != params["RequestParameterKey"]}
    save_part(tx, api["ApiId"], "Route", route["RouteId"], part={**route, "RequestParameters": kept})
    await deploying.follow(ctx, tx, api)
    return {}
