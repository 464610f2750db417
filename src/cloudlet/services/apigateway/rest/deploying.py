"""Deployments of REST APIs: what an API was made of at a moment, and which one of them a stage answers with.

Developer guide, "Deploy REST APIs in API Gateway" and "Set up an API Gateway canary release deployment".
"""

from __future__ import annotations

from typing import Any, TypedDict

from msgspec import msgpack

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.apigateway import documents, errors
from cloudlet.services.apigateway.documents import Document, all_parts, decode, parts_of, save_part

MOST = 300
_SNAPSHOTS = Subspace("restsnapshot")
_encode = msgpack.Encoder().encode


class Snapshot(TypedDict):
    """What a REST API is made of; `methods` have the ids of their resources."""

    api: Document
    resources: list[Document]
    methods: list[tuple[str, Document]]
    models: list[Document]
    validators: list[Document]
    authorizers: list[Document]
    responses: list[Document]
    """Gateway responses."""


_decode = msgpack.Decoder(Snapshot).decode


def stage_path(api_id: str, name: str) -> str:
    """Return the path by which a stage is known where it has tags."""
    return f"restapis/{api_id}/stages/{name}"


async def methods_of(tx: Transaction, api_id: str) -> list[tuple[str, Document]]:
    """Return the methods of an API, each with the id of its resource."""
    space = parts_of(api_id, "Method")
    rows = await tx.range(space.begin, space.end, limit=20 * documents.MOST_PARTS)
    return [(space.unpack(key)[0], decode(raw)) for key, raw in rows]


async def taken(tx: Transaction, api: Document) -> Snapshot:
    """Return what an API is made of now."""
    id = api["id"]
    return {
        "api": api,
        "resources": await all_parts(tx, id, "Resource"),
        "methods": await methods_of(tx, id),
        "models": await all_parts(tx, id, "Model"),
        "validators": await all_parts(tx, id, "RequestValidator"),
        "authorizers": await all_parts(tx, id, "Authorizer"),
        "responses": await all_parts(tx, id, "GatewayResponse"),
    }


async def snapshot_of(tx: Transaction, api_id: str, deployment_id: str) -> Snapshot | None:
    """Return what was deployed."""
    raw = await tx.get(_SNAPSHOTS.key(api_id, deployment_id))
    return None if raw is None else _decode(raw)


async def deploy(ctx: Context, tx: Transaction, api: Document, description: str | None) -> Document:
    """Keep what an API is made of now as a deployment, and return that. Raises AwsError."""
    space = parts_of(api["id"], "Deployment")
    if len(await tx.range(space.begin, space.end, limit=MOST)) == MOST:
        raise errors.limit_exceeded("Maximum number of deployments for this API has been reached.")
    snapshot = await taken(tx, api)
    if not snapshot["methods"]:
        raise errors.bad_request("The REST API doesn't contain any methods")
    if any("methodIntegration" not in method for _, method in snapshot["methods"]):
        raise errors.bad_request("No integration defined for method")
    deployment: Document = {"id": documents.fresh_id(6), "createdDate": float(int(ctx.now()))}
    if description:
        deployment["description"] = description
    tx.put(_SNAPSHOTS.key(api["id"], deployment["id"]), _encode(snapshot))
    save_part(tx, api["id"], "Deployment", deployment["id"], part=deployment)
    return deployment


def summary(snapshot: Snapshot) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the methods of a deployment by their paths, as it is shown."""
    paths = {resource["id"]: resource["path"] for resource in snapshot["resources"]}
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for resource, method in snapshot["methods"]:
        result.setdefault(paths[resource], {})[method["httpMethod"]] = {
            "authorizationType": method["authorizationType"],
            "apiKeyRequired": method["apiKeyRequired"],
        }
    return result


def remove(tx: Transaction, api_id: str, deployment_id: str) -> None:
    """Delete a deployment with what was kept under it."""
    tx.delete(_SNAPSHOTS.key(api_id, deployment_id))
    documents.remove_part(tx, api_id, "Deployment", deployment_id)


def remove_all(tx: Transaction, api_id: str) -> None:
    """Delete what is kept under all deployments of an API."""
    space = _SNAPSHOTS.sub(api_id)
    tx.delete_range(space.begin, space.end)
