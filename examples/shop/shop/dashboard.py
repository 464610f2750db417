"""Pictures of the shop's dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from shop import names

_PIXELS = 50
"""A picture has so many for each unit of the dashboard's grid."""


def pictures(cloudwatch: Any) -> Iterator[tuple[str, bytes]]:
    """Draw what the dashboard shows of the last five minutes: titles, and pictures as PNG."""
    body = json.loads(cloudwatch.get_dashboard(DashboardName=names.DASHBOARD)["DashboardBody"])
    for widget in body["widgets"]:
        size = {"width": _PIXELS * widget["width"], "height": _PIXELS * widget["height"]}
        asked = json.dumps(widget["properties"] | size | {"start": "-PT5M"})
        yield widget["properties"]["title"], cloudwatch.get_metric_widget_image(MetricWidget=asked)["MetricWidgetImage"]
