"""Events take the trace header of their request along (X-Ray developer guide, "Amazon S3 and AWS X-Ray")."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import python
from tests.services.s3.own_work import bucket, make_role, queue, tell_queue, told
from tests.traced import TRACE, trace_of, traced

OTHER = "Root=1-5e3d83c1-aaaaaaaaaaaaaaaaaaaaaaaa;Sampled=0"


def test_a_queue_gets_the_trace_header_of_the_request_behind_an_event(aws: Aws) -> None:
    s3, sqs = aws.client("s3"), aws.client("sqs")
    name = bucket(s3)
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, name, url, arn, "s3:ObjectCreated:*")
    traced(aws, "s3").put_object(Bucket=name, Key="k")
    assert trace_of(sqs, url) == TRACE
    s3.put_object(Bucket=name, Key="k")
    assert trace_of(sqs, url) is None


def test_a_topic_hands_on_the_trace_header_of_each_event(aws: Aws) -> None:
    s3, sns, sqs = aws.client("s3"), aws.client("sns"), aws.client("sqs")
    name = bucket(s3)
    url, arn = queue(aws, "q")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    configuration = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
    told(sqs, url)
    for header in (TRACE, OTHER):
        traced(aws, "s3", header).put_object(Bucket=name, Key="k")
        assert trace_of(sqs, url) == header


def test_a_function_runs_within_the_trace_of_an_event(aws: Aws) -> None:
    s3, sqs = aws.client("s3"), aws.client("sqs")
    name = bucket(s3)
    url, arn = queue(aws, "answers")
    cloud = FunctionCloud(aws)
    python(cloud, "return [os.environ['_X_AMZN_TRACE_ID'], event['Records'][0]['s3']['object']['key']]")
    cloud.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    sends = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    make_role(s3, "lambda.amazonaws.com", sends, name="shop")
    admitted = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    cloud.client.add_permission(FunctionName="f", StatementId="s3", **admitted)
    configuration = {
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": cloud.arn(), "Events": ["s3:ObjectCreated:*"]}]
    }
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=configuration)
    traced(aws, "s3").put_object(Bucket=name, Key="k")
    trace, key = told(sqs, url)["responsePayload"]
    assert trace.startswith(TRACE.partition(";")[0])
    assert "Sampled=1" in trace
    assert key == "k"
