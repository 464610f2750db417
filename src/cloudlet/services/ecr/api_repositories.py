"""The operations on repositories."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.ecr import access, creating, errors, images, mutability, pull_through, repository
from cloudlet.services.ecr.access import open_repository
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.leftovers import LEFTOVERS
from cloudlet.services.ecr.repository_record import Repository

_MAX_LISTED_REPOSITORIES: Final = 100


def check_own_registry(ctx: Context, params: Params) -> None:
    """Raise InvalidParameter where a request is about the registry of another account."""
    if params.get("registryId") not in (None, ctx.account):
        raise errors.InvalidParameter("The registryId must be that of your own registry.")


@service.direct("CreateRepository")
async def create_repository(ctx: Context, params: Params) -> FinalTransaction:
    check_own_registry(ctx, params)
    kept, exclusions = mutability.parse(params)
    scanning = params.get("imageScanningConfiguration") or {}
    given = tags.merge({}, params.get("tags"), errors.InvalidTag, errors.TooManyTags)
    encryption, key = await creating.resolve_key(ctx, params.get("encryptionConfiguration"))
    made = Repository(
        ctx.account,
        ctx.region,
        params["repositoryName"],
        uuid4(),
        ctx.now(),
        kept,
        exclusions,
        bool(scanning.get("scanOnPush")),
        encryption,
        key,
    )

    async def body(tx: Transaction) -> Result:
        await creating.create(tx, made, given)
        return {"repository": repository.to_api(ctx, made)}

    return FinalTransaction(body)


@service.operation("DescribeRepositories")
async def describe_repositories(ctx: Context, tx: Transaction, params: Params) -> Result:
    account, names = params.get("registryId") or ctx.account, params.get("repositoryNames")
    if names:
        found = [await access.open_named(ctx, tx, account, name, "DescribeRepositories") for name in names]
        return {"repositories": [repository.to_api(ctx, each) for each in found]}
    await access.authorize(ctx, tx, account, "*", "DescribeRepositories", None)
    listed, token = await listing.list_page(
        tx,
        repository.get_space(account, ctx.region),
        params.get("nextToken"),
        params.get("maxResults") or _MAX_LISTED_REPOSITORIES,
        repository.decode,
        errors.InvalidNextToken(),
    )
    return {"repositories": [repository.to_api(ctx, each) for each in listed], "nextToken": token}


@service.operation("DeleteRepository")
async def delete_repository(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "DeleteRepository")
    space = images.get_space(found)
    if not params.get("force") and await tx.range(space.begin, space.end, limit=1):
        raise errors.RepositoryNotEmpty(found.name, found.account)
    repository.remove(tx, found)
    tags.save(tx, repository.get_arn(found), {})
    images.remove_all(tx, found.id)
    pull_through.forget(tx, found.id)
    LEFTOVERS.request(tx, found.account, found.id)
    return {"repository": repository.to_api(ctx, found)}


@service.operation("PutImageTagMutability")
async def put_image_tag_mutability(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "PutImageTagMutability")
    kept, exclusions = mutability.parse(params)
    changed = replace(found, mutability=kept, exclusions=exclusions)
    repository.save(tx, changed)
    return {**show_name(changed), **repository.show_mutability(changed)}


@service.operation("PutImageScanningConfiguration")
async def put_image_scanning_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "PutImageScanningConfiguration")
    changed = replace(found, scans_on_push=bool(params["imageScanningConfiguration"].get("scanOnPush")))
    repository.save(tx, changed)
    shown = {"imageScanningConfiguration": {"scanOnPush": changed.scans_on_push}}
    return {**show_name(changed), **shown}


def show_name(about: Repository) -> dict[str, str]:
    """Return the members by which answers name a repository."""
    return {"registryId": about.account, "repositoryName": about.name}
