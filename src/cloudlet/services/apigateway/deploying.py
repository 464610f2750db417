"""Deployments: what an API was made of at a moment, and which one of them a stage answers with.

A stage that is deployed automatically answers with what the API is made of now; each change gives it a deployment of
its own, of which only the last is kept. Developer guide, "Stages for HTTP APIs in API Gateway".
"""

from __future__ import annotations

from typing import Any

from msgspec import msgpack

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import (
    Document,
    all_parts,
    changed,
    find_part,
    fresh_id,
    parts_of,
    remove_part,
    save_part,
)

Snapshot = dict[str, Any]
"""The API's document under "Api", and lists of the parts by their kinds."""

DEPLOYED_KINDS = ("Authorizer", "Integration", "IntegrationResponse", "Model", "Route", "RouteResponse")
MOST_DEPLOYMENTS = 300
_SNAPSHOTS = Subspace("snapshot")
_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder().decode


async def taken(tx: Transaction, api: Document) -> Snapshot:
    """Return what an API is made of now."""
    snapshot: Snapshot = {"Api": api}
    for kind in DEPLOYED_KINDS:
        snapshot[kind] = await all_parts(tx, api["ApiId"], kind)
    return snapshot


async def snapshot_of(tx: Transaction, api: Document, stage: Document) -> Snapshot | None:
    """Return what a stage answers with; None where nothing was deployed to it."""
    if stage.get("AutoDeploy"):
        return await taken(tx, api)
    raw = await tx.get(_SNAPSHOTS.key(api["ApiId"], stage.get("DeploymentId", "")))
    return None if raw is None else _decode(raw)


async def deployed_stages(tx: Transaction, api: Document) -> list[tuple[Document, Snapshot]]:
    """Return the stages of an API to which something was deployed, and what they answer with."""
    stages = []
    for stage in await all_parts(tx, api["ApiId"], "Stage"):
        snapshot = await snapshot_of(tx, api, stage)
        if snapshot is not None:
            stages.append((stage, snapshot))
    return stages


async def deploy(ctx: Context, tx: Transaction, api: Document, description: str | None) -> Document:
    """Keep what an API is made of now as a deployment, and return that. Raises AwsError."""
    routes = parts_of(api["ApiId"], "Route")
    if not await tx.range(routes.begin, routes.end, limit=1):
        raise errors.bad_request("At least one route is required before deploying the Api.")
    space = parts_of(api["ApiId"], "Deployment")
    if len(await tx.range(space.begin, space.end, limit=MOST_DEPLOYMENTS)) == MOST_DEPLOYMENTS:
        raise errors.too_many("Maximum number of deployments for this API has been reached.")
    deployment = _fresh(ctx, automatic=False)
    if description:
        deployment["Description"] = description
    await keep(tx, api, deployment)
    save_part(tx, api["ApiId"], "Deployment", deployment["DeploymentId"], part=deployment)
    return deployment


async def keep(tx: Transaction, api: Document, deployment: Document) -> None:
    """Keep what an API is made of now, under a deployment."""
    tx.put(_SNAPSHOTS.key(api["ApiId"], deployment["DeploymentId"]), _encode(await taken(tx, api)))


def _fresh(ctx: Context, *, automatic: bool) -> Document:
    return {
        "DeploymentId": fresh_id(6),
        "AutoDeployed": automatic,
        "CreatedDate": ctx.now(),
        "DeploymentStatus": "DEPLOYED",
    }


async def follow(ctx: Context, tx: Transaction, api: Document) -> None:
    """Deploy a change of an API to the stages that are deployed automatically."""
    following = [stage for stage in await all_parts(tx, api["ApiId"], "Stage") if stage.get("AutoDeploy")]
    if following:
        await deploy_automatically(ctx, tx, api, following)


async def deploy_automatically(ctx: Context, tx: Transaction, api: Document, stages: list[Document]) -> None:
    """Give stages one deployment, in place of the automatic one that each has."""
    api_id = api["ApiId"]
    deployment = _fresh(ctx, automatic=True)
    deployment["Description"] = "Automatic deployment triggered by changes to the Api configuration"
    for stage in stages:
        before = stage.get("DeploymentId")
        known = None if before is None else await find_part(tx, api_id, "Deployment", before)
        if before is not None and known is not None and known["AutoDeployed"]:
            remove(tx, api_id, before)
        stage["DeploymentId"] = deployment["DeploymentId"]
        stage["LastDeploymentStatusMessage"] = (
            f"Successfully deployed stage with deployment ID '{deployment['DeploymentId']}'"
        )
        save_part(tx, api_id, "Stage", stage["StageName"], part=stage)
    save_part(tx, api_id, "Deployment", deployment["DeploymentId"], part=deployment)


def remove(tx: Transaction, api_id: str, deployment_id: str) -> None:
    """Delete a deployment with what was kept under it."""
    tx.delete(_SNAPSHOTS.key(api_id, deployment_id))
    remove_part(tx, api_id, "Deployment", deployment_id)


def remove_all(tx: Transaction, api_id: str) -> None:
    """Delete what is kept under all deployments of an API."""
    space = _SNAPSHOTS.sub(api_id)
    tx.delete_range(space.begin, space.end)
    changed(tx, api_id)
