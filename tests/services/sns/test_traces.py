"""The trace header of a publish goes on to subscribers (X-Ray developer guide, "Amazon SNS and AWS X-Ray")."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import python
from tests.services.sns.endpoint import running
from tests.services.sns.fanout import Fanout
from tests.standing import eventually
from tests.traced import TRACE, trace_of, traced


@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_queue_gets_the_header_as_an_attribute(aws: Aws, fanout: Fanout, raw: str) -> None:
    topic = fanout.topic()
    url = fanout.subscribed_queue(topic, "q", RawMessageDelivery=raw)
    sns = traced(aws, "sns")
    sns.publish(TopicArn=topic, Message="a")
    assert trace_of(fanout.sqs, url) == TRACE
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "a", "Message": "b"}])
    assert trace_of(fanout.sqs, url) == TRACE
    aws.client("sns").publish(TopicArn=topic, Message="c")
    assert trace_of(fanout.sqs, url) is None


def test_the_outbox_keeps_the_header(aws: Aws, fanout: Fanout) -> None:
    # What is signed does not go while the publisher waits.
    topic = fanout.topic(SignatureVersion="2")
    url = fanout.subscribed_queue(topic, "q")
    traced(aws, "sns").publish(TopicArn=topic, Message="a")
    assert trace_of(fanout.sqs, url) == TRACE


def test_a_fifo_topic_keeps_the_header(aws: Aws, fanout: Fanout) -> None:
    topic = fanout.topic("orders.fifo")
    url = fanout.subscribed_queue(topic, "q.fifo")
    traced(aws, "sns").publish(TopicArn=topic, Message="a", MessageGroupId="g", MessageDeduplicationId="d")
    assert trace_of(fanout.sqs, url) == TRACE


def test_an_endpoint_gets_the_header_with_each_attempt_and_so_does_the_dead_letter_queue(
    aws: Aws, fanout: Fanout
) -> None:
    topic = fanout.topic()
    dead = fanout.queue("dead")
    attributes = {
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": fanout.arn(dead)}),
        "DeliveryPolicy": json.dumps({"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 1}}),
    }
    with running() as endpoint:
        fanout.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, Attributes=attributes)
        (asked,) = endpoint.wait(kind="SubscriptionConfirmation")
        fanout.sns.confirm_subscription(TopicArn=topic, Token=asked.message["Token"])
        assert "x-amzn-trace-id" not in asked.headers
        endpoint.answer = lambda received: 503
        traced(aws, "sns").publish(TopicArn=topic, Message="a")
        attempts = endpoint.wait(2)
        assert [each.headers["x-amzn-trace-id"] for each in attempts] == [TRACE, TRACE]
        assert trace_of(fanout.sqs, dead) == TRACE


def test_a_function_runs_within_the_trace(aws: Aws, fanout: Fanout) -> None:
    topic = fanout.topic()
    cloud = FunctionCloud(aws)
    python(cloud, "return [os.environ['_X_AMZN_TRACE_ID'], event['Records'][0]['Sns']['Message']]")
    url = fanout.queue("answers")
    cloud.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": fanout.arn(url)}}
    )
    cloud.client.add_permission(
        FunctionName="f", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
    )
    fanout.sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=cloud.arn())
    traced(aws, "sns").publish(TopicArn=topic, Message="a")
    (answer,) = fanout.messages(url, 1)
    trace, text = json.loads(answer["Body"])["responsePayload"]
    assert trace.startswith(TRACE.partition(";")[0])
    assert text == "a"


# -- active tracing


def documents(aws: Aws, count: int, trace: str = TRACE) -> list[dict[str, Any]]:
    """Return the segment of the topic and the subsegments of deliveries, once there are so many of them together."""
    identity = trace.split(";")[0].removeprefix("Root=")

    def look() -> list[dict[str, Any]]:
        found = [
            json.loads(each["Document"])
            for shown in aws.client("xray").batch_get_traces(TraceIds=[identity])["Traces"]
            for each in shown["Segments"]
        ]
        return found + [inner for each in found for inner in each.get("subsegments", [])]

    return eventually(look, lambda found: len([each for each in found if "inferred" not in each]) >= count)


def fresh_trace(sampled: int = 1) -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent=53995c3f42cd8ad8;Sampled={sampled}"


def test_an_active_topic_tells_x_ray_of_messages_and_deliveries(aws: Aws, fanout: Fanout) -> None:
    topic = fanout.topic(TracingConfig="Active")
    url = fanout.subscribed_queue(topic, "q")
    trace = f"{fresh_trace()};Lineage=1:a1b2c3d4:0"
    sent = traced(aws, "sns", trace).publish(TopicArn=topic, Message="a")
    found = documents(aws, 2, trace)
    (segment,) = [each for each in found if each.get("origin") == "AWS::SNS"]
    assert segment["name"] == topic
    assert segment["parent_id"] == "53995c3f42cd8ad8"
    assert segment["aws"]["topic_arn"] == topic
    assert segment["aws"]["message_id"] == sent["MessageId"]
    assert segment["end_time"] >= segment["start_time"]
    (delivery,) = [each for each in found if each["name"] == "SQS" and each.get("namespace") == "aws"]
    assert delivery["aws"]["queue_url"].endswith(f"/{aws.account}/q")
    assert not delivery.get("fault")
    root = trace.split(";")[0]
    # Whoever takes the message from the queue is a child of the delivery.
    assert trace_of(fanout.sqs, url) == f"{root};Parent={delivery['id']};Sampled=1;Lineage=1:a1b2c3d4:0"


def test_a_fifo_topic_tells_x_ray_too(aws: Aws, fanout: Fanout) -> None:
    topic = fanout.topic("orders.fifo", TracingConfig="Active")
    fanout.subscribed_queue(topic, "q.fifo")
    trace = fresh_trace()
    sns = traced(aws, "sns", trace)
    for _ in range(2):
        sns.publish(TopicArn=topic, Message="a", MessageGroupId="g", MessageDeduplicationId="d")
    assert len([each for each in documents(aws, 2, trace) if each.get("origin") == "AWS::SNS"]) == 1


def test_a_delivery_that_is_refused_is_an_error_and_no_fault_of_the_queue(aws: Aws, fanout: Fanout) -> None:
    topic = fanout.topic(TracingConfig="Active")
    fanout.subscribe(topic, fanout.queue("q") + "-gone")
    trace = fresh_trace()
    traced(aws, "sns", trace).publish(TopicArn=topic, Message="a")
    (delivery,) = [each for each in documents(aws, 2, trace) if each["name"] == "SQS" and "cause" in each]
    assert delivery["error"]
    assert "fault" not in delivery


def test_x_ray_is_told_of_sampled_traces_only_and_by_active_topics_only(aws: Aws, fanout: Fanout) -> None:
    active, passive = fanout.topic("active", TracingConfig="Active"), fanout.topic("passive")
    url = fanout.subscribed_queue(active, "q")
    fanout.subscribe(passive, url)
    unsampled, passed, told = fresh_trace(sampled=0), fresh_trace(), fresh_trace()
    traced(aws, "sns", unsampled).publish(TopicArn=active, Message="a")
    assert trace_of(fanout.sqs, url) == unsampled
    traced(aws, "sns", passed).publish(TopicArn=passive, Message="a")
    assert trace_of(fanout.sqs, url) == passed
    traced(aws, "sns", told).publish(TopicArn=active, Message="a")
    # They would have come before this one.
    documents(aws, 2, told)
    identities = [each.split(";")[0].removeprefix("Root=") for each in (unsampled, passed)]
    assert aws.client("xray").batch_get_traces(TraceIds=identities)["Traces"] == []
