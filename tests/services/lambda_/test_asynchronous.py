"""Events that functions get without anybody waiting for their answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.own_metrics import total
from tests.services.lambda_.cloud import FunctionCloud, make_role
from tests.services.lambda_.programs import invoke, module, python
from tests.standing import Standing, eventually

SENDING = """
import boto3
boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps([context.aws_request_id, event]))
if event.get("hold"):
    time.sleep(100)
if event.get("boom"):
    raise ValueError("boom")
return {"done": event}
"""


@pytest.fixture
def still(standing: Standing) -> FunctionCloud:
    """An account where the clock stands."""
    return FunctionCloud(standing.account())


def queue(cloud: FunctionCloud, name: str = "q") -> str:
    return str(cloud.aws.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def arn_of(cloud: FunctionCloud, name: str = "q") -> str:
    return f"arn:aws:sqs:{cloud.aws.region}:{cloud.account}:{name}"


def received(cloud: FunctionCloud, url: str, count: int = 1) -> list[Any]:
    """Wait for so many messages in a queue and return them, deleted."""
    sqs = cloud.aws.client("sqs")
    found: list[Any] = []
    while len(found) < count:
        got = sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        assert got.get("Messages"), f"{len(found)} of {count} messages came"
        for message in got["Messages"]:
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def send(cloud: FunctionCloud, event: Any, name: str = "f", **more: Any) -> str:
    """Invoke a function asynchronously; return the id of the request."""
    answer = cloud.client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **more)
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    return str(answer["ResponseMetadata"]["RequestId"])


def sending(cloud: FunctionCloud, url: str, **more: Any) -> None:
    python(cloud, SENDING, Timeout=30, Environment={"Variables": {"QUEUE": url}}, **more)


def test_an_event_is_accepted_and_the_function_gets_it(cloud: FunctionCloud) -> None:
    url = queue(cloud)
    sending(cloud, url)
    request = send(cloud, {"a": 1})
    (message,) = received(cloud, url)
    assert json.loads(message["Body"]) == [request, {"a": 1}]


def test_the_older_operation_does_the_same(cloud: FunctionCloud) -> None:
    url = queue(cloud)
    sending(cloud, url)
    assert cloud.client.invoke_async(FunctionName="f", InvokeArgs=b'{"b": 2}')["Status"] == 202
    assert json.loads(received(cloud, url)[0]["Body"])[1] == {"b": 2}


def test_what_cannot_be_accepted_is_refused(cloud: FunctionCloud) -> None:
    python(cloud, "return event")
    given = {"FunctionName": "f", "InvocationType": "Event"}
    assert cloud.refused("invoke", **given, Payload=b"[")[0] == "InvalidRequestContentException"
    code, message, status = cloud.refused("invoke", **given, Payload=json.dumps("x" * 1_048_576).encode())
    assert (code, status) == ("RequestTooLargeException", 413)
    assert "1048576 bytes" in message
    assert cloud.refused("invoke", FunctionName="none", InvocationType="Event")[2] == 404


def test_a_failure_is_tried_again_after_a_minute_and_after_two(standing: Standing, still: FunctionCloud) -> None:
    url, letters = queue(still), queue(still, "letters")
    sending(still, url, DeadLetterConfig={"TargetArn": arn_of(still, "letters")})
    request = send(still, {"boom": True})

    def failed(times: int) -> None:
        # What it sends comes before it fails, from when on the time until it is tried again counts.
        assert json.loads(received(still, url)[0]["Body"])[0] == request
        eventually(still.answers, lambda answers: answers == times)

    failed(1)
    standing.advance("59s")
    empty = still.aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert not empty.get("Messages")
    standing.advance("2s")
    failed(2)
    standing.advance("2m")
    assert json.loads(received(still, url)[0]["Body"])[0] == request
    (letter,) = received(still, letters)
    assert json.loads(letter["Body"]) == {"boom": True}
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes == {"RequestID": request, "ErrorCode": "200", "ErrorMessage": "boom"}
    assert letter["MessageAttributes"]["ErrorCode"]["DataType"] == "Number"


def test_destinations_are_told_what_became_of_an_event(cloud: FunctionCloud) -> None:
    url, good, bad = queue(cloud), queue(cloud, "good"), queue(cloud, "bad")
    sending(cloud, url)
    cloud.client.put_function_event_invoke_config(
        FunctionName="f",
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnSuccess": {"Destination": arn_of(cloud, "good")},
            "OnFailure": {"Destination": arn_of(cloud, "bad")},
        },
    )
    request = send(cloud, {"a": 1})
    told = json.loads(received(cloud, good)[0]["Body"])
    assert told["requestContext"] == {
        "requestId": request,
        "functionArn": f"{cloud.arn()}:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert told["requestPayload"] == {"a": 1}
    assert told["responsePayload"] == {"done": {"a": 1}}
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    failing = {"boom": True, "much": "x" * 10_000}
    send(cloud, failing)
    told = json.loads(received(cloud, bad)[0]["Body"])
    assert told["requestPayload"] == failing
    assert told["requestContext"]["condition"] == "RetriesExhausted"
    assert told["responseContext"]["functionError"] == "Unhandled"
    assert told["responsePayload"]["errorMessage"] == "boom"


@pytest.mark.parametrize("kind", ["sns", "lambda", "events", "s3"])
def test_destinations_of_each_kind(cloud: FunctionCloud, kind: str) -> None:
    aws, url = cloud.aws, queue(cloud)
    python(cloud, "raise ValueError('boom')")
    if kind == "sns":
        destination = aws.client("sns").create_topic(Name="t")["TopicArn"]
        aws.client("sns").subscribe(TopicArn=destination, Protocol="sqs", Endpoint=arn_of(cloud))
    elif kind == "lambda":
        python(cloud, SENDING, "g", Timeout=30, Environment={"Variables": {"QUEUE": url}})
        destination = cloud.arn("g")
    elif kind == "events":
        aws.client("events").put_rule(Name="r", EventPattern='{"source": ["lambda"]}')
        aws.client("events").put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn_of(cloud)}])
        destination = f"arn:aws:events:{aws.region}:{cloud.account}:event-bus/default"
    else:
        aws.client("s3").create_bucket(Bucket=f"records-{cloud.account}")
        destination = f"arn:aws:s3:::records-{cloud.account}"
    cloud.client.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": destination}}
    )
    request = send(cloud, {"a": 1})
    if kind == "s3":
        s3 = aws.client("s3")

        def keys() -> list[str]:
            listed = s3.list_objects_v2(Bucket=f"records-{cloud.account}").get("Contents", [])
            return [each["Key"] for each in listed]

        (key,) = eventually(keys)
        assert key.startswith("aws/lambda/async/f/")
        text = s3.get_object(Bucket=f"records-{cloud.account}", Key=key)["Body"].read().decode()
    else:
        text = received(cloud, url)[0]["Body"]
    told = json.loads(text)
    if kind == "sns":
        told = json.loads(told["Message"])
    elif kind == "lambda":
        told = told[1]
    elif kind == "events":
        assert told["detail-type"] == "Lambda Function Invocation Result - Failure"
        assert told["resources"] == [f"{cloud.arn()}:$LATEST", destination]
        told = told["detail"]
    assert told["requestContext"]["requestId"] == request


def advance_until_sent(standing: Standing, cloud: FunctionCloud, url: str, step: str) -> None:
    """Move the clock on, step by step, until there is a message in a queue."""
    sqs, name = cloud.aws.client("sqs"), "ApproximateNumberOfMessages"

    def count() -> int:
        standing.advance(step)
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    eventually(count)


def busy(cloud: FunctionCloud, **more: Any) -> str:
    """Create a function that may serve one invocation at once, and does so; return the URL of the queue it sends to."""
    url = queue(cloud)
    python(cloud, SENDING, Timeout=120, Environment={"Variables": {"QUEUE": url}}, **more)
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    send(cloud, {"hold": True})
    received(cloud, url)
    return url


def test_an_event_waits_while_its_function_is_throttled(standing: Standing, still: FunctionCloud) -> None:
    url = busy(still)
    request = send(still, {"late": True})
    standing.advance("30s")
    still.client.delete_function_concurrency(FunctionName="f")
    advance_until_sent(standing, still, url, "5m")
    assert json.loads(received(still, url)[0]["Body"])[0] == request


def test_events_that_wait_for_a_function_go_on_as_soon_as_it_has_room(cloud: FunctionCloud) -> None:
    python(cloud, "time.sleep(0.1)")
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    for number in range(15):
        send(cloud, number)
    # One after the other they take some seconds. By pauses that grow it would take minutes.
    eventually(cloud.answers, lambda count: count == 15)


def test_an_event_for_what_has_no_room_at_all_waits_without_being_tried_over_and_over(cloud: FunctionCloud) -> None:
    python(cloud, "return 1")
    cloud.client.publish_version(FunctionName="f")
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    kept = {"FunctionName": "f", "Qualifier": "1"}
    cloud.client.put_provisioned_concurrency_config(**kept, ProvisionedConcurrentExecutions=1)
    send(cloud, {})
    # What is tried over and over would keep others waiting.
    python(cloud, "return 1", "g")
    assert invoke(cloud, name="g").value == 1
    assert cloud.answers() == 0
    cloud.client.delete_provisioned_concurrency_config(**kept)
    eventually(cloud.answers, lambda count: count == 1)


def sent_for_a_minute(cloud: FunctionCloud) -> str:
    """Send an event to a busy function, which is given up after a minute; return the queue that is told then."""
    letters = queue(cloud, "letters")
    busy(cloud)
    cloud.client.put_function_event_invoke_config(
        FunctionName="f",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": arn_of(cloud, "letters")}},
    )
    send(cloud, {})
    return letters


def test_an_event_that_has_waited_too_long_is_given_up(standing: Standing, still: FunctionCloud) -> None:
    letters = sent_for_a_minute(still)
    advance_until_sent(standing, still, letters, "1m")
    told = json.loads(received(still, letters)[0]["Body"])
    assert told["requestContext"]["condition"] == "EventAgeExceeded"
    assert "responsePayload" not in told

    def dropped() -> float | None:
        # It is counted once the letter is there, and told at the end of a minute.
        standing.advance("1m")
        return total(still.aws, "AWS/Lambda", "AsyncEventsDropped", FunctionName="f")

    assert eventually(dropped) == 1


def test_an_event_waits_no_longer_than_it_may(standing: Standing, still: FunctionCloud) -> None:
    letters = sent_for_a_minute(still)
    # What is throttled after 59 seconds would be tried again after 61.
    standing.advance("59s")
    standing.advance("1s")
    told = json.loads(received(still, letters)[0]["Body"])
    assert told["requestContext"]["condition"] == "EventAgeExceeded"


def test_a_function_that_may_not_run_has_its_events_given_up_at_once(cloud: FunctionCloud) -> None:
    letters, dead = queue(cloud, "letters"), queue(cloud, "dead")
    python(cloud, "return 1", DeadLetterConfig={"TargetArn": arn_of(cloud, "dead")})
    cloud.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnFailure": {"Destination": arn_of(cloud, "letters")}}
    )
    cloud.client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    send(cloud, {"a": 1})
    told = json.loads(received(cloud, letters)[0]["Body"])
    assert told["requestPayload"] == {"a": 1}
    assert told["requestContext"]["approximateInvokeCount"] == 0
    assert "responsePayload" not in told
    assert json.loads(received(cloud, dead)[0]["Body"]) == {"a": 1}


def test_versions_have_the_dead_letter_queue_of_the_unpublished_one(cloud: FunctionCloud) -> None:
    dead = queue(cloud, "dead")
    python(cloud, "raise ValueError('boom')", Publish=True)
    cloud.client.update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": arn_of(cloud, "dead")})
    cloud.wait()
    cloud.client.put_function_event_invoke_config(FunctionName="f", Qualifier="1", MaximumRetryAttempts=0)
    send(cloud, {"a": 1}, Qualifier="1")
    assert json.loads(received(cloud, dead)[0]["Body"]) == {"a": 1}


def test_functions_that_are_each_others_destination_are_stopped(cloud: FunctionCloud) -> None:
    url = queue(cloud)
    for name, other in (("f", "g"), ("g", "f")):
        tells = 'import boto3\nboto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="x")'
        python(cloud, tells, name, Timeout=30, Environment={"Variables": {"QUEUE": url}})
        cloud.client.put_function_event_invoke_config(
            FunctionName=name,
            DestinationConfig={
                "OnSuccess": {"Destination": cloud.arn(other)},
                "OnFailure": {"Destination": cloud.arn(other)},
            },
        )
    send(cloud, {})
    assert len(received(cloud, url, 32)) == 32
    assert not cloud.aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages")


@pytest.mark.parametrize("is_permitted", [True, False])
def test_destinations_are_told_as_the_functions_role(tmp_path: Path, is_permitted: bool) -> None:
    """In a cloud that enforces permissions: a queue of its account needs no policy, that of another one does."""
    account, other = "111111111111", "222222222222"
    keys = [f"--root-key={each}:{each}:test" for each in (account, other)]
    with Server.start("--data", str(tmp_path), "--auth", "strict", *keys) as server:
        cloud, others = FunctionCloud(Aws(server.endpoint, account)), FunctionCloud(Aws(server.endpoint, other))
        make_role(cloud.aws.client("iam"))
        failed, dead = queue(cloud, "failed"), queue(others, "dead")
        statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sqs:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}) if is_permitted else ""
        others.aws.client("sqs").set_queue_attributes(QueueUrl=dead, Attributes={"Policy": policy})
        python(cloud, "raise ValueError('boom')", DeadLetterConfig={"TargetArn": arn_of(others, "dead")})
        cloud.client.put_function_event_invoke_config(
            FunctionName="f",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": arn_of(cloud, "failed")}},
        )
        send(cloud, {"a": 1})
        assert json.loads(received(cloud, failed)[0]["Body"])["requestPayload"] == {"a": 1}
        if is_permitted:
            assert json.loads(received(others, dead)[0]["Body"]) == {"a": 1}
        else:
            assert not others.aws.client("sqs").receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages")


def test_a_function_that_causes_itself_is_stopped(cloud: FunctionCloud) -> None:
    url, letters = queue(cloud), queue(cloud, "letters")
    module(
        cloud,
        """
import boto3, json, os
sqs, functions = boto3.client("sqs"), boto3.client("lambda")
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=str(event["depth"]))
    event["depth"] += 1
    me = context.invoked_function_arn
    functions.invoke(FunctionName=me, InvocationType="Event", Payload=json.dumps(event))
""",
        Timeout=30,
        Environment={"Variables": {"QUEUE": url}},
    )
    cloud.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnFailure": {"Destination": arn_of(cloud, "letters")}}
    )
    send(cloud, {"depth": 1})
    (letter,) = received(cloud, letters)
    assert json.loads(letter["Body"])["requestPayload"] == {"depth": 17}
    assert {int(message["Body"]) for message in received(cloud, url, 16)} == set(range(1, 17))


def test_no_accepted_event_is_lost_by_a_crash(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        url = queue(cloud)
        sending(cloud, url)
        accepted = {send(cloud, {"n": number}) for number in range(20)}
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        # The function sends to the address of the server that runs it.
        seen: set[str] = set()
        sqs = cloud.aws.client("sqs")

        def lost() -> int:
            """Look at what has come, and return how many events have not."""
            got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
            for message in got.get("Messages", ()):
                seen.add(json.loads(message["Body"])[0])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(accepted - seen)

        eventually(lost, lambda lost: not lost)
