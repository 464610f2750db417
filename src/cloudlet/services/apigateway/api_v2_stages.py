"""The operations on stages and deployments."""

from __future__ import annotations

import re
from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import access_log, deploying, documents, errors, listing, merging, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, all_parts, find_part, parts_of, save_part
from cloudlet.services.apigateway.route_check import DEFAULT

MOST_STAGES = 10
_MEMBERS = (
    "AccessLogSettings",
    "AutoDeploy",
    "ClientCertificateId",
    "DefaultRouteSettings",
    "DeploymentId",
    "Description",
    "RouteSettings",
    "StageVariables",
)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]{0,512}")


async def _shown(ctx: Context, tx: Transaction, api_id: str, stage: Document) -> dict[str, Any]:
    return {**stage, "Tags": await tags.load(tx, tagging.key(ctx, _path(api_id, stage["StageName"])))}


def _path(api_id: str, name: str) -> str:
    return f"apis/{api_id}/stages/{name}"


async def get_stage_of(tx: Transaction, api: Document, name: str) -> Document:
    """Return a stage of an API. Raises NotFoundException."""
    found = await find_part(tx, api["ApiId"], "Stage", name)
    if found is None:
        raise errors.not_found("Invalid stage identifier specified")
    return found


async def _checked(ctx: Context, tx: Transaction, api: Document, stage: Document) -> Document:
    protocol = api["ProtocolType"]
    if "ClientCertificateId" in stage:
        raise errors.not_built("client certificates of stages")
    for name, value in (stage.setdefault("StageVariables", {})).items():
        if not _VARIABLE_NAME.fullmatch(name) or not _VARIABLE_VALUE.fullmatch(value):
            raise errors.bad_request(f"Stage variable {name} is invalid: it has characters that are not allowed")
    if "AccessLogSettings" in stage:
        stage["AccessLogSettings"] = access_log.check(ctx.account, stage["AccessLogSettings"])
    route_settings = stage.setdefault("RouteSettings", {})
    keys = {route["RouteKey"] for route in await all_parts(tx, api["ApiId"], "Route")} if route_settings else set()
    for key, settings in route_settings.items():
        if key not in keys:
            raise errors.not_found(f"Unable to find Route by key {key} within the provided RouteSettings")
        _check_settings(protocol, settings)
    _check_settings(protocol, stage.setdefault("DefaultRouteSettings", {"DetailedMetricsEnabled": False}))
    deployment = stage.get("DeploymentId")
    if deployment is not None and await find_part(tx, api["ApiId"], "Deployment", deployment) is None:
        raise errors.bad_request("Deployment id does not exist")
    stage.setdefault("AutoDeploy", False)
    return stage


def _check_settings(protocol: str, settings: dict[str, Any]) -> None:
    logging = settings.get("DataTraceEnabled") or settings.get("LoggingLevel", "OFF") != "OFF"
    if logging and protocol == "HTTP":
        raise errors.bad_request("Execution logs are not supported on protocolType HTTP")
    if logging:
        raise errors.not_built("execution logs of WebSocket APIs")
    if settings.get("ThrottlingRateLimit", 0) < 0 or settings.get("ThrottlingBurstLimit", 0) < 0:
        raise errors.bad_request("Throttling limits must not be negative")


async def create_stage(
    ctx: Context, tx: Transaction, api: Document, params: Params, *, managed: bool = False
) -> Document:
    """Add a stage to an API. Raises AwsError."""
    name, api_id = params["StageName"], api["ApiId"]
    if not _NAME.fullmatch(name) and (name != DEFAULT or api["ProtocolType"] != "HTTP"):
        raise errors.bad_request(
            "Stage name only allows a-zA-Z0-9-_" + ("" if name != DEFAULT else " for WebSocket APIs")
        )
    if await find_part(tx, api_id, "Stage", name) is not None:
        raise errors.conflict("Stage already exists")
    space = parts_of(api_id, "Stage")
    if len(await tx.range(space.begin, space.end, limit=MOST_STAGES)) == MOST_STAGES:
        raise errors.too_many("Maximum number of stages for this API has been reached.")
    stage = merging.given(params, _MEMBERS) | {"StageName": name}
    if stage.get("AutoDeploy") and "DeploymentId" in stage:
        raise errors.bad_request("DeploymentId cannot be given when AutoDeploy is enabled")
    stage = await _checked(ctx, tx, api, stage)
    stage |= {"CreatedDate": ctx.now(), "LastUpdatedDate": ctx.now()}
    if managed:
        stage["ApiGatewayManaged"] = True
    save_part(tx, api_id, "Stage", name, part=stage)
    if stage["AutoDeploy"]:
        await deploying.deploy_automatically(ctx, tx, api, [stage])
    tags.save(tx, tagging.key(ctx, _path(api_id, name)), tagging.checked(params.get("Tags")))
    return stage


@service.operation("apigatewayv2:CreateStage")
async def create_stage_(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    return await _shown(ctx, tx, api["ApiId"], await create_stage(ctx, tx, api, params))


@service.operation("apigatewayv2:GetStage")
async def get_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    return await _shown(ctx, tx, api["ApiId"], await get_stage_of(tx, api, params["StageName"]))


@service.operation("apigatewayv2:GetStages")
async def get_stages(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    result = await listing.page(tx, parts_of(api["ApiId"], "Stage"), params)
    return {**result, "Items": [await _shown(ctx, tx, api["ApiId"], stage) for stage in result["Items"]]}


@service.operation("apigatewayv2:UpdateStage")
async def update_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    known = await get_stage_of(tx, api, params["StageName"])
    stage = merging.merged(known, params, _MEMBERS, ("RouteSettings", "StageVariables"))
    if stage.get("AutoDeploy") and "DeploymentId" in params:
        raise errors.bad_request("DeploymentId cannot be given when AutoDeploy is enabled")
    stage = await _checked(ctx, tx, api, stage)
    stage["LastUpdatedDate"] = ctx.now()
    if known.get("AutoDeploy") and not stage["AutoDeploy"]:
        await _stop_following(tx, api, known)
    save_part(tx, api["ApiId"], "Stage", stage["StageName"], part=stage)
    if stage["AutoDeploy"] and not known.get("AutoDeploy"):
        await deploying.deploy_automatically(ctx, tx, api, [stage])
    return await _shown(ctx, tx, api["ApiId"], stage)


async def _stop_following(tx: Transaction, api: Document, stage: Document) -> None:
    """Keep what a stage has answered with so far under its deployment."""
    deployment = await find_part(tx, api["ApiId"], "Deployment", stage.get("DeploymentId", ""))
    if deployment is not None:
        await deploying.keep(tx, api, deployment)


@service.operation("apigatewayv2:DeleteStage")
async def delete_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    stage = await get_stage_of(tx, api, params["StageName"])
    documents.remove_part(tx, api["ApiId"], "Stage", stage["StageName"])
    tags.save(tx, tagging.key(ctx, _path(api["ApiId"], stage["StageName"])), {})
    return {}


@service.operation("apigatewayv2:DeleteAccessLogSettings")
async def delete_access_log_settings(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    stage = await get_stage_of(tx, api, params["StageName"])
    stage.pop("AccessLogSettings", None)
    save_part(tx, api["ApiId"], "Stage", stage["StageName"], part=stage)
    return {}


@service.operation("apigatewayv2:DeleteRouteSettings")
async def delete_route_settings(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    stage = await get_stage_of(tx, api, params["StageName"])
    if stage["RouteSettings"].pop(params["RouteKey"], None) is None:
        raise errors.not_found(f"Unable to find Route by key {params['RouteKey']} within the provided RouteSettings")
    save_part(tx, api["ApiId"], "Stage", stage["StageName"], part=stage)
    return {}


@service.operation("apigatewayv2:ResetAuthorizersCache")
async def reset_authorizers_cache(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    if api["ProtocolType"] != "HTTP":
        raise errors.bad_request("Authorizer caching is only supported for HTTP APIs")
    await get_stage_of(tx, api, params["StageName"])
    # What authorizers have said is kept with the compiled API, which is compiled anew.
    documents.changed(tx, api["ApiId"])
    return {}


@service.operation("apigatewayv2:CreateDeployment")
async def create_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    stage = None
    if "StageName" in params:
        stage = await get_stage_of(tx, api, params["StageName"])
        if stage.get("AutoDeploy"):
            raise errors.bad_request("Unable to deploy API because stage is configured for auto deployment")
    deployment = await deploying.deploy(ctx, tx, api, params.get("Description"))
    if stage is not None:
        stage |= {"DeploymentId": deployment["DeploymentId"], "LastUpdatedDate": ctx.now()}
        save_part(tx, api["ApiId"], "Stage", stage["StageName"], part=stage)
    return deployment


async def _deployment(tx: Transaction, api: Document, id: str) -> Document:
    found = await find_part(tx, api["ApiId"], "Deployment", id)
    if found is None:
        raise errors.no_such("Deployment", id)
    return found


@service.operation("apigatewayv2:GetDeployment")
async def get_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    return await _deployment(tx, api, params["DeploymentId"])


@service.operation("apigatewayv2:GetDeployments")
async def get_deployments(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    return await listing.page(tx, parts_of(api["ApiId"], "Deployment"), params)


@service.operation("apigatewayv2:UpdateDeployment")
async def update_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    deployment = merging.merged(await _deployment(tx, api, params["DeploymentId"]), params, ("Description",))
    save_part(tx, api["ApiId"], "Deployment", deployment["DeploymentId"], part=deployment)
    return deployment


@service.operation("apigatewayv2:DeleteDeployment")
async def delete_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await documents.get_api(ctx, tx, params["ApiId"])
    deployment = await _deployment(tx, api, params["DeploymentId"])
    for stage in await all_parts(tx, api["ApiId"], "Stage"):
        if stage.get("DeploymentId") == deployment["DeploymentId"]:
            raise errors.bad_request("Active stages pointing to this deployment must be moved or deleted")
    deploying.remove(tx, api["ApiId"], deployment["DeploymentId"])
    return {}
