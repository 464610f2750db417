"""The operations on resource operation requests."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.cloudcontrol import errors, requests, states
from cloudlet.services.cloudcontrol.block import service
from cloudlet.services.cloudcontrol.request_record import Request
from cloudlet.services.cloudcontrol.working import REQUESTS

_PAGE: Final = 20


async def _get(ctx: Context, tx: Transaction, token: str) -> Request:
    found = await requests.find(tx, ctx.block.cloud.vault, ctx.account, ctx.region, token)
    if found is None or found.started + requests.KEPT_SECONDS < ctx.now():
        raise errors.make_request_not_found(token)
    return found


@service.operation("GetResourceRequestStatus")
async def get_resource_request_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"ProgressEvent": requests.to_api(await _get(ctx, tx, params["RequestToken"]))}


@service.operation("ListResourceRequests")
async def list_resource_requests(ctx: Context, tx: Transaction, params: Params) -> Result:
    chosen = params.get("ResourceRequestStatusFilter") or {}
    operations, statuses = chosen.get("Operations"), chosen.get("OperationStatuses")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = requests.decode(ctx.block.cloud.vault, ctx.account, raw)
        if (operations and found.operation not in operations) or (statuses and found.status not in statuses):
            return None
        if found.started + requests.KEPT_SECONDS < ctx.now():
            return None
        shown = requests.to_api(found)
        shown.pop("ResourceModel", None)
        return shown

    # Tokens have no underscores here, by the API's pattern.
    space, token = requests.get_space(ctx.account, ctx.region), params.get("NextToken")
    token = token and token.replace("/", "_")
    limit = params.get("MaxResults") or _PAGE
    wrong = errors.make_validation_error("Invalid NextToken")
    shown, following = await listing.list_page(tx, space, token, limit, select, wrong)
    return {"ResourceRequestStatusSummaries": shown, "NextToken": following and following.replace("_", "/")}


@service.operation("CancelResourceRequest")
async def cancel_resource_request(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, params["RequestToken"])
    if not states.can_follow(found.status, "CANCEL_IN_PROGRESS"):
        raise errors.make_not_cancelable(found.token, found.status)
    changed = replace(found, status="CANCEL_IN_PROGRESS")
    requests.save(tx, ctx.block.cloud.vault, changed)
    REQUESTS.request(tx, ctx.account, ctx.region, found.token)
    return {"ProgressEvent": requests.to_api(changed)}
