"""The operations on export tasks."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.logs import errors, export_task, exporting
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.block import service
from cloudlet.services.logs.export_task import CANCELLED, Task

_PAGE = 50
_KEY_BYTES = 800
"""Of a prefix: names of objects have 1,024 bytes at most, and something comes after it."""


@service.direct("CreateExportTask")
async def create_export_task(ctx: Context, params: Params) -> Result:
    group = await ctx.transact(lambda tx: groups.named(ctx, tx, params["logGroupName"]))
    begin, end = params["from"], params["to"]
    # One that ends before the group was created, such as in seconds, has no events; AWS takes it.
    if begin > end:
        raise errors.invalid("The specified time range is invalid.")
    prefix = params.get("destinationPrefix") or exporting.DEFAULT_PREFIX
    if len(prefix.encode()) > _KEY_BYTES:
        raise errors.invalid("destinationPrefix is too long.")
    task = Task(
        uuid4(),
        ctx.account,
        ctx.region,
        group.name,
        begin,
        end,
        params["destination"],
        prefix,
        int(ctx.now() * 1000),
        params.get("taskName"),
        params.get("logStreamNamePrefix", ""),
    )
    await exporting.try_out(ctx.block, task)
    await ctx.transact(lambda tx: export_task.create(tx, task))
    return {"taskId": task.id}


@service.operation("DescribeExportTasks")
async def describe_export_tasks(ctx: Context, tx: Transaction, params: Params) -> Result:
    task_id, status = params.get("taskId"), params.get("statusCode")
    if task_id is not None:
        task = await export_task.find(tx, ctx.account, ctx.region, task_id)
        shown = [] if task is None or status not in (None, task.status) else [task.shown()]
        return {"exportTasks": shown}
    found, token = await export_task.page(ctx, tx, status, params.get("nextToken"), params.get("limit", _PAGE))
    return {"exportTasks": [task.shown() for task in found], "nextToken": token}


@service.operation("CancelExportTask")
async def cancel_export_task(ctx: Context, tx: Transaction, params: Params) -> Result:
    task = await export_task.find(tx, ctx.account, ctx.region, params["taskId"])
    if task is None:
        raise AwsError("ResourceNotFoundException", "The specified export task does not exist.")
    if task.completed is not None:
        raise AwsError("InvalidOperationException", "The specified export task is neither pending nor running.")
    await export_task.end(tx, task, CANCELLED, int(ctx.now() * 1000))
    return None
