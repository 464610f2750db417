"""The operations on access keys."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.tokens import make_access_key_id
from cloudlet.services.iam import access_keys, callers, errors, limits, paging, uses
from cloudlet.services.iam.access_key_record import AccessKey
from cloudlet.services.iam.block import service
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.entity_record import User


def _show(key: AccessKey, user: User | None) -> dict[str, object]:
    status = "Active" if key.is_active else "Inactive"
    return {"UserName": user.name if user else None, "AccessKeyId": key.id, "Status": status, "CreateDate": key.created}


@service.operation("CreateAccessKey")
async def create_access_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await callers.get_user(ctx, tx, params)
    owner = "" if user is None else user.key
    if len(await access_keys.list_keys(tx, ctx.account, owner)) >= limits.MAX_USER_ACCESS_KEYS:
        raise errors.make_quota_error("AccessKeysPerUser", limits.MAX_USER_ACCESS_KEYS)
    key = AccessKey(
        ctx.account, owner, make_access_key_id("AKIA", ctx.account), ctx.now(), partition=partition_of(ctx.region)
    )
    access_keys.save(tx, key)
    secret = ctx.block.cloud.tokens.derive_secret(key.id)
    return {"AccessKey": {**_show(key, user), "SecretAccessKey": secret}}


@service.operation("ListAccessKeys")
async def list_access_keys(ctx: Context, tx: Transaction, params: Params) -> Result:
    user = await callers.get_user(ctx, tx, params)
    keys = await access_keys.list_keys(tx, ctx.account, "" if user is None else user.key)
    return paging.list_items(params, "AccessKeyMetadata", {key.id: _show(key, user) for key in keys})


@service.operation("UpdateAccessKey")
async def update_access_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params["Status"] == "Expired":
        raise errors.invalid_input("The status of an access key can be set to Active or Inactive.")
    key = await _get(ctx, tx, params)
    access_keys.save(tx, replace(key, is_active=params["Status"] == "Active"))
    return {}


@service.operation("DeleteAccessKey")
async def delete_access_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await _get(ctx, tx, params)
    uses.forget_key(tx, key)
    access_keys.remove(tx, key)
    return {}


async def _get(ctx: Context, tx: Transaction, params: Params) -> AccessKey:
    """Return the access key that a request names. Raises AwsError where its user has none such."""
    user = await callers.get_user(ctx, tx, params)
    return await access_keys.get(tx, ctx.account, "" if user is None else user.key, params["AccessKeyId"])


@service.operation("GetAccessKeyLastUsed")
async def get_access_key_last_used(ctx: Context, tx: Transaction, params: Params) -> Result:
    key = await access_keys.find(tx, params["AccessKeyId"])
    if key is None or key.account != ctx.account:
        raise errors.access_denied(
            f"User: {ctx.principal.arn} is not authorized to perform: iam:GetAccessKeyLastUsed on resource: access key "
            f"{params['AccessKeyId']}"
        )
    user = await USERS.get(tx, key.account, key.user) if key.user else None
    return {"UserName": user.name if user else None, "AccessKeyLastUsed": await uses.show_key_use(tx, key)}
