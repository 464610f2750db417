"""Publish and PublishBatch: what may be published, and what its queues get of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.sns.fanout import Fanout

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def sns(fanout: Fanout) -> Any:
    return fanout.sns


@pytest.fixture
def topic(fanout: Fanout) -> str:
    return fanout.topic()


def test_a_queue_gets_a_message_in_an_envelope(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "all")
    published = sns.publish(TopicArn=topic, Message="hello ☃", Subject="news")
    assert _UUID.fullmatch(published["MessageId"])
    [envelope] = fanout.envelopes(queue, 1)
    assert envelope["Type"] == "Notification"
    assert envelope["MessageId"] == published["MessageId"]
    assert envelope["TopicArn"] == topic
    assert envelope["Subject"] == "news"
    assert envelope["Message"] == "hello ☃"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", envelope["Timestamp"])
    assert "Action=Unsubscribe" in envelope["UnsubscribeURL"]
    assert "MessageAttributes" not in envelope


def test_an_envelope_has_the_message_attributes(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "all")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "order"},
        "price": {"DataType": "Number", "StringValue": "12.50"},
        "tags": {"DataType": "String.Array", "StringValue": '["a", 1, null, true]'},
        "tag": {"DataType": "String.Array", "StringValue": "100"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sns.publish(TopicArn=topic, Message="m", MessageAttributes=attributes)
    [envelope] = fanout.envelopes(queue, 1)
    assert envelope["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "order"},
        "price": {"Type": "Number", "Value": "12.50"},
        "tags": {"Type": "String.Array", "Value": '["a", 1, null, true]'},
        "tag": {"Type": "String.Array", "Value": "100"},
        "raw": {"Type": "Binary", "Value": "AP8="},
    }


def test_raw_delivery_is_the_message_itself_with_its_attributes(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "raw", RawMessageDelivery="true")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "order"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sns.publish(TopicArn=topic, Message='{"id": 1}', Subject="unseen", MessageAttributes=attributes)
    [message] = fanout.messages(queue, 1)
    assert message["Body"] == '{"id": 1}'
    assert message["MessageAttributes"] == attributes


def test_each_protocol_has_its_text(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "all")
    sns.publish(TopicArn=topic, Message=json.dumps({"default": "d", "sqs": "q"}), MessageStructure="json")
    sns.publish(TopicArn=topic, Message=json.dumps({"default": "d", "email": "e"}), MessageStructure="json")
    assert fanout.texts(queue, 2) == ["q", "d"]


def test_a_topic_may_be_the_target(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "all")
    sns.publish(TargetArn=topic, Message="m")
    assert fanout.texts(queue, 1) == ["m"]


def test_a_message_group_goes_to_queues_of_a_standard_topic(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "fair")
    sns.publish(TopicArn=topic, Message="m", MessageGroupId="tenant-1")
    [message] = fanout.messages(queue, 1)
    assert message["Attributes"]["MessageGroupId"] == "tenant-1"


def test_a_message_without_subscribers_is_accepted(sns: Any, topic: str) -> None:
    assert _UUID.fullmatch(sns.publish(TopicArn=topic, Message="m")["MessageId"])


def test_what_was_published_before_is_not_delivered(fanout: Fanout, sns: Any, topic: str) -> None:
    sns.publish(TopicArn=topic, Message="before")
    queue = fanout.subscribed_queue(topic, "late")
    sns.publish(TopicArn=topic, Message="after")
    assert fanout.texts(queue, 1) == ["after"]
    assert fanout.is_empty(queue)


def test_a_batch_is_published_in_its_order(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "all")
    entries = [{"Id": f"e{number}", "Message": f"m{number}"} for number in range(10)]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == [f"e{number}" for number in range(10)]
    assert answer["Failed"] == []
    envelopes = fanout.envelopes(queue, 10)
    assert [envelope["Message"] for envelope in envelopes] == [f"m{number}" for number in range(10)]
    assert [envelope["MessageId"] for envelope in envelopes] == [entry["MessageId"] for entry in answer["Successful"]]


def test_what_a_failed_entry_says_can_be_read_whatever_it_was_sent(sns: Any, topic: str) -> None:
    attributes = {"\x00": {"DataType": "String", "StringValue": "v"}}
    entries = [{"Id": "a", "Message": "m", "MessageAttributes": attributes}]
    [failed] = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Failed"]
    assert failed["Message"].startswith("The message attribute name '\ufffd' is invalid.")


def test_the_entries_of_a_batch_fail_one_by_one(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "all")
    entries = [
        {"Id": "good", "Message": "m"},
        {"Id": "empty", "Message": ""},
        {"Id": "structure", "Message": "{}", "MessageStructure": "json"},
        {
            "Id": "attribute",
            "Message": "m",
            "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "one"}},
        },
    ]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("empty", "InvalidParameter", True),
        ("structure", "InvalidParameter", True),
        ("attribute", "ParameterValueInvalid", True),
    ]
    assert fanout.texts(queue, 1) == ["m"]
    assert fanout.is_empty(queue)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": f"e{number}", "Message": "m"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "same", "Message": "m"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a.b", "Message": "m"}], "InvalidBatchEntryId"),
        ([{"Id": "x" * 81, "Message": "m"}], "InvalidBatchEntryId"),
        ([{"Id": f"e{number}", "Message": "m" * 30_000} for number in range(10)], "BatchRequestTooLong"),
    ],
)
def test_a_batch_can_be_wrong_as_a_whole(sns: Any, topic: str, entries: list[dict[str, str]], code: str) -> None:
    assert refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries)[0] == code


def test_the_largest_message_has_256_kibibytes_with_its_attributes(fanout: Fanout, sns: Any, topic: str) -> None:
    queue = fanout.subscribed_queue(topic, "raw", RawMessageDelivery="true")
    attributes = {"name": {"DataType": "String", "StringValue": "value"}}
    size = 262_144 - len("nameStringvalue")
    sns.publish(TopicArn=topic, Message="m" * size, MessageAttributes=attributes)
    [body] = fanout.bodies(queue, 1)
    assert len(body) == size
    message = {"TopicArn": topic, "Message": "m" * (size + 1), "MessageAttributes": attributes}
    assert refused(sns.publish, **message) == ("InvalidParameter", "Invalid parameter: Message too long")


def test_a_topic_may_take_larger_messages(fanout: Fanout, sns: Any) -> None:
    topic = fanout.topic("large", MaximumMessageSize="1048576")
    queue = fanout.queue("large", MaximumMessageSize="1048576")
    fanout.subscribe(topic, queue, RawMessageDelivery="true")
    sns.publish(TopicArn=topic, Message="m" * 1_048_576)
    [body] = fanout.bodies(queue, 1)
    assert len(body) == 1_048_576
    assert refused(sns.publish, TopicArn=topic, Message="m" * 1_048_577)[0] == "InvalidParameter"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"Message": ""}, "Invalid parameter: Empty message"),
        ({"Message": "m", "Subject": ""}, "Invalid parameter: Subject"),
        ({"Message": "m", "Subject": "s" * 101}, "Invalid parameter: Subject"),
        ({"Message": "m", "Subject": "two\nlines"}, "Invalid parameter: Subject"),
        (
            {"Message": "m", "MessageStructure": "xml"},
            "Invalid parameter: MessageStructure Reason: Valid value: json",
        ),
        (
            {"Message": "no json", "MessageStructure": "json"},
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            {"Message": '{"default": "a", "default": "b"}', "MessageStructure": "json"},
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            {"Message": '{"sqs": "a"}', "MessageStructure": "json"},
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            {"Message": '{"default": "\\ud800"}', "MessageStructure": "json"},
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            {"Message": "[" * 100_000, "MessageStructure": "json"},
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            {"Message": "m", "MessageDeduplicationId": "d"},
            "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter "
            "that is not valid for this topic type",
        ),
    ],
)
def test_what_may_not_be_published(sns: Any, topic: str, params: dict[str, Any], message: str) -> None:
    assert refused(sns.publish, TopicArn=topic, **params) == ("InvalidParameter", message)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS.mine", {"DataType": "String", "StringValue": "v"}),
        ("amazon.mine", {"DataType": "String", "StringValue": "v"}),
        (".a", {"DataType": "String", "StringValue": "v"}),
        ("a..b", {"DataType": "String", "StringValue": "v"}),
        ("a b", {"DataType": "String", "StringValue": "v"}),
        ("a" * 257, {"DataType": "String", "StringValue": "v"}),
        ("a", {"DataType": "Boolean", "StringValue": "true"}),
        ("a", {"DataType": "String", "StringValue": ""}),
        ("a", {"DataType": "String", "BinaryValue": b"v"}),
        ("a", {"DataType": "Binary", "StringValue": "v"}),
        ("a", {"DataType": "Number", "StringValue": "1_000"}),
        ("a", {"DataType": "Number", "StringValue": "NaN"}),
        ("a", {"DataType": "String.Array", "StringValue": "[[]]"}),
        ("a", {"DataType": "String.Array", "StringValue": "a"}),
        ("a", {"DataType": "String.Array", "StringValue": "[" * 100_000}),
    ],
)
def test_attributes_that_may_not_be_published(sns: Any, topic: str, name: str, value: dict[str, Any]) -> None:
    assert (
        refused(sns.publish, TopicArn=topic, Message="m", MessageAttributes={name: value})[0] == "ParameterValueInvalid"
    )


def test_a_topic_must_exist(aws: Aws, sns: Any) -> None:
    arn = f"arn:aws:sns:us-east-1:{aws.account}:nowhere"
    assert refused(sns.publish, TopicArn=arn, Message="m") == ("NotFound", "Topic does not exist")
    entries = [{"Id": "a", "Message": "m"}]
    assert refused(sns.publish_batch, TopicArn=arn, PublishBatchRequestEntries=entries)[0] == "NotFound"


def test_a_topic_of_another_region_is_not_published_to(aws: Aws, sns: Any) -> None:
    elsewhere = aws.session.client("sns", region_name="eu-west-1")
    arn = elsewhere.create_topic(Name="orders")["TopicArn"]
    for of_topic in (arn, f"{arn}-that-is-not-there"):
        error = refused(sns.publish, TopicArn=of_topic, Message="m")
        assert error == ("InvalidParameter", "Invalid parameter: TopicArn")


def test_something_must_be_published_to(sns: Any, topic: str) -> None:
    assert refused(sns.publish, Message="m")[0] == "InvalidParameter"
    assert refused(sns.publish, TopicArn=topic, PhoneNumber="+4912345678", Message="m")[0] == "InvalidParameter"
    assert refused(sns.publish, PhoneNumber="12", Message="m")[0] == "InvalidParameter"


def test_a_text_message_goes_to_a_phone(sns: Any) -> None:
    attributes = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
    published = sns.publish(PhoneNumber="+4915112345678", Message="hi", MessageAttributes=attributes)
    assert _UUID.fullmatch(published["MessageId"])


def test_a_push_goes_to_an_endpoint_that_is_enabled(sns: Any) -> None:
    application = sns.create_platform_application(Name="app", Platform="GCM", Attributes={"PlatformCredential": "key"})[
        "PlatformApplicationArn"
    ]
    endpoint = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="t")["EndpointArn"]
    assert _UUID.fullmatch(sns.publish(TargetArn=endpoint, Message="hi")["MessageId"])
    sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "false"})
    assert refused(sns.publish, TargetArn=endpoint, Message="hi")[0] == "EndpointDisabled"
    sns.delete_endpoint(EndpointArn=endpoint)
    assert refused(sns.publish, TargetArn=endpoint, Message="hi")[0] == "InvalidParameter"
