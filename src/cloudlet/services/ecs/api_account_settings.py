"""The operations on account settings."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.ecs import account_settings, errors, offsets
from cloudlet.services.ecs.account_settings import DEFAULT, SETTINGS
from cloudlet.services.ecs.block import service

_MAX_PAGE_ITEMS: Final = 100


def _get_root(ctx: Context) -> str:
    return str(Arn(partition_of(ctx.region), "iam", "", ctx.account, "root"))


def _find_principal(ctx: Context, params: Params) -> str:
    """Return whose settings a request is about: the account's root's are the default ones."""
    principal: str = params.get("principalArn") or ctx.principal.arn
    if ctx.principal.kind == "root" and not params.get("principalArn"):
        return DEFAULT
    if not principal.startswith("arn:") or f":{ctx.account}:" not in principal:
        raise errors.InvalidParameter("The specified principalArn is not valid.")
    return DEFAULT if principal == _get_root(ctx) else principal


def _describe(ctx: Context, principal: str, name: str, value: str) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "principalArn": principal or _get_root(ctx),
        "type": "aws_managed" if name == "guardDutyActivate" else "user",
    }


async def _put(ctx: Context, tx: Transaction, principal: str, params: Params) -> Result:
    name, value = params["name"], params["value"]
    account_settings.check(name, value)
    chosen = await account_settings.load(tx, ctx.account, ctx.region, principal)
    account_settings.save(tx, ctx.account, ctx.region, principal, {**chosen, name: value})
    return {"setting": _describe(ctx, principal, name, value)}


@service.operation("PutAccountSetting")
async def put_account_setting(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _put(ctx, tx, _find_principal(ctx, params), params)


@service.operation("PutAccountSettingDefault")
async def put_account_setting_default(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _put(ctx, tx, DEFAULT, params)


@service.operation("DeleteAccountSetting")
async def delete_account_setting(ctx: Context, tx: Transaction, params: Params) -> Result:
    principal, name = _find_principal(ctx, params), params["name"]
    chosen = await account_settings.load(tx, ctx.account, ctx.region, principal)
    chosen.pop(name, None)
    account_settings.save(tx, ctx.account, ctx.region, principal, chosen)
    value = await account_settings.get_effective(tx, ctx.account, ctx.region, principal, name)
    return {"setting": _describe(ctx, principal, name, value)}


@service.operation("ListAccountSettings")
async def list_account_settings(ctx: Context, tx: Transaction, params: Params) -> Result:
    principal = _find_principal(ctx, params)
    if params.get("effectiveSettings"):
        settings = await account_settings.load_effective(tx, ctx.account, ctx.region, principal)
    else:
        settings = await account_settings.load(tx, ctx.account, ctx.region, principal)
    name, value = params.get("name"), params.get("value")
    chosen = [
        (each, settings[each])
        for each in SETTINGS
        if each in settings and name in (None, each) and value in (None, settings[each])
    ]
    page, following = offsets.cut_page(chosen, params, len(SETTINGS), _MAX_PAGE_ITEMS)
    return {"settings": [_describe(ctx, principal, *each) for each in page], "nextToken": following}
