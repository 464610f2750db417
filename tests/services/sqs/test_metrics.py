"""What SQS measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.services.sqs.walking import queues_with_messages
from cloudlet.testing.server import Aws
from tests.modes import meaningless_in
from tests.services.sqs.conftest import ACCOUNT, Sqs
from tests.standing import NOON, Standing, eventually

MINUTE = 60


def values(aws: Aws, metric: str, queue: str, *statistics: str) -> list[dict[str, Any]]:
    noon = datetime.datetime.fromisoformat(NOON)
    return list(
        aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": queue}],
            StartTime=noon - datetime.timedelta(hours=1),
            EndTime=noon + datetime.timedelta(hours=8),
            Period=MINUTE,
            Statistics=list(statistics),
        )["Datapoints"]
    )


@meaningless_in("replicas", because="each process counts, and tells it with a time, of its own")
def test_a_queue_tells_what_it_did_and_what_it_holds(standing: Standing) -> None:
    aws = standing.account()
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    for body in ("x" * 10, "é" * 5, "x" * 40):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "é"}, {"Id": "b", "MessageBody": ""}])
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.receive_message(QueueUrl=sqs.create_queue(QueueName="empty")["QueueUrl"])
    standing.advance("1m")

    (sent,) = eventually(lambda: values(aws, "SentMessageSize", "orders", "Sum", "SampleCount", "Maximum"))
    assert (sent["Sum"], sent["SampleCount"], sent["Maximum"], sent["Unit"]) == (62, 4, 40, "Bytes")
    for metric, total in {
        "NumberOfMessagesSent": 4,
        "NumberOfMessagesReceived": 1,
        "NumberOfMessagesDeleted": 1,
        "ApproximateNumberOfMessagesVisible": 3,
        "ApproximateNumberOfMessagesNotVisible": 0,
        "ApproximateAgeOfOldestMessage": 60,
    }.items():
        (point,) = values(aws, metric, "orders", "Sum")
        assert point["Sum"] == total, metric
    (empty,) = values(aws, "NumberOfEmptyReceives", "empty", "Sum")
    assert empty["Sum"] == 1
    assert not values(aws, "NumberOfMessagesSent", "empty", "Sum")


def test_a_long_poll_that_ends_with_nothing_is_an_empty_receive(standing: Standing) -> None:
    aws = standing.account()
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="quiet")["QueueUrl"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    standing.advance("1m")
    (empty,) = eventually(lambda: values(aws, "NumberOfEmptyReceives", "quiet", "Sum"))
    assert empty["Sum"] == 1


def test_what_a_queue_did_is_measured_where_it_is_whatever_its_url_ends_with(standing: Standing) -> None:
    aws, other = standing.account(), standing.account()
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="mine")["QueueUrl"]
    sqs.send_message(QueueUrl=f"{url}?/{other.account}/theirs", MessageBody="x")
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="gone")["QueueUrl"])
    with pytest.raises(ClientError):
        sqs.send_message(QueueUrl=url.replace("mine", "gone"), MessageBody="x")
    standing.advance("1m")
    (point,) = eventually(lambda: values(aws, "NumberOfMessagesSent", "mine", "Sum"))
    assert point["Sum"] == 1
    assert not values(aws, "NumberOfMessagesSent", "gone", "Sum")
    assert not other.client("cloudwatch").list_metrics(Namespace="AWS/SQS")["Metrics"]


def test_an_alarm_rings_when_messages_are_left(standing: Standing) -> None:
    aws = standing.account()
    sqs, cloudwatch = aws.client("sqs"), aws.client("cloudwatch")
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    topic = aws.client("sns").create_topic(Name="bell")["TopicArn"]
    bell = sqs.create_queue(QueueName="bell")["QueueUrl"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{aws.region}:{aws.account}:bell")
    cloudwatch.put_metric_alarm(
        AlarmName="dead letters",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "dead"}],
        Statistic="Maximum",
        Period=MINUTE,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    standing.advance("1m")
    eventually(lambda: values(aws, "ApproximateNumberOfMessagesVisible", "dead", "Maximum"))
    standing.advance("1m")
    (rung,) = sqs.receive_message(QueueUrl=bell, WaitTimeSeconds=20)["Messages"]
    assert "dead letters" in rung["Body"]


def test_a_dead_letter_queue_is_measured_though_nobody_calls_it(standing: Standing) -> None:
    aws = standing.account()
    sqs = aws.client("sqs")
    sqs.create_queue(QueueName="letters")
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{aws.region}:{aws.account}:letters", "maxReceiveCount": 1}
    attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "0"}
    url = sqs.create_queue(QueueName="tried", Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert sqs.receive_message(QueueUrl=url)["Messages"]
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    standing.advance("1m")

    (point,) = eventually(lambda: values(aws, "ApproximateNumberOfMessagesVisible", "letters", "Maximum"))
    assert point["Maximum"] == 1


def test_a_new_queue_is_measured_though_nobody_calls_it(standing: Standing) -> None:
    aws = standing.account()
    aws.client("sqs").create_queue(QueueName="new")
    standing.advance("1m")
    for metric in ("Visible", "NotVisible", "Delayed"):
        (point,) = eventually(lambda metric=metric: values(aws, f"ApproximateNumberOfMessages{metric}", "new", "Sum"))
        assert point["Sum"] == 0


def test_of_very_many_queues_those_that_hold_messages_are_found(sqs: Sqs) -> None:
    urls = [sqs.queue(f"q{number:03}") for number in range(450)]
    for number in (0, 199, 200, 449):
        sqs.send(urls[number])
    sqs.delete(urls[0], *sqs.receive(urls[0]))

    async def found() -> list[tuple[str, str]]:
        block = sqs.cloud.block("sqs")
        return [(record.account, record.name) async for record in queues_with_messages(block)]

    assert sqs.run(found()) == [(ACCOUNT, "q199"), (ACCOUNT, "q200"), (ACCOUNT, "q449")]
