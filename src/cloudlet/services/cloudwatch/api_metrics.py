"""The operations on metrics."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.cloudwatch import directory, drawing, listing, metric_data, metric_statistics, putting, storage
from cloudlet.services.cloudwatch.block import service


@service.operation("PutMetricData")
async def put_metric_data(ctx: Context, tx: Transaction, params: Params) -> Result:
    now = ctx.now()
    for metric, unit, time, resolution, cell in putting.data_of(ctx, params):
        await directory.note(tx, metric, unit, now)
        await storage.add(tx, storage.Stream(metric.id, unit), time, resolution, cell, now)
    return None


service.operation("GetMetricStatistics")(metric_statistics.get_metric_statistics)
service.direct("GetMetricData")(metric_data.get_metric_data)
service.direct("GetMetricWidgetImage")(drawing.get_metric_widget_image)
service.direct("ListMetrics")(listing.list_metrics)
