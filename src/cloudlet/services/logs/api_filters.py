"""The operations on metric filters."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.logs import errors, metric_filter
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.block import service
from cloudlet.services.logs.metric_filter import MetricFilter

_PAGE = 50


@service.operation("PutMetricFilter")
async def put_metric_filter(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    if await metric_filter.put(tx, group, metric_filter.checked(ctx, params)):
        group.filters += 1
        groups.save(tx, group)
    return None


@service.operation("DeleteMetricFilter")
async def delete_metric_filter(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    await metric_filter.remove(tx, group, params["filterName"])
    group.filters -= 1
    groups.save(tx, group)
    return None


@service.operation("DescribeMetricFilters")
async def describe_metric_filters(ctx: Context, tx: Transaction, params: Params) -> Result:
    metric, namespace = params.get("metricName"), params.get("metricNamespace")
    if (metric is None) != (namespace is None):
        raise errors.invalid("metricName and metricNamespace must be specified together.")
    group, prefix, most = params.get("logGroupName"), params.get("filterNamePrefix", ""), params.get("limit", _PAGE)
    if prefix and group is None:
        raise errors.invalid("filterNamePrefix requires logGroupName.")
    if group is not None:
        await groups.named(ctx, tx, group)

    def wanted(one: MetricFilter) -> bool:
        return (
            one.name.startswith(prefix)
            and metric in (None, one.transformation["metricName"])
            and namespace in (None, one.transformation["metricNamespace"])
        )

    found, token = await metric_filter.page(ctx, tx, group, params.get("nextToken"), most, wanted)
    return {"metricFilters": [_described(one) for one in found], "nextToken": token}


def _described(one: MetricFilter) -> dict[str, Any]:
    return {
        "filterName": one.name,
        "filterPattern": one.pattern,
        "metricTransformations": [one.transformation],
        "creationTime": one.created,
        "logGroupName": one.group,
    }
