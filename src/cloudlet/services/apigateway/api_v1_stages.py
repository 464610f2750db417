"""The operations on deployments and stages."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.services.apigateway import documents, errors, tagging
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document, all_parts, find_part, parts_of, save_part
from cloudlet.services.apigateway.rest import apis, deploying, listing, patches, stages, store

_GIVEN = (
    "cacheClusterEnabled",
    "cacheClusterSize",
    "canarySettings",
    "deploymentId",
    "description",
    "documentationVersion",
    "stageName",
    "tracingEnabled",
    "variables",
)
_DEPLOYMENT_PATHS = (patches.value("/description"),)


async def _shown(ctx: Context, tx: Transaction, api_id: str, stage: Document) -> dict[str, Any]:
    key = tagging.key(ctx, deploying.stage_path(api_id, stage["stageName"]))
    return {**stage, **await tagging.shown(tx, key)}


async def _create(ctx: Context, tx: Transaction, api_id: str, given: Document) -> Document:
    """Add a stage. Raises AwsError."""
    stages.check_name(given["stageName"])
    if await find_part(tx, api_id, "Stage", given["stageName"]) is not None:
        raise errors.conflict("Stage already exists")
    if len(await all_parts(tx, api_id, "Stage")) >= stages.MOST:
        raise errors.limit_exceeded("Maximum number of stages for this API has been reached.")
    now = float(int(ctx.now()))
    stage = await stages.checked(ctx, tx, api_id, {**given, "createdDate": now, "lastUpdatedDate": now})
    save_part(tx, api_id, "Stage", stage["stageName"], part=stage)
    return stage


@service.operation("CreateStage")
async def create_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    given = {member: params[member] for member in _GIVEN if params.get(member) is not None}
    stage = await _create(ctx, tx, api["id"], given)
    key = tagging.key(ctx, deploying.stage_path(api["id"], stage["stageName"]))
    tags.save(tx, key, tagging.checked(params.get("tags")))
    return await _shown(ctx, tx, api["id"], stage)


@service.operation("GetStage")
async def get_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Stage")
    return await _shown(ctx, tx, api["id"], await store.get_part(tx, api["id"], "Stage", params["stageName"]))


@service.operation("GetStages")
async def get_stages(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    wanted = params.get("deploymentId")
    found = [
        stage
        for stage in await all_parts(tx, api["id"], "Stage")
        if wanted in (None, stage["deploymentId"], (stage.get("canarySettings") or {}).get("deploymentId"))
    ]
    return {"item": [await _shown(ctx, tx, api["id"], stage) for stage in found]}


@service.operation("UpdateStage")
async def update_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Stage")
    known = await store.get_part(tx, api["id"], "Stage", params["stageName"])
    patched = patches.patched(known, params.get("patchOperations"), stages.PATHS)
    stage = await stages.checked(ctx, tx, api["id"], patched)
    stage["lastUpdatedDate"] = float(int(ctx.now()))
    save_part(tx, api["id"], "Stage", stage["stageName"], part=stage)
    return await _shown(ctx, tx, api["id"], stage)


@service.operation("DeleteStage")
async def delete_stage(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Stage")
    stage = await store.get_part(tx, api["id"], "Stage", params["stageName"])
    await apis.check_unmapped(ctx, tx, api["id"], stage["stageName"])
    documents.remove_part(tx, api["id"], "Stage", stage["stageName"])
    tags.save(tx, tagging.key(ctx, deploying.stage_path(api["id"], stage["stageName"])), {})
    return {}


async def _change_nothing(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Forget what stages keep in memory: it is kept with the compiled API, which is compiled anew."""
    api = await store.get_api(ctx, tx, params["restApiId"], "Stage")
    await store.get_part(tx, api["id"], "Stage", params["stageName"])
    documents.changed(tx, api["id"])
    return {}


service.operation("FlushStageCache")(_change_nothing)
service.operation("FlushStageAuthorizersCache")(_change_nothing)


# -- deployments


@service.operation("CreateDeployment")
async def create_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    name = params.get("stageName")
    if name:
        stages.check_name(name)
    elif any(member in params for member in ("stageDescription", "variables", "canarySettings", "tracingEnabled")):
        raise errors.bad_request("A stage name is required for what is said of a stage")
    deployment = await deploying.deploy(ctx, tx, api, params.get("description"))
    if name:
        await _deploy_to(ctx, tx, api["id"], name, deployment, params)
    return deployment


async def _deploy_to(
    ctx: Context, tx: Transaction, api_id: str, name: str, deployment: Document, params: Params
) -> None:
    """Let a stage answer with a deployment, wholly or, with canary settings, for a part of the requests."""
    given = {
        member: params[member]
        for member in ("cacheClusterEnabled", "cacheClusterSize", "tracingEnabled")
        if params.get(member) is not None
    }
    if params.get("stageDescription"):
        given["description"] = params["stageDescription"]
    known = await find_part(tx, api_id, "Stage", name)
    canary = params.get("canarySettings")
    if known is None:
        if canary is not None:
            raise errors.bad_request("Canary settings can only be given for a stage that is there")
        variables = {"variables": params["variables"]} if params.get("variables") else {}
        await _create(ctx, tx, api_id, {**given, **variables, "stageName": name, "deploymentId": deployment["id"]})
        return
    stage = {**known, **given}
    if canary is None:
        stage["deploymentId"] = deployment["id"]
    else:
        stage["canarySettings"] = {**canary, "deploymentId": deployment["id"]}
    if params.get("variables"):
        stage["variables"] = {**(known.get("variables") or {}), **params["variables"]}
    stage = await stages.checked(ctx, tx, api_id, stage)
    stage["lastUpdatedDate"] = float(int(ctx.now()))
    save_part(tx, api_id, "Stage", name, part=stage)


@service.operation("GetDeployment")
async def get_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Deployment")
    deployment = await store.get_part(tx, api["id"], "Deployment", params["deploymentId"])
    if "apisummary" in (params.get("embed") or ()):
        snapshot = await deploying.snapshot_of(tx, api["id"], deployment["id"])
        return {**deployment, "apiSummary": deploying.summary(snapshot) if snapshot else {}}
    return deployment


@service.operation("GetDeployments")
async def get_deployments(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"])
    return await listing.page(tx, parts_of(api["id"], "Deployment"), params)


@service.operation("UpdateDeployment")
async def update_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Deployment")
    known = await store.get_part(tx, api["id"], "Deployment", params["deploymentId"])
    deployment = patches.patched(known, params.get("patchOperations"), _DEPLOYMENT_PATHS)
    save_part(tx, api["id"], "Deployment", deployment["id"], part=deployment)
    return deployment


@service.operation("DeleteDeployment")
async def delete_deployment(ctx: Context, tx: Transaction, params: Params) -> Result:
    api = await store.get_api(ctx, tx, params["restApiId"], "Deployment")
    deployment = await store.get_part(tx, api["id"], "Deployment", params["deploymentId"])
    for stage in await all_parts(tx, api["id"], "Stage"):
        if deployment["id"] in (stage["deploymentId"], (stage.get("canarySettings") or {}).get("deploymentId")):
            raise errors.bad_request("Active stages pointing to this deployment must be moved or deleted")
    deploying.remove(tx, api["id"], deployment["id"])
    return {}
