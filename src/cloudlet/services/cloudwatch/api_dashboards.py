"""The operations on dashboards."""

from __future__ import annotations

import json
import re
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, tags
from cloudlet.services.cloudwatch import dashboard as dashboards
from cloudlet.services.cloudwatch import dashboard_body, errors
from cloudlet.services.cloudwatch.block import service
from cloudlet.services.cloudwatch.dashboard import Dashboard

_PAGE = 1000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def _shown(messages: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"DataPath": path, "Message": text} for path, text in messages]


@service.operation("PutDashboard")
async def put_dashboard(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, body = params["DashboardName"], params["DashboardBody"]
    if not _NAME.fullmatch(name):
        raise errors.invalid_value(f"The value {name} for field DashboardName contains invalid characters.")
    found = dashboard_body.check(body)
    if found.errors:
        listed = json.dumps([{"dataPath": path, "message": text} for path, text in found.errors])
        raise AwsError(
            "DashboardInvalidInputError",
            f"The dashboard body is invalid, there are {len(found.errors)} validation errors: {listed}",
            dashboardValidationMessages=_shown(found.errors),
        )
    if await dashboards.find(tx, ctx.account, name) is None:
        tags.save(
            tx,
            dashboards.arn_of(ctx.account, ctx.region, name),
            tags.merge({}, params.get("Tags"), errors.invalid_value),
        )
    dashboards.save(tx, Dashboard(ctx.account, name, body, ctx.now()))
    return {"DashboardValidationMessages": _shown(found.warnings)}


def _unknown(name: str) -> AwsError:
    return AwsError("DashboardNotFoundError", f"Dashboard {name} does not exist")


@service.operation("GetDashboard")
async def get_dashboard(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["DashboardName"]
    found = await dashboards.find(tx, ctx.account, name)
    if found is None:
        raise _unknown(name)
    arn = dashboards.arn_of(ctx.account, ctx.region, name)
    return {"DashboardArn": arn, "DashboardBody": found.body, "DashboardName": name}


@service.operation("DeleteDashboards")
async def delete_dashboards(ctx: Context, tx: Transaction, params: Params) -> Result:
    names = dict.fromkeys(params["DashboardNames"])
    if not names:
        raise errors.missing("DashboardNames")
    for name in names:
        found = await dashboards.find(tx, ctx.account, name)
        if found is None:
            # As documented: where one is not there, none is deleted.
            raise _unknown(name)
        dashboards.remove(tx, found)
        tags.save(tx, dashboards.arn_of(ctx.account, ctx.region, name), {})
    return {}


@service.direct("ListDashboards")
async def list_dashboards(ctx: Context, params: Params) -> Result:
    wrong = errors.invalid_value("The parameter NextToken is invalid.")
    after = page_tokens.parse_name_token(params.get("NextToken"), wrong)
    prefix = params.get("DashboardNamePrefix") or ""
    rows = await dashboards.listed(ctx.block.store, ctx.account, prefix, after, _PAGE + 1)
    entries: list[dict[str, Any]] = [
        {
            "DashboardName": one.name,
            "DashboardArn": dashboards.arn_of(ctx.account, ctx.region, one.name),
            "LastModified": one.modified,
            "Size": one.size,
        }
        for one in rows[:_PAGE]
    ]
    token = page_tokens.make_page_token(rows[_PAGE - 1].name.encode()) if len(rows) > _PAGE else None
    return {"DashboardEntries": entries, "NextToken": token}
