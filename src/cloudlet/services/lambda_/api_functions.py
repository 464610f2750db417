"""The operations on functions: creating, showing, listing, changing and deleting them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.code import code_signing, downloads, layers, packages, sources
from cloudlet.services.lambda_.functions import (
    configuration,
    deleting,
    directory,
    environments,
    grants,
    roles,
    settling,
    showing,
    tagging,
    versions,
    vpcs,
)
from cloudlet.services.lambda_.functions.function import LATEST, Function, Package, Version


@service.direct("CreateFunction")
async def create_function(ctx: Context, params: Params) -> Result:
    what = directory.named(ctx, params["FunctionName"])
    place = what.place
    directory.check_name(place.name)
    if what.qualifier is not None or place.account != ctx.account:
        raise errors.invalid(f"The function name {params['FunctionName']} is not valid for a function to be created.")
    configuration.refuse_unbuilt(params)
    vpc = await vpcs.find(ctx, params)
    source, package_type = params["Code"], params.get("PackageType") or sources.ZIP
    sources.check(source, package_type, "creating")
    configuration.check_required(params)
    (architecture,) = params.get("Architectures") or ("x86_64",)
    empty = Version(place=place, package=Package("", "", 0, 0), package_type=package_type, architecture=architecture)
    draft = vpcs.put(configuration.configured(empty, params), vpc)
    tagged = tagging.checked(params.get("Tags"))
    signing = params.get("CodeSigningConfigArn") or ""
    if signing and package_type == sources.IMAGE:
        raise errors.invalid("Code signing is not supported for functions created with container images.")

    keys = {**access.list_keys("CreateFunction", params), **vpcs.list_keys(vpc)}
    keys["lambda:Layer"] = params.get("Layers") or []

    async def admit(tx: Transaction) -> None:
        for action in ("CreateFunction", *(("TagResource",) if tagged else ())):
            await access.authorize_own(ctx, tx, place.arn, action, keys)
        if await directory.find_function(tx, place) is not None:
            raise errors.conflict(f"Function already exist: {place.name}")
        await code_signing.check_code(tx, signing)

    await ctx.transact(admit)
    await roles.check(ctx.block, place, draft.role)
    await roles.check_dead_letter(ctx, draft)
    await vpcs.check_role(ctx, draft)
    stored = await environments.encrypt(ctx, None, draft)
    async with sources.taken(ctx, "CreateFunction", source, architecture, place.arn) as code:

        async def create(tx: Transaction) -> Version:
            await admit(tx)
            used = await layers.used(ctx, tx, params.get("Layers") or ())
            packages.check_total((code.package, *(layer.package for layer in used)))
            await versions.check_storage(tx, place, (code.package,))
            now = ctx.now()
            named = replace(stored, package=code.package, image=code.image, layers=used)
            made = settling.created(replace(named, revision=uuid4(), modified=now))
            directory.add_function(tx, Function(place=place, code_signing=signing))
            code_signing.use(tx, place, "", signing)
            await directory.save_version(tx, made, now)
            settling.settle(tx, made)
            tags.save(tx, place.arn, tagged)
            return await versions.publish(tx, made, None, now) if params.get("Publish") else made

        version = await ctx.transact(create)
    # Also where it is published at once.
    return showing.configuration(replace(version, environment=draft.environment), arn=place.arn)


@service.direct("UpdateFunctionCode")
async def update_function_code(ctx: Context, params: Params) -> Result:
    what = directory.function_only(directory.named(ctx, params["FunctionName"]))
    if params.get("PublishTo"):
        raise errors.not_built("the parameter PublishTo of functions")
    architectures = params.get("Architectures")

    async def checked(tx: Transaction) -> Version:
        await access.authorize(ctx, tx, what, "UpdateFunctionCode")
        latest = await directory.latest(tx, what.place)
        sources.check(params, latest.package_type, "updating")
        versions.check_changeable(latest, params.get("RevisionId"))
        await code_signing.check_code(tx, (await directory.function(tx, what.place)).code_signing)
        return latest

    latest = await ctx.transact(checked)
    architecture = architectures[0] if architectures else latest.architecture
    async with sources.taken(ctx, "UpdateFunctionCode", params, architecture, what.place.arn) as code:

        async def change(tx: Transaction) -> Version:
            latest = await checked(tx)
            packages.check_total((code.package, *(layer.package for layer in latest.layers)))
            await versions.check_storage(tx, what.place, (code.package,))
            changed = replace(latest, package=code.package, image=code.image)
            if architectures:
                changed = replace(changed, architecture=architectures[0])
            if params.get("DryRun"):
                raise _DryRun(changed)
            changed = await versions.update(tx, changed, ctx.now())
            return await versions.publish(tx, changed, None, ctx.now()) if params.get("Publish") else changed

        try:
            version = await ctx.transact(change)
        except _DryRun as dry:
            await ctx.block.blobs.remove([code.package.code])
            version = dry.version
    return await environments.decrypt_answer(
        ctx, showing.configuration(version, arn=version.arn if version.number else what.place.arn)
    )


class _DryRun(Exception):
    """All would have gone well."""

    def __init__(self, version: Version) -> None:
        super().__init__()
        self.version = version


@service.direct("UpdateFunctionConfiguration")
async def update_function_configuration(ctx: Context, params: Params) -> Result:
    what = directory.function_only(directory.named(ctx, params["FunctionName"]))
    configuration.refuse_unbuilt(params)
    vpc = await vpcs.find(ctx, params)
    keys = {**({"lambda:Layer": params["Layers"]} if params.get("Layers") else {}), **vpcs.list_keys(vpc)}

    async def configure(tx: Transaction) -> tuple[Version, Version]:
        await access.authorize(ctx, tx, what, "UpdateFunctionConfiguration", keys)
        latest = await directory.latest(tx, what.place)
        changed = vpcs.put(configuration.configured(latest, params), vpc)
        versions.check_changeable(latest, params.get("RevisionId"))
        if params.get("Layers") is not None:
            used = await layers.used(ctx, tx, params["Layers"])
            packages.check_total((latest.package, *(layer.package for layer in used)))
            changed = replace(changed, layers=used)
        return latest, changed

    before, wanted = await ctx.transact(configure)
    if params.get("Role") or params.get("DeadLetterConfig") or vpc:
        await roles.check(ctx.block, what.place, wanted.role)
        await roles.check_dead_letter(ctx, wanted)
        await vpcs.check_role(ctx, wanted)
    stored = await environments.encrypt(ctx, before, wanted)

    async def update(tx: Transaction) -> Result:
        latest, changed = await configure(tx)
        if (latest.kms_key, latest.environment, latest.grant) != (before.kms_key, before.environment, before.grant):
            # Somebody else was quicker.
            raise errors.update_in_progress(what.place.arn)
        if latest.grant != stored.grant:
            grants.release(tx, latest)
        encrypted = replace(changed, environment=stored.environment, grant=stored.grant)
        changed = await versions.update(tx, encrypted, ctx.now())
        return showing.configuration(changed, arn=what.place.arn)

    return await environments.decrypt_answer(ctx, await ctx.transact(update))


@service.direct("GetFunction")
@environments.make_revealing
async def get_function(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    await access.authorize(ctx, tx, what, "GetFunction")
    found = await directory.resolve(tx, what)
    function = await directory.function(tx, what.place)
    shown: dict[str, Any] = {
        "Configuration": showing.configuration(found.version, arn=what.arn),
        "Code": _code(ctx, found.version),
    }
    if tagged := await tags.load(tx, what.place.arn):
        shown["Tags"] = tagged
    if function.reserved_concurrency is not None:
        shown["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
    return shown


def _code(ctx: Context, version: Version) -> dict[str, str]:
    image = version.image
    if image is not None:
        return {"RepositoryType": "ECR", "ImageUri": image.uri, "ResolvedImageUri": image.resolved}
    return {"RepositoryType": "S3", "Location": downloads.location(ctx, version.package)}


@service.direct("GetFunctionConfiguration")
@environments.make_revealing
async def get_function_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    await access.authorize(ctx, tx, what, "GetFunctionConfiguration")
    return showing.configuration((await directory.resolve(tx, what)).version, arn=what.arn)


@service.direct("ListFunctions")
@environments.make_revealing
async def list_functions(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("MasterRegion", "ALL") != "ALL":
        raise errors.not_built("functions of Lambda@Edge")
    every = params.get("FunctionVersion") == "ALL"

    def select(raw: bytes) -> dict[str, Any] | None:
        version = directory.decode_version(raw)
        if every:
            return showing.listed(version)
        return None if version.number else showing.listed(version, arn=version.place.arn)

    space = directory.versions_in(ctx.account, ctx.region)
    found, marker = await paging.page(tx, space, params.get("Marker"), params.get("MaxItems"), select)
    return {"Functions": found, "NextMarker": marker}


@service.operation("DeleteFunction")
async def delete_function(ctx: Context, tx: Transaction, params: Params) -> Result:
    what = directory.named(ctx, params["FunctionName"], params.get("Qualifier"))
    await access.authorize(ctx, tx, what, "DeleteFunction")
    if what.qualifier is None:
        await deleting.delete_function(tx, what.place, ctx.now())
    elif what.qualifier == LATEST:
        raise errors.invalid("$LATEST version cannot be deleted without deleting the function.")
    elif not directory.is_number(what.qualifier):
        raise errors.invalid("Deletion of aliases is not currently supported.")
    else:
        await deleting.delete_version(tx, (await directory.resolve(tx, what)).version, ctx.now())
    return {"StatusCode": 204}
