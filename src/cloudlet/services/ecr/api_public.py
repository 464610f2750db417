"""The operations of Amazon ECR Public, most of which private registries have, too."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, tag_operations, tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.service import Direct, Transactional
from cloudlet.services.ecr import (
    access,
    api_images,
    api_layers,
    api_policies,
    api_repositories,
    authorization_token,
    creating,
    errors,
    images,
    registry,
    repository,
)
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.public_registry import HOME_REGION, MODEL, REGION, find_account, make_alias
from cloudlet.services.ecr.repository_record import Repository

_MAX_LISTED_TAGS: Final = 100
_CATALOG: Final = ("aboutText", "architectures", "description", "operatingSystems", "usageText")
_ARN: Final = re.compile(r"arn:aws:ecr-public::(\d{12}):repository/(.+)", re.ASCII)
_SHARED: Final[dict[str, Transactional]] = {
    "BatchCheckLayerAvailability": api_layers.batch_check_layer_availability,
    "BatchDeleteImage": api_images.batch_delete_image,
    "DeleteRepository": api_repositories.delete_repository,
    "DeleteRepositoryPolicy": api_policies.delete_repository_policy,
    "DescribeImages": api_images.describe_images,
    "DescribeRepositories": api_repositories.describe_repositories,
    "GetRepositoryPolicy": api_policies.get_repository_policy,
    "InitiateLayerUpload": api_layers.initiate_layer_upload,
    "SetRepositoryPolicy": api_policies.set_repository_policy,
}
"""Operations that are those of private registries."""
_SHARED_DIRECT: Final[dict[str, Direct]] = {
    "CompleteLayerUpload": api_layers.complete_layer_upload,
    "PutImage": api_images.put_image,
    "UploadLayerPart": api_layers.upload_layer_part,
}


async def _enter(
    ctx: Context, params: Params, answer: Callable[[Context, Params], Coroutine[Any, Any, Result]]
) -> Result:
    """Return what is answered in the public registry. Raises AwsError.

    A registry may be named by its alias.
    """
    if ctx.region != HOME_REGION:
        raise AwsError("UnsupportedCommandException", f"command is only supported in {HOME_REGION}")
    given = params.get("registryId")
    if given is not None and not (given.isdecimal() and len(given) == 12):
        account = find_account(given)
        if account is None:
            raise AwsError("RegistryNotFoundException", f"The registry with id '{given}' does not exist")
        params = {**params, "registryId": account}
    public = ctx.act_as(ctx.principal, ctx.account)
    public.region = REGION
    try:
        return await answer(public, params)
    finally:
        ctx.was_decided = ctx.was_decided or public.was_decided


def _declare(name: str, function: Transactional) -> None:
    """Declare an operation that has its transaction in the public registry."""

    @service.operation(f"{MODEL}:{name}")
    async def run(ctx: Context, tx: Transaction, params: Params) -> Result:
        return await _enter(ctx, params, lambda public, named: function(public, tx, named))


def _declare_direct(name: str, function: Callable[[Context, Params], Coroutine[Any, Any, Any]]) -> None:
    @service.direct(f"{MODEL}:{name}")
    async def run(ctx: Context, params: Params) -> Result:
        return await _enter(ctx, params, function)


for _name, _function in _SHARED.items():
    _declare(_name, _function)
for _name, _direct in _SHARED_DIRECT.items():
    _declare_direct(_name, _direct)


def _declare_own(name: str) -> Callable[[Transactional], Transactional]:
    def declare(function: Transactional) -> Transactional:
        _declare(name, function)
        return function

    return declare


# Repositories, and what the gallery shows of them


@_declare_own("CreateRepository")
async def create_repository(ctx: Context, tx: Transaction, params: Params) -> Result:
    catalog = _read_catalog(params.get("catalogData") or {})
    given = tags.merge({}, params.get("tags"), errors.InvalidTag, errors.TooManyTags)
    made = Repository(ctx.account, REGION, params["repositoryName"], uuid4(), ctx.now(), catalog=catalog)
    await creating.create(tx, made, given)
    return {"repository": repository.to_api(ctx, made), "catalogData": _show_catalog(made)}


def _read_catalog(given: dict[str, Any]) -> dict[str, Any]:
    if given.get("logoImageBlob"):
        raise errors.InvalidParameter("Cloudlet does not have logos of repositories. See docs/services/ecr.md.")
    return {name: given[name] for name in _CATALOG if given.get(name)}


def _show_catalog(about: Repository) -> dict[str, Any]:
    return {**about.catalog, "marketplaceCertified": False} if about.catalog else {}


@_declare_own("GetRepositoryCatalogData")
async def get_repository_catalog_data(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await access.open_repository(ctx, tx, params, "GetRepositoryCatalogData")
    return {"catalogData": _show_catalog(found)}


@_declare_own("PutRepositoryCatalogData")
async def put_repository_catalog_data(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await access.open_repository(ctx, tx, params, "PutRepositoryCatalogData")
    changed = replace(found, catalog=_read_catalog(params["catalogData"]))
    repository.save(tx, changed)
    return {"catalogData": _show_catalog(changed)}


@_declare_own("DescribeImageTags")
async def describe_image_tags(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await access.open_repository(ctx, tx, params, "DescribeImageTags")
    space, limit = images.get_tag_space(found), params.get("maxResults") or _MAX_LISTED_TAGS
    rows, token = await listing.list_rows(tx, space, params.get("nextToken"), limit, errors.InvalidNextToken())
    shown = []
    for key, raw in rows:
        image = await images.find(tx, found, raw.decode())
        if image is not None:
            (tag,) = space.unpack(key)
            shown.append(_show_tag(tag, image))
    return {"imageTagDetails": shown, "nextToken": token}


def _show_tag(tag: str, image: Image) -> dict[str, Any]:
    return {
        "imageTag": tag,
        "createdAt": image.tagged.get(tag, image.pushed),
        "imageDetail": api_images.describe_manifest(image),
    }


# Registries


@_declare_own("DescribeRegistries")
async def describe_registries(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("nextToken"):
        # There is one registry: no list has a second page.
        raise errors.InvalidNextToken
    alias = make_alias(ctx.account)
    primary = {"name": alias, "status": "ACTIVE", "primaryRegistryAlias": True, "defaultRegistryAlias": True}
    described = {
        "registryId": ctx.account,
        "registryArn": f"arn:aws:ecr-public::{ctx.account}:registry/{ctx.account}",
        "registryUri": repository.make_registry_address(ctx, ctx.account),
        "verified": False,
        "aliases": [primary],
    }
    return {"registries": [described]}


@_declare_own("GetRegistryCatalogData")
async def get_registry_catalog_data(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, REGION)
    return {"registryCatalogData": {"displayName": known.display_name or None}}


@_declare_own("PutRegistryCatalogData")
async def put_registry_catalog_data(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, REGION)
    named = replace(known, display_name=params.get("displayName") or "")
    registry.save(tx, named)
    return {"registryCatalogData": {"displayName": named.display_name or None}}


@_declare_own("GetAuthorizationToken")
async def get_authorization_token(ctx: Context, tx: Transaction, params: Params) -> Result:
    expires = ctx.now() + authorization_token.VALID_SECONDS
    password = authorization_token.issue(ctx, ctx.account, expires)
    token = b64encode(f"{authorization_token.USER}:{password}".encode()).decode()
    return {"authorizationData": {"authorizationToken": token, "expiresAt": expires}}


# Tags of repositories


async def _check_tagged(ctx: Context, tx: Transaction, arn: str) -> None:
    """Raise AwsError unless an ARN is that of a public repository of the caller's."""
    match = _ARN.fullmatch(arn)
    if match is None:
        message = "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"
        raise errors.InvalidParameter(message)
    account, name = match.groups()
    if account != ctx.account:
        raise errors.RepositoryNotFound(name, ctx.account)
    await repository.get(tx, account, REGION, name)


tag_operations.declare(
    service,
    _check_tagged,
    errors.InvalidTag,
    errors.TooManyTags,
    arn="resourceArn",
    given="tags",
    keys="tagKeys",
    model=MODEL,
)
