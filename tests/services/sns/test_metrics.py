"""What SNS measures of itself is found in CloudWatch, a minute after."""

from __future__ import annotations

from tests.own_metrics import total
from tests.standing import eventually, standing_server


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
        assert eventually(lambda: total(aws, "AWS/SNS", "NumberOfMessagesPublished", TopicName="orders")) == 3
        assert total(aws, "AWS/SNS", "PublishSize", TopicName="orders") == 9
        assert total(aws, "AWS/SNS", "NumberOfNotificationsDelivered", TopicName="orders") == 3
        assert total(aws, "AWS/SNS", "NumberOfNotificationsFailed", TopicName="orders") == 3
