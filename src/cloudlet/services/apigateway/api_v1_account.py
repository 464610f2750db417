"""The operations on an account's settings."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Document
from cloudlet.services.apigateway.integration_check import check_role
from cloudlet.services.apigateway.rest import patches, store

_PATHS = (
    patches.value("/cloudwatchRoleArn", operations=patches.ANY),
    patches.elements("/features", ("add",)),
)


def _account(kept: Document | None) -> dict[str, Any]:
    return {
        "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
        "features": ["UsagePlans"],
        "apiKeyVersion": "4",
        **(kept or {}),
    }


@service.operation("GetAccount")
async def get_account(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _account(await store.find_owned(ctx, tx, "Account", ""))


@service.operation("UpdateAccount")
async def update_account(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await store.find_owned(ctx, tx, "Account", "") or {}
    account = patches.patched(known, params.get("patchOperations"), _PATHS)
    if set(account.pop("features", [])) - {"UsagePlans"}:
        raise errors.bad_request("Invalid feature specified: there is UsagePlans")
    role = account.get("cloudwatchRoleArn")
    if role:
        if not role.startswith("arn:"):
            raise errors.bad_request("The role ARN does not have required permissions configured, or is no ARN.")
        check_role(ctx, role)
    else:
        account.pop("cloudwatchRoleArn", None)
    store.save_owned(ctx, tx, "Account", "", account)
    return _account(account)
