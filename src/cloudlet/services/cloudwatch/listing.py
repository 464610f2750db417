"""ListMetrics. API reference, "ListMetrics" and "DimensionFilter"."""

from __future__ import annotations

import asyncio
from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.cloudwatch import directory, errors
from cloudlet.services.cloudwatch.metric import Metric

PAGE = 500
_LOOKED_AT = PAGE + 1
"""Metrics that one transaction looks at: a page, and whether there is more. Where filters leave few it takes more."""


async def list_metrics(ctx: Context, params: Params) -> Result:
    """Return a page of the metrics that had values in the last two weeks."""
    if params.get("IncludeLinkedAccounts") or params.get("OwningAccount", ctx.account) != ctx.account:
        raise errors.not_built("monitoring accounts (IncludeLinkedAccounts, OwningAccount)")
    after = page_tokens.parse_page_token(
        params.get("NextToken"), errors.invalid_value("The parameter NextToken is invalid.")
    )
    namespace, name = params.get("Namespace"), params.get("MetricName")
    recent = directory.RECENT_SECONDS if params.get("RecentlyActive") else directory.LISTED_SECONDS
    oldest = ctx.now() - recent
    wanted = {one["Name"]: one.get("Value") for one in params.get("Dimensions") or []}
    found: list[dict[str, Any]] = []
    while True:

        async def body(tx: Transaction, after: bytes = after) -> list[tuple[bytes, Metric, int]]:
            return await directory.page(tx, ctx.account, ctx.region, namespace, name, after, _LOOKED_AT)

        rows = await ctx.transact(body)
        for key, metric, seen in rows:
            if seen >= oldest and (name is None or metric.name == name) and _has(metric, wanted):
                if len(found) == PAGE:
                    return {"Metrics": found, "NextToken": page_tokens.make_page_token(after)}
                found.append(metric.shown())
            after = key
        if len(rows) < _LOOKED_AT:
            return {"Metrics": found}
        await asyncio.sleep(0)


def _has(metric: Metric, wanted: dict[str, str | None]) -> bool:
    """Whether a metric has some dimensions, with some values where values are asked for."""
    if not wanted:
        return True
    dimensions = dict(metric.dimensions)
    return all(
        dimension in dimensions and value in (None, dimensions[dimension]) for dimension, value in wanted.items()
    )
