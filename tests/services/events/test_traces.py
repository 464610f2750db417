"""The trace header of PutEvents goes with the entries that have none (API reference, "PutEventsRequestEntry")."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.services.events.cloud import EventCloud
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import python
from tests.traced import TRACE, trace_of, traced

OTHER = "Root=1-5e3d83c1-aaaaaaaaaaaaaaaaaaaaaaaa;Sampled=0"


def test_a_queue_gets_the_header_of_the_entry_or_else_of_the_request(aws: Aws) -> None:
    cloud = EventCloud(aws)
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn})
    cloud.events = traced(aws, "events")
    cloud.put()
    assert trace_of(cloud.sqs, url) == TRACE
    cloud.put(TraceHeader=OTHER)
    assert trace_of(cloud.sqs, url) == OTHER


def test_a_bus_hands_the_header_on(aws: Aws) -> None:
    cloud = EventCloud(aws)
    url, arn = cloud.queue()
    bus = cloud.events.create_event_bus(Name="b")["EventBusArn"]
    cloud.rule({"Id": "1", "Arn": bus})
    cloud.rule({"Id": "1", "Arn": arn}, EventBusName="b")
    cloud.events = traced(aws, "events")
    cloud.put()
    assert trace_of(cloud.sqs, url) == TRACE


def test_a_function_and_the_subscribers_of_a_topic_get_the_header(aws: Aws) -> None:
    cloud, functions = EventCloud(aws), FunctionCloud(aws)
    url, arn = cloud.queue("answers")
    python(functions, "return os.environ['_X_AMZN_TRACE_ID']")
    functions.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    functions.client.add_permission(
        FunctionName="f", StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    topic = cloud.sns.create_topic(Name="t")["TopicArn"]
    told, told_arn = cloud.queue("told")
    cloud.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=told_arn)
    cloud.rule({"Id": "1", "Arn": functions.arn()}, {"Id": "2", "Arn": topic})
    cloud.events = traced(aws, "events")
    cloud.put()
    assert trace_of(cloud.sqs, told) == TRACE
    (answer,) = cloud.bodies(url)
    assert answer["responsePayload"].startswith(TRACE.partition(";")[0])
