"""The dashboard: what the shop's queues, tables and functions have been doing."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct
from shop import names

from infrastructure.functions import NAMES


class Dashboard(Construct):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        workers = [names.queue(service) for service in ("payments", "inventory", "email")]
        letters = [names.dead_letters("payments")]
        units = [
            *_lines("DynamoDB", "ConsumedWriteCapacityUnits", "Table", [names.ORDERS]),
            *_lines("DynamoDB", "ConsumedReadCapacityUnits", "Table", [names.ORDERS]),
        ]
        called = _lines("Lambda", "Invocations", "Function", [f"shop-{name}" for name in NAMES])
        waiting = _lines("SQS", "ApproximateNumberOfMessagesVisible", "Queue", letters, "Maximum")
        shown = cloudwatch.Dashboard(self, "Shown", dashboard_name=names.DASHBOARD)
        shown.add_widgets(
            _graph("Orders sent to each service", _lines("SQS", "NumberOfMessagesSent", "Queue", workers)),
            _graph("Dead letters of payments", waiting),
        )
        shown.add_widgets(_graph("The table of orders", units), _graph("Functions called", called))


def _graph(title: str, lines: list[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=lines, width=12)


def _lines(service: str, metric: str, kind: str, names: list[str], statistic: str = "Sum") -> list[cloudwatch.IMetric]:
    """Return one line for each queue, table or function."""
    return [
        cloudwatch.Metric(
            namespace=f"AWS/{service}",
            metric_name=metric,
            dimensions_map={f"{kind}Name": name},
            statistic=statistic,
            period=Duration.minutes(1),
        )
        for name in names
    ]
