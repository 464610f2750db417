"""The operations on layers and their policies."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.access import Policy
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.code import downloads, layers, packages
from cloudlet.services.lambda_.code.layers import Layer, Named
from cloudlet.services.lambda_.functions import showing, statements, versions
from cloudlet.services.lambda_.functions.function import Place


def _listed(layer: Layer) -> dict[str, Any]:
    shown = {
        "LayerVersionArn": layer.arn,
        "Version": layer.number,
        "Description": layer.description,
        "CreatedDate": showing.moment(layer.created),
        "CompatibleArchitectures": list(layer.architectures) or None,
        "CompatibleRuntimes": list(layer.runtimes) or None,
        "LicenseInfo": layer.license or None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _shown(ctx: Context, layer: Layer) -> dict[str, Any]:
    package = layer.package
    content = {"Location": downloads.location(ctx, package), "CodeSha256": package.sha256, "CodeSize": package.size}
    return {"Content": content, "LayerArn": layer.layer_arn, **_listed(layer)}


def _named(ctx: Context, params: Params) -> Named:
    return replace(layers.named(ctx, params["LayerName"]), number=params["VersionNumber"])


@service.direct("PublishLayerVersion")
async def publish_layer_version(ctx: Context, params: Params) -> Result:
    what = layers.named(ctx, params["LayerName"])
    if what.account != ctx.account:
        raise errors.invalid(f"Layers of the account {what.account} are published by that account.")
    packages.check_source(params["Content"])
    async with packages.taken(ctx, "PublishLayerVersion", params["Content"]) as package:

        async def publish(tx: Transaction) -> Layer:
            await versions.check_storage(tx, Place(what.account, what.region, what.name), (package,))
            layer = Layer(
                account=what.account,
                region=what.region,
                name=what.name,
                number=await layers.next_number(tx, what),
                package=package,
                created=ctx.now(),
                description=params.get("Description") or "",
                runtimes=tuple(params.get("CompatibleRuntimes") or ()),
                architectures=tuple(params.get("CompatibleArchitectures") or ()),
                license=params.get("LicenseInfo") or "",
            )
            await layers.save(tx, layer, ctx.now())
            return layer

        return _shown(ctx, await ctx.transact(publish))


@service.operation("GetLayerVersion")
async def get_layer_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _shown(ctx, await layers.get(ctx, tx, _named(ctx, params)))


@service.operation("GetLayerVersionByArn")
async def get_layer_version_by_arn(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _shown(ctx, await layers.get(ctx, tx, layers.named(ctx, params["Arn"])))


@service.operation("DeleteLayerVersion")
async def delete_layer_version(ctx: Context, tx: Transaction, params: Params) -> Result:
    layer = await layers.find_authorized(ctx, tx, _named(ctx, params), "DeleteLayerVersion")
    if layer is not None:
        await layers.remove(tx, layer, ctx.now())
    return None


def _matches(layer: Layer, params: Params) -> bool:
    """Whether a layer's version says that it is for the runtime and the architecture that are asked for."""
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")
    return (not runtime or runtime in layer.runtimes) and (not architecture or architecture in layer.architectures)


@service.operation("ListLayerVersions")
async def list_layer_versions(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = layers.named(ctx, params["LayerName"])

    def select(raw: bytes) -> dict[str, Any] | None:
        layer = layers.decode(raw)
        if ctx.strict and what.account != ctx.account:
            access.decide_call(ctx, layer.arn, layer.account, "ListLayerVersions", {}, layer.policy)
        return _listed(layer) if _matches(layer, params) else None

    space = layers.versions_of(what)
    found, marker = await paging.page(tx, space, params.get("Marker"), params.get("MaxItems"), select)
    return {"LayerVersions": found, "NextMarker": marker}


@service.operation("ListLayers")
async def list_layers(ctx: Context, tx: Transaction, params: Params) -> Result:
    before = layers.last_name(params.get("Marker"))

    def select(raw: bytes) -> dict[str, Any] | None:
        nonlocal before
        layer = layers.decode(raw)
        if layer.name == before or not _matches(layer, params):
            return None
        # Older versions of the same layer follow.
        before = layer.name
        return {"LayerName": layer.name, "LayerArn": layer.layer_arn, "LatestMatchingVersion": _listed(layer)}

    space = layers.layers_of(ctx.account, ctx.region)
    found, marker = await paging.page(tx, space, params.get("Marker"), params.get("MaxItems"), select)
    return {"Layers": found, "NextMarker": marker}


@service.operation("AddLayerVersionPermission")
async def add_layer_version_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    layer = await layers.get(ctx, tx, _named(ctx, params), "AddLayerVersionPermission")
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": statements.principal(params["Principal"], partition_of(ctx.region)),
        "Action": params["Action"],
        "Resource": layer.arn,
    }
    if params.get("OrganizationId"):
        if params["Principal"] != "*":
            raise errors.invalid("OrganizationId can only be specified with the principal *.")
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": params["OrganizationId"]}}
    policy = statements.added(_policy(layer), statement, params.get("RevisionId"))
    layers.put(tx, replace(layer, policy=policy.text, policy_revision=policy.revision))
    return {"Statement": statements.dumped(statement), "RevisionId": policy.revision}


@service.operation("RemoveLayerVersionPermission")
async def remove_layer_version_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    layer = await layers.get(ctx, tx, _named(ctx, params), "RemoveLayerVersionPermission")
    policy = statements.removed(_policy(layer), params["StatementId"], params.get("RevisionId"))
    text, revision = ("", "") if policy is None else (policy.text, policy.revision)
    layers.put(tx, replace(layer, policy=text, policy_revision=revision))
    return None


@service.operation("GetLayerVersionPolicy")
async def get_layer_version_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    layer = await layers.get(ctx, tx, _named(ctx, params), "GetLayerVersionPolicy")
    if not layer.policy:
        raise errors.not_found("No policy is associated with the given resource.")
    return {"Policy": layer.policy, "RevisionId": layer.policy_revision}


def _policy(layer: Layer) -> Policy | None:
    return Policy(layer.policy, layer.policy_revision) if layer.policy else None
