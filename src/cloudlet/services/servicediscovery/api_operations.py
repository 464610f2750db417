"""The operations that tell of operations."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.servicediscovery import errors, filters, limits
from cloudlet.services.servicediscovery.block import service
from cloudlet.services.servicediscovery.errors import InvalidInput
from cloudlet.services.servicediscovery.map_record import MapOperation
from cloudlet.services.servicediscovery.storing import OPERATIONS


@service.operation("GetOperation")
async def get_operation(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("OwnerAccount") not in (None, ctx.account):
        raise errors.OperationNotFound(params["OperationId"])
    found = await OPERATIONS.get(tx, ctx.account, ctx.region, params["OperationId"])
    return {"Operation": _describe(found)}


def _describe(found: MapOperation) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Id": found.name,
        "OwnerAccount": found.account,
        "Type": found.type,
        "Status": found.status,
        "CreateDate": found.created,
        "UpdateDate": found.updated,
        "Targets": found.targets,
    }
    if found.error_code:
        shown |= {"ErrorCode": found.error_code, "ErrorMessage": found.error_message}
    return shown


@service.operation("ListOperations")
async def list_operations(ctx: Context, tx: Transaction, params: Params) -> Result:
    matches = filters.make_filter(params.get("Filters"))

    def select(raw: bytes) -> dict[str, Any] | None:
        found = OPERATIONS.decode(raw)
        known = {
            "NAMESPACE_ID": found.namespace,
            "SERVICE_ID": found.service,
            "STATUS": found.status,
            "TYPE": found.type,
            "UPDATE_DATE": found.updated,
        }
        return {"Id": found.name, "Status": found.status} if matches(known) else None

    space = OPERATIONS.get_space(ctx.account, ctx.region)
    limit, wrong = params.get("MaxResults") or limits.PAGE, InvalidInput("Invalid NextToken.")
    shown, token = await listing.list_page(tx, space, params.get("NextToken"), limit, select, wrong)
    return {"Operations": shown, "NextToken": token}
