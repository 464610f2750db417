"""What SNS measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

import datetime

from cloudlet.testing.server import Aws
from tests.standing import NOON, eventually, standing_server


def total(aws: Aws, metric: str) -> float | None:
    """Return the sum of a metric of the topic, or None where there is none."""
    noon = datetime.datetime.fromisoformat(NOON)
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SNS",
        MetricName=metric,
        Dimensions=[{"Name": "TopicName", "Value": "orders"}],
        StartTime=noon - datetime.timedelta(hours=1),
        EndTime=noon + datetime.timedelta(hours=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points) if points else None


def test_a_topic_tells_what_was_published_and_what_became_of_it() -> None:
    with standing_server() as standing:
        aws = standing.account()
        sns, sqs = aws.client("sns"), aws.client("sqs")
        topic = sns.create_topic(Name="orders")["TopicArn"]
        sqs.create_queue(QueueName="q")
        for queue in ("q", "gone"):
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{aws.region}:{aws.account}:{queue}")
        sns.publish(TopicArn=topic, Message="12345")
        entries = [{"Id": "a", "Message": "123"}, {"Id": "b", "Message": "1"}]
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        standing.advance("1m")
        assert eventually(lambda: total(aws, "NumberOfMessagesPublished")) == 3
        assert total(aws, "PublishSize") == 9
        assert total(aws, "NumberOfNotificationsDelivered") == 3
        assert total(aws, "NumberOfNotificationsFailed") == 3
