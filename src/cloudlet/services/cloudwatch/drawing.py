"""Pictures of widgets: finds out what one shows, and has it drawn. API reference, "GetMetricWidgetImage"."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from cloudlet.core import Context, Params, Result
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import errors, labels, metric_data, picture, query_check, querying, widget
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.picture import Drawn
from cloudlet.services.cloudwatch.query_check import MetricQuery
from cloudlet.services.cloudwatch.widget import Line, Mark, Widget

_drawing = FairSemaphore(1, 1)
"""Pictures are drawn one after the other: matplotlib is not made for threads, and a picture takes a processor. Accounts
take turns."""


async def get_metric_widget_image(ctx: Context, params: Params) -> Result:
    """Return the picture of a widget."""
    if params.get("OutputFormat", "png") != "png":
        raise errors.not_built("pictures in other formats than png (OutputFormat)")
    asker = Asker(ctx.block.store, ctx.account, ctx.region, ctx.now())
    return {"MetricWidgetImage": await picture_of(asker, params["MetricWidget"])}


async def picture_of(asker: Asker, text: str) -> bytes:
    """Return the picture of a widget, as PNG. Raises AwsError."""
    asked = widget.parse(text, asker.region, asker.account, asker.now)
    if asked.alarm is not None:
        asked = await _with_alarm(asker, asked, asked.alarm)
    series = await _series(asker, asked)
    async with _drawing.hold(asker.account):
        return await asyncio.to_thread(picture.draw, asked, series)


async def _series(asker: Asker, asked: Widget) -> list[Drawn]:
    given = [line.query for line in asked.lines]
    queries = await query_check.read(asker.account, asker.region, given, "metrics")
    results = await querying.results_of(asker, queries, asked.begin, asked.end)
    own = [query for query in queries if isinstance(query, MetricQuery)]
    names = dict(zip([query.id for query in own], labels.of_found([query.metric for query in own]), strict=True))
    defaults = metric_data.default_labels(queries)
    drawn = []
    for line, query in zip(asked.lines, queries, strict=True):
        if query.returned:
            for label, series in metric_data.labelled(query, results.values[query.id], defaults, asker.now, asked.zone):
                points = series.points
                if query.label is None and query.id in names:
                    label = names[query.id]
                drawn.append(Drawn(label, list(points), list(points.values()), line.color, line.right))
    return drawn


async def _with_alarm(asker: Asker, asked: Widget, arn: str) -> Widget:
    """Return a picture with what an alarm watches, and its threshold."""
    name = alarms.name_of(arn)
    alarm = await asker.store.transact(lambda tx: alarms.find(tx, asker.account, asker.region, name))
    if alarm is None or alarm.kind != alarms.METRIC:
        raise errors.validation(f"Invalid MetricWidget: there is no metric alarm {arn}.")
    config = alarm.config
    queries: list[dict[str, Any]] = config.get("Metrics") or [
        {
            "Id": "watched",
            "MetricStat": {
                "Metric": {name: config[name] for name in ("Namespace", "MetricName", "Dimensions") if name in config},
                "Period": config["Period"],
                "Stat": config.get("Statistic") or config["ExtendedStatistic"],
            },
        }
    ]
    threshold = Mark(float(config["Threshold"]), None, alarm.name, None, "")
    return replace(
        asked,
        lines=[*asked.lines, *(Line(query, None, right=False) for query in queries)],
        horizontal=[*asked.horizontal, threshold],
        title=asked.title or alarm.name,
    )
