"""The alarm that rings when an order waits among the dead letters, and the topic by which it rings."""

from __future__ import annotations

import json
from typing import Any

from shop import queues

TOPIC = "shop-alarms"
NAME = "shop-payments-dead-letters"

_MINUTE_SECONDS = 60


def create_topic(sns: Any) -> str:
    """Create the topic, if it is not there already, and return its ARN."""
    return str(sns.create_topic(Name=TOPIC)["TopicArn"])


def create(cloudwatch: Any, topic_arn: str) -> None:
    """Have the topic told when the first letter is there, and when all are gone."""
    cloudwatch.put_metric_alarm(
        AlarmName=NAME,
        AlarmDescription="An order could not be charged.",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": queues.dead_letters_name("payments")}],
        Statistic="Maximum",
        Period=_MINUTE_SECONDS,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        # SQS has no metrics of a queue that has long been empty.
        TreatMissingData="notBreaching",
        AlarmActions=[topic_arn],
        OKActions=[topic_arn],
    )


def read(message: str) -> tuple[str, str, str]:
    """Return the name of an alarm, its new state, and why, from what CloudWatch has published."""
    told = json.loads(message)
    return told["AlarmName"], told["NewStateValue"], told["NewStateReason"]
