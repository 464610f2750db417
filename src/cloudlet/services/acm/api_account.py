"""The operations on the settings of an account."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.acm import account, idempotency, timers
from cloudlet.services.acm.block import service
from cloudlet.services.acm.errors import ValidationError


@service.operation("GetAccountConfiguration")
async def get_account_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    days = await account.find_days(tx, ctx.account, ctx.region)
    return {"ExpiryEvents": {"DaysBeforeExpiry": timers.MAX_NOTICE_DAYS if days is None else days}}


@service.operation("PutAccountConfiguration")
async def put_account_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    days = (params.get("ExpiryEvents") or {}).get("DaysBeforeExpiry")
    if days is not None and days > timers.MAX_NOTICE_DAYS:
        raise ValidationError(f"DaysBeforeExpiry must be from 1 to {timers.MAX_NOTICE_DAYS}.")
    token, request = params["IdempotencyToken"], f"PutAccountConfiguration {days}"
    if await idempotency.find_result(ctx, tx, token, request) is None and days is not None:
        account.save_days(tx, ctx.account, ctx.region, days)
        await idempotency.keep_result(ctx, tx, token, request, "")
    return {}
