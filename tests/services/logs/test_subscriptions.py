"""Subscription filters: what matches is delivered, and tried again while the receiver is down."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core import AwsError
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.service import Result
from cloudlet.services.logs import outbox
from cloudlet.testing.server import Aws
from tests.services.logs.conftest import ACCOUNT, REGION, Call, LocalLogs

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
KINESIS = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/k"
FIREHOSE = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/d"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
STREAM = {"logGroupName": "g", "logStreamName": "s"}


def accept(call: Call) -> Result:
    return {}


@pytest.fixture
def played(local: LocalLogs) -> LocalLogs:
    """A log stream, and services that take everything."""
    local.cloud.played = dict.fromkeys(("lambda", "kinesis", "firehose"), accept)
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", **STREAM)
    return local


def subscribe(logs: LocalLogs, destination: str = FUNCTION, pattern: str = "", name: str = "f", **more: Any) -> None:
    logs.call(
        "PutSubscriptionFilter",
        **{"logGroupName": "g", "filterName": name, "filterPattern": pattern, "destinationArn": destination, **more},
    )
    logs.cloud.calls.clear()


def put(logs: LocalLogs, *messages: str, stream: str = "s") -> None:
    logs.call(
        "PutLogEvents",
        logGroupName="g",
        logStreamName=stream,
        logEvents=[{"timestamp": logs.millis, "message": message} for message in messages],
    )


def opened(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(data))
    return found


def envelope(call: Call) -> dict[str, Any]:
    """Return what a call delivers."""
    if call.service == "lambda":
        return opened(b64decode(json.loads(call.params["Payload"])["awslogs"]["data"]))
    return opened(call.params["Data"] if call.service == "kinesis" else call.params["Record"]["Data"])


def messages(logs: LocalLogs) -> list[str]:
    """Return what has been delivered so far."""
    return [event["message"] for call in logs.cloud.calls for event in envelope(call)["logEvents"]]


def refused(call: Callable[..., Any], *args: Any, **params: Any) -> str:
    with pytest.raises(AwsError) as caught:
        call(*args, **params)
    return caught.value.code


def test_what_matches_is_delivered_to_a_function(played: LocalLogs) -> None:
    put(played, "ERROR before the filter")
    subscribe(played, pattern="ERROR")
    put(played, "ERROR 1", "fine", "ERROR 2")
    played.until(lambda: len(messages(played)) == 2)
    (call,) = played.cloud.calls
    assert (call.operation, call.params["FunctionName"], call.params["InvocationType"]) == ("Invoke", FUNCTION, "Event")
    assert call.source_arn == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g:*"
    found = envelope(call)
    events = found.pop("logEvents")
    assert found == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "g",
        "logStream": "s",
        "subscriptionFilters": ["f"],
    }
    shown = played.call("FilterLogEvents", logGroupName="g", filterPattern="ERROR -before")["events"]
    assert events == [{"id": one["eventId"], "timestamp": one["timestamp"], "message": one["message"]} for one in shown]


def test_a_function_is_tried_out_first(played: LocalLogs) -> None:
    played.call("PutSubscriptionFilter", logGroupName="g", filterName="f", filterPattern="", destinationArn=FUNCTION)
    assert [call.params["InvocationType"] for call in played.cloud.calls] == ["DryRun"]

    def deny(call: Call) -> Result:
        raise AwsError("AccessDeniedException", "no")

    played.cloud.played["lambda"] = deny
    assert refused(subscribe, played, name="other") == "InvalidParameterException"
    assert len(played.call("DescribeSubscriptionFilters", logGroupName="g")["subscriptionFilters"]) == 1


def test_data_streams_get_a_control_message_and_partitions(played: LocalLogs) -> None:
    params = {"logGroupName": "g", "filterName": "k", "filterPattern": "", "destinationArn": KINESIS, "roleArn": ROLE}
    played.call("PutSubscriptionFilter", **params)
    (call,) = played.cloud.calls
    control = envelope(call)
    assert (control["messageType"], control["owner"]) == ("CONTROL_MESSAGE", "CloudwatchLogs")
    played.call("CreateLogStream", logGroupName="g", logStreamName="t")
    subscribe(played, FIREHOSE, name="d", roleArn=ROLE)
    put(played, "a")
    put(played, "b", stream="t")
    put(played, "c")
    played.until(lambda: len(messages(played)) == 6)
    by_kinesis = [call for call in played.cloud.calls if call.service == "kinesis"]
    assert {call.params["PartitionKey"] for call in by_kinesis} == {"s", "t"}
    assert {call.params["StreamARN"] for call in by_kinesis} == {KINESIS}
    by_firehose = [call for call in played.cloud.calls if call.service == "firehose"]
    assert {call.params["DeliveryStreamName"] for call in by_firehose} == {"d"}
    played.cloud.calls.clear()
    subscribe(played, KINESIS, name="k", roleArn=ROLE, distribution="Random")
    put(played, "d")
    played.until(lambda: len(messages(played)) == 2)
    assert all(call.params.get("PartitionKey") != "s" for call in played.cloud.calls)


def test_fields_between_spaces_are_extracted(played: LocalLogs) -> None:
    subscribe(played, pattern="[level = ERROR, bytes]")
    put(played, "ERROR 12", "INFO 3")
    played.until(lambda: bool(played.cloud.calls))
    (event,) = envelope(played.cloud.calls[0])["logEvents"]
    assert event["extractedFields"] == {"level": "ERROR", "bytes": "12"}


def test_large_batches_are_split(played: LocalLogs) -> None:
    subscribe(played)
    put(played, *(f"{number:05}" + _noise(number) for number in range(200)))
    played.until(lambda: len(messages(played)) == 200)
    assert messages(played) == sorted(messages(played))
    assert len(played.cloud.calls) > 1
    assert max(len(call.params["Payload"]) for call in played.cloud.calls) <= 262_144


def _noise(seed: int) -> str:
    """Return text that cannot be compressed by much."""
    import random

    return random.Random(seed).randbytes(2000).hex()


def test_a_receiver_that_is_down_is_tried_again_and_nothing_is_lost(played: LocalLogs) -> None:
    subscribe(played)
    subscribe(played, KINESIS, name="k", roleArn=ROLE)

    def fail(call: Call) -> Result:
        raise AwsError("ServiceUnavailable", "down", status=503)

    played.cloud.played["lambda"] = fail
    put(played, "a")
    put(played, "b")
    played.until(lambda: {call.service for call in played.cloud.calls} == {"lambda", "kinesis"})
    played.cloud.played["lambda"] = accept
    played.cloud.calls.clear()
    for _ in range(3):
        played.advance(600)
    played.until(lambda: messages(played) in (["a", "b"], ["b", "a"]))


def test_what_waits_is_delivered_after_a_restart(tmp_path: Path) -> None:
    def fail(call: Call) -> Result:
        raise AwsError("ServiceUnavailable", "down", status=503)

    logs = LocalLogs(tmp_path)
    logs.cloud.played["lambda"] = accept
    logs.call("CreateLogGroup", logGroupName="g")
    logs.call("CreateLogStream", **STREAM)
    subscribe(logs)
    logs.cloud.played["lambda"] = fail
    put(logs, "a", "b")
    logs.until(lambda: bool(logs.cloud.calls))
    logs.close()
    logs = LocalLogs(tmp_path)
    logs.cloud.played["lambda"] = accept
    logs.call("DescribeLogGroups")
    logs.until(lambda: messages(logs) == ["a", "b"])
    logs.close()


def test_what_was_not_taken_for_a_day_is_given_up(played: LocalLogs) -> None:
    def fail(call: Call) -> Result:
        raise AwsError("TooManyRequestsException", "later")

    subscribe(played)
    played.cloud.played["lambda"] = fail
    put(played, "old")
    played.until(lambda: bool(played.cloud.calls))
    waiting = played.rows()
    played.advance(25 * 3600)
    while played.rows() == waiting:
        played.advance(1)
    played.cloud.played["lambda"] = accept
    played.cloud.calls.clear()
    put(played, "new")
    played.advance(600)
    played.until(lambda: "new" in messages(played))
    assert messages(played) == ["new"]


def test_what_a_receiver_refuses_for_good_is_not_tried_again(played: LocalLogs) -> None:
    def refuse(call: Call) -> Result:
        raise AwsError("ResourceNotFoundException", "gone")

    subscribe(played)
    played.cloud.played["lambda"] = refuse
    put(played, "a")
    played.until(lambda: bool(played.cloud.calls))
    played.advance(0)
    played.cloud.played["lambda"] = accept
    played.cloud.calls.clear()
    put(played, "b")
    played.until(lambda: bool(played.cloud.calls))
    assert messages(played) == ["b"]


def test_filters_are_described_updated_and_deleted(played: LocalLogs) -> None:
    created = played.millis
    subscribe(played, name="a", pattern="ERROR")
    subscribe(played, KINESIS, name="b", roleArn=ROLE, distribution="Random")
    assert refused(subscribe, played, name="c") == "LimitExceededException"
    played.advance(5)
    subscribe(played, name="a", pattern="WARN")
    pages = [
        played.call("DescribeSubscriptionFilters", logGroupName="g", limit=1),
    ]
    pages.append(played.call("DescribeSubscriptionFilters", logGroupName="g", nextToken=pages[0]["nextToken"]))
    (first,), (other,) = (page["subscriptionFilters"] for page in pages)
    assert first == {
        "filterName": "a",
        "logGroupName": "g",
        "filterPattern": "WARN",
        "destinationArn": FUNCTION,
        "roleArn": None,
        "distribution": "ByLogStream",
        "applyOnTransformedLogs": False,
        "creationTime": created,
    }
    assert (other["roleArn"], other["distribution"]) == (ROLE, "Random")
    assert pages[1].get("nextToken") is None
    played.call("DeleteSubscriptionFilter", logGroupName="g", filterName="a")
    code = "ResourceNotFoundException"
    assert refused(played.call, "DeleteSubscriptionFilter", logGroupName="g", filterName="a") == code
    put(played, "x")
    played.until(lambda: messages(played) == ["x"])
    assert played.cloud.calls[0].service == "kinesis"
    played.call("DeleteLogGroup", logGroupName="g")
    played.advance(0)
    assert played.rows() <= 3


def test_a_filter_that_makes_no_sense_is_refused(played: LocalLogs) -> None:
    code = "InvalidParameterException"
    assert refused(subscribe, played, pattern="{ $.a") == code
    assert refused(subscribe, played, "nothing") == code
    assert refused(subscribe, played, f"arn:aws:sqs:{REGION}:{ACCOUNT}:q") == code
    assert refused(subscribe, played, FUNCTION, roleArn=ROLE) == code
    assert refused(subscribe, played, FUNCTION, distribution="Random") == code
    assert refused(subscribe, played, KINESIS) == code
    assert refused(subscribe, played, KINESIS.replace(ACCOUNT, "222222222222"), roleArn=ROLE) == code
    assert refused(subscribe, played, logGroupName="x") == "ResourceNotFoundException"
    assert refused(subscribe, played, fieldSelectionCriteria='@aws.region = "a"') == "NotImplemented"
    played.call("CreateLogGroup", logGroupName="/aws/lambda/f")
    assert refused(subscribe, played, logGroupName="/aws/lambda/f") == code


def test_destinations_pass_on_to_their_targets(played: LocalLogs) -> None:
    made = played.call("PutDestination", destinationName="d", targetArn=KINESIS, roleArn=ROLE)["destination"]
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:destination:d"
    assert (made["arn"], made["targetArn"], made["roleArn"]) == (arn, KINESIS, ROLE)
    policy = json.dumps(
        {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "logs:PutSubscriptionFilter", "Resource": arn}}
    )
    played.call("PutDestinationPolicy", destinationName="d", accessPolicy=policy)
    (shown,) = played.call("DescribeDestinations", DestinationNamePrefix="d")["destinations"]
    assert shown["accessPolicy"] == policy
    subscribe(played, arn)
    put(played, "a")
    played.until(lambda: messages(played) == ["a"])
    assert played.cloud.calls[0].params["StreamARN"] == KINESIS
    played.call("DeleteDestination", destinationName="d")
    assert played.call("DescribeDestinations")["destinations"] == []
    assert refused(played.call, "DeleteDestination", destinationName="d") == "ResourceNotFoundException"
    assert refused(subscribe, played, arn, name="other") == "ResourceNotFoundException"
    code = "InvalidParameterException"
    assert refused(played.call, "PutDestinationPolicy", destinationName="d", accessPolicy=policy) == code
    assert refused(played.call, "PutDestination", destinationName="d", targetArn=FUNCTION, roleArn=ROLE) == code


def test_destinations_have_tags(played: LocalLogs) -> None:
    params = {"destinationName": "d", "targetArn": KINESIS, "roleArn": ROLE}
    arn = played.call("PutDestination", **params, tags={"a": "1"})["destination"]["arn"]
    played.call("TagResource", resourceArn=arn, tags={"b": "2"})
    played.call("PutDestination", **params)
    assert played.call("ListTagsForResource", resourceArn=arn)["tags"] == {"a": "1", "b": "2"}
    played.call("UntagResource", resourceArn=arn, tagKeys=["a"])
    assert played.call("ListTagsForResource", resourceArn=arn)["tags"] == {"b": "2"}
    other = arn.replace("destination:d", "destination:e")
    assert refused(played.call, "ListTagsForResource", resourceArn=other) == "ResourceNotFoundException"
    other = arn.replace(ACCOUNT, "222222222222")
    assert refused(played.call, "ListTagsForResource", resourceArn=other) == "ResourceNotFoundException"


def test_another_account_needs_the_policy_of_a_destination(tmp_path: Path) -> None:
    config = Config(data=tmp_path, services=frozenset({"logs"}), durable=False, auth="strict")
    logs = LocalLogs(tmp_path, config)
    logs.cloud.played["kinesis"] = accept
    arn = logs.call("PutDestination", destinationName="d", targetArn=KINESIS, roleArn=ROLE)["destination"]["arn"]
    other = "222222222222"

    def subscribe_from(account: str) -> str:
        given = {"logGroupName": "g", "filterName": "f", "filterPattern": "", "destinationArn": arn}
        try:
            logs.call_as(root(account), "PutSubscriptionFilter", given, account=account)
        except AwsError as error:
            return error.code
        return ""

    for account in (other, "333333333333"):
        logs.call_as(root(account), "CreateLogGroup", {"logGroupName": "g"}, account=account)
        assert subscribe_from(account) == "AccessDeniedException"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": other},
        "Action": "logs:PutSubscriptionFilter",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.call("PutDestinationPolicy", destinationName="d", accessPolicy=policy)
    assert subscribe_from(other) == ""
    assert subscribe_from("333333333333") == "AccessDeniedException"
    stream = {"logGroupName": "g", "logStreamName": "s"}
    logs.call_as(root(other), "CreateLogStream", stream, account=other)
    event = {"timestamp": logs.millis, "message": "m"}
    logs.call_as(root(other), "PutLogEvents", {**stream, "logEvents": [event]}, account=other)
    logs.until(lambda: messages(logs)[-1:] == ["m"])
    assert envelope(logs.cloud.calls[-1])["owner"] == other
    assert logs.cloud.calls[-1].account == ACCOUNT
    # Who is not named any more is stopped from sending.
    statement["Principal"] = {"AWS": "333333333333"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.call("PutDestinationPolicy", destinationName="d", accessPolicy=policy)
    logs.call_as(root(other), "PutLogEvents", {**stream, "logEvents": [event]}, account=other)
    count = len(logs.cloud.calls)
    logs.until(lambda: not logs.transact(lambda tx: outbox.subscriptions(tx, None, 1)))
    assert len(logs.cloud.calls) == count
    logs.close()


def test_a_service_that_is_not_there_is_named(logs: Any, aws: Aws) -> None:
    logs.create_log_group(logGroupName="g")
    with pytest.raises(ClientError, match="kinesis") as caught:
        logs.put_subscription_filter(
            logGroupName="g",
            filterName="f",
            filterPattern="",
            destinationArn=f"arn:aws:kinesis:{aws.region}:{aws.account}:stream/k",
            roleArn=f"arn:aws:iam::{aws.account}:role/r",
        )
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert logs.describe_subscription_filters(logGroupName="g")["subscriptionFilters"] == []
