"""The operations on metrics."""

from __future__ import annotations

from functools import partial

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.services.cloudwatch import directory, drawing, listing, metric_data, metric_statistics, putting, storage
from cloudlet.services.cloudwatch.block import service
from cloudlet.services.cloudwatch.putting import Datum

_AT_ONCE = 100
"""Data that are stored in one transaction: to add 150 values to others takes some 0.1 ms."""


@service.direct("PutMetricData")
async def put_metric_data(ctx: Context, params: Params) -> FinalTransaction:
    data = await putting.data_of(ctx, params)
    last = (len(data) - 1) // _AT_ONCE * _AT_ONCE
    for start in range(0, last, _AT_ONCE):
        await ctx.transact(partial(_store, data[start : start + _AT_ONCE], ctx.now()))
    return FinalTransaction(partial(_store, data[last:], ctx.now()))


async def _store(data: list[Datum], now: float, tx: Transaction) -> Result:
    for metric, unit, time, resolution, cell in data:
        await directory.note(tx, metric, unit, now)
        await storage.add(tx, storage.Stream(metric.id, unit), time, resolution, cell, now)
    return None


service.direct("GetMetricStatistics")(metric_statistics.get_metric_statistics)
service.direct("GetMetricData")(metric_data.get_metric_data)
service.direct("GetMetricWidgetImage")(drawing.get_metric_widget_image)
service.direct("ListMetrics")(listing.list_metrics)
