"""The operations on aliases."""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.kms import access, alias, errors, key_spec, keys, paging
from cloudlet.services.kms.alias import Alias
from cloudlet.services.kms.block import service
from cloudlet.services.kms.key_record import Key

_PREFIX: Final = "alias/"
_NAME: Final = re.compile(r"[a-zA-Z0-9/_-]+")
_PAGE_ROWS: Final = 50


@service.operation("CreateAlias")
async def create_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = _get_name(params)
    arn = alias.make_alias_arn(ctx.account, ctx.region, name)
    access.check_account(ctx, "CreateAlias", arn)
    target = await access.get_key(ctx, tx, params["TargetKeyId"], "CreateAlias")
    if await alias.find(tx, ctx.account, ctx.region, name) is not None:
        raise AwsError("AlreadyExistsException", f"An alias with the name {arn} already exists")
    await _check_quota(ctx, tx, target)
    now = ctx.now()
    await alias.save(tx, Alias(ctx.account, ctx.region, name, target.name, now, now))
    return {}


@service.operation("UpdateAlias")
async def update_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Have an alias name another key, of the same type and usage."""
    found = await _get_alias(ctx, tx, _get_name(params), "UpdateAlias")
    target = await access.get_key(ctx, tx, params["TargetKeyId"], "UpdateAlias")
    before = await keys.find(tx, ctx.account, ctx.region, found.target)
    if before is not None:
        await access.check(ctx, tx, before, "UpdateAlias")
        if _get_type(before) != _get_type(target):
            raise errors.ValidationError(
                "Alias cannot be changed to target a key of a different type or with a different key usage."
            )
    if target.name != found.target:
        await _check_quota(ctx, tx, target)
    await alias.save(tx, replace(found, target=target.name, updated=ctx.now()))
    return {}


@service.operation("DeleteAlias")
async def delete_alias(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_alias(ctx, tx, _get_name(params), "DeleteAlias")
    target = await keys.find(tx, ctx.account, ctx.region, found.target)
    if target is not None:
        await access.check(ctx, tx, target, "DeleteAlias")
    await alias.remove(tx, found)
    return {}


@service.operation("ListAliases")
async def list_aliases(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.check_account(ctx, "ListAliases")
    if params.get("KeyId") is None:
        space = alias.get_space(ctx.account, ctx.region)
        rows, following = await paging.list_rows(tx, space, params, _PAGE_ROWS)
        return {"Aliases": [_describe(alias.decode(raw)) for _, raw in rows], **following}
    key = await keys.resolve(ctx, tx, params["KeyId"], "ListAliases")
    space = alias.get_space_of_key(key.account, key.region, key.name)
    rows, following = await paging.list_rows(tx, space, params, _PAGE_ROWS)
    found = [await alias.find(tx, key.account, key.region, space.unpack(row)[0]) for row, _ in rows]
    return {"Aliases": [_describe(each) for each in found if each is not None], **following}


def _get_name(params: Params) -> str:
    """Return the name of an alias that may be changed. Raises AwsError."""
    name: str = params["AliasName"]
    if not name.startswith(_PREFIX):
        raise errors.ValidationError(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name.startswith(alias.RESERVED):
        raise AwsError("NotAuthorizedException", "The prefix alias/aws/ is reserved for AWS managed keys.", status=400)
    if not _NAME.fullmatch(name.removeprefix(_PREFIX)):
        raise AwsError(
            "InvalidAliasNameException",
            f"{name} contains invalid characters. An alias name can contain only letters, digits, /, _ and -.",
        )
    return name


async def _get_alias(ctx: Context, tx: Transaction, name: str, operation: str) -> Alias:
    arn = alias.make_alias_arn(ctx.account, ctx.region, name)
    access.check_account(ctx, operation, arn)
    found = await alias.find(tx, ctx.account, ctx.region, name)
    if found is None:
        raise errors.AliasNotFound(arn)
    return found


def _get_type(key: Key) -> tuple[str, bool, str]:
    """Return what the keys of an alias have in common."""
    spec = key_spec.get_spec(key.spec)
    return spec.kind if not spec.is_pair else "", spec.is_pair, key.usage


async def _check_quota(ctx: Context, tx: Transaction, target: Key) -> None:
    names = await alias.list_names(tx, ctx.account, ctx.region, target.name)
    if len(names) >= alias.MAX_ALIASES:
        raise errors.ExceededLimit(f"{target.arn} has {alias.MAX_ALIASES} aliases, which is the limit.")


def _describe(found: Alias) -> dict[str, Any]:
    return {
        "AliasName": found.name,
        "AliasArn": found.arn,
        "TargetKeyId": found.target,
        "CreationDate": found.created,
        "LastUpdatedDate": found.updated,
    }
