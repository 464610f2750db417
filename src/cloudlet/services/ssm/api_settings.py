"""The operations on settings."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.ssm import access, settings
from cloudlet.services.ssm.block import service


@service.operation("GetServiceSetting")
async def get_service_setting(ctx: Context, tx: Transaction, params: Params) -> Result:
    setting = _authorize(ctx, "GetServiceSetting", params)
    return {"ServiceSetting": await settings.to_api(ctx, tx, setting)}


@service.operation("UpdateServiceSetting")
async def update_service_setting(ctx: Context, tx: Transaction, params: Params) -> Result:
    setting = _authorize(ctx, "UpdateServiceSetting", params)
    settings.save(ctx, tx, setting, params["SettingValue"])
    return {}


@service.operation("ResetServiceSetting")
async def reset_service_setting(ctx: Context, tx: Transaction, params: Params) -> Result:
    setting = _authorize(ctx, "ResetServiceSetting", params)
    settings.reset(ctx, tx, setting)
    return {"ServiceSetting": await settings.to_api(ctx, tx, setting)}


def _authorize(ctx: Context, action: str, params: Params) -> str:
    """Return the id of the setting that a request is about. Raises AwsError."""
    setting = settings.parse_id(params["SettingId"])
    access.authorize_account(ctx, action, f"servicesetting{setting}")
    return setting
