"""The operations on exports and imports."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.cloudformation import errors, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.stack_record import Stack
from cloudlet.services.cloudformation.stacks import exports

_PAGE = 100


@service.operation("ListExports")
async def list_exports(ctx: Context, tx: Transaction, params: Params) -> Result:
    space, token = exports.get_space(ctx.account, ctx.region), params.get("NextToken")
    rows, following = await listing.list_rows(tx, space, token, _PAGE, errors.make_wrong_token())
    shown = []
    for _, raw in rows:
        found = exports.decode(raw)
        stack = Stack(found.account, found.region, found.stack, found.stack_name, "", 0.0)
        shown.append({"ExportingStackId": stack.arn, "Name": found.name, "Value": found.value})
    return {"Exports": shown, "NextToken": following}


@service.operation("ListImports")
async def list_imports(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["ExportName"]
    space, token = stacks.get_import_space(ctx.account, ctx.region, name), params.get("NextToken")
    rows, following = await listing.list_rows(tx, space, token, _PAGE, errors.make_wrong_token())
    if not rows and token is None:
        raise errors.make_validation_error(f"Export '{name}' is not imported by any stack.")
    return {"Imports": [raw.decode() for _, raw in rows], "NextToken": following}
