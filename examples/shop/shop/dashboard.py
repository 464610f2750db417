"""The dashboard: what the shop's queues, tables and functions have been doing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from shop import function, order_book, queues

NAME = "shop"

_HEIGHT, _WIDTH = 6, 12
_PIXELS = 50
"""A picture has so many for each unit of the dashboard's grid."""


def widgets(region: str) -> list[dict[str, Any]]:
    workers = [queues.name(service) for service in ("payments", "inventory", "email")]
    letters = queues.dead_letters_name("payments")
    return [
        _widget(region, "Orders sent to each service", "Sum", _lines("SQS", "NumberOfMessagesSent", "Queue", workers)),
        _widget(
            region,
            "Dead letters of payments",
            "Maximum",
            _lines("SQS", "ApproximateNumberOfMessagesVisible", "Queue", [letters]),
        ),
        _widget(
            region,
            "The table of orders",
            "Sum",
            [
                *_lines("DynamoDB", "ConsumedWriteCapacityUnits", "Table", [order_book.TABLE]),
                *_lines("DynamoDB", "ConsumedReadCapacityUnits", "Table", [order_book.TABLE]),
            ],
        ),
        _widget(
            region,
            "Functions called",
            "Sum",
            _lines("Lambda", "Invocations", "Function", [function.name(each) for each in function.NAMES]),
        ),
    ]


def create(cloudwatch: Any) -> None:
    """Create the dashboard, or make it what it should be."""
    placed = [
        {"type": "metric", "x": _WIDTH * (at % 2), "y": _HEIGHT * (at // 2), "width": _WIDTH, "height": _HEIGHT}
        | widget
        for at, widget in enumerate(widgets(cloudwatch.meta.region_name))
    ]
    cloudwatch.put_dashboard(DashboardName=NAME, DashboardBody=json.dumps({"widgets": placed}))


def pictures(cloudwatch: Any) -> Iterator[tuple[str, bytes]]:
    """Draw what the dashboard shows of the last five minutes: titles, and pictures as PNG."""
    body = json.loads(cloudwatch.get_dashboard(DashboardName=NAME)["DashboardBody"])
    for widget in body["widgets"]:
        size = {"width": _PIXELS * widget["width"], "height": _PIXELS * widget["height"]}
        asked = json.dumps(widget["properties"] | size | {"start": "-PT5M"})
        yield widget["properties"]["title"], cloudwatch.get_metric_widget_image(MetricWidget=asked)["MetricWidgetImage"]


def _widget(region: str, title: str, statistic: str, lines: list[list[str]]) -> dict[str, Any]:
    shown = {"title": title, "region": region, "view": "timeSeries", "stat": statistic, "period": 60, "metrics": lines}
    return {"properties": shown}


def _lines(service: str, metric: str, kind: str, names: list[str]) -> list[list[str]]:
    """Return one line for each queue, table or function."""
    return [[f"AWS/{service}", metric, f"{kind}Name", name] for name in names]
