"""What a boto3 client sees: queues and messages over a real socket."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from hashlib import md5
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from cloudlet.testing.server import Aws, fresh_account
from tests.modes import POLICY_ADDED
from tests.refused import refused


@pytest.fixture
def client(aws: Aws) -> Any:
    return aws.client("sqs")


@pytest.fixture
def url(client: Any) -> str:
    return str(client.create_queue(QueueName="orders")["QueueUrl"])


def _queue_without_policy(client: Any) -> str:
    """Create a queue that has none in strict mode, too."""
    client.meta.events.unregister("before-parameter-build.sqs.CreateQueue", unique_id=POLICY_ADDED)
    return str(client.create_queue(QueueName="orders")["QueueUrl"])


# -- queues


def test_a_queue_url_names_the_endpoint_the_account_and_the_queue(aws: Aws, client: Any, url: str) -> None:
    assert url == f"{aws.endpoint}/{aws.account}/orders"
    assert client.get_queue_url(QueueName="orders")["QueueUrl"] == url
    assert client.get_queue_url(QueueName="orders", QueueOwnerAWSAccountId=aws.account)["QueueUrl"] == url


def test_a_new_queue_has_the_documented_attributes(aws: Aws, client: Any) -> None:
    url = _queue_without_policy(client)
    shown = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert abs(int(shown.pop("CreatedTimestamp")) - time.time()) < 60
    assert abs(int(shown.pop("LastModifiedTimestamp")) - time.time()) < 60
    assert shown == {
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "DelaySeconds": "0",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "QueueArn": f"arn:aws:sqs:{aws.region}:{aws.account}:orders",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }
    assert "Attributes" not in client.get_queue_attributes(QueueUrl=url)


def test_a_new_fifo_queue_has_its_own_attributes(client: Any) -> None:
    url = client.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    names = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]
    assert client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] == {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "queue",
        "FifoThroughputLimit": "perQueue",
    }


def test_creating_a_queue_again_answers_the_same_url(client: Any) -> None:
    attributes = {"DelaySeconds": "5", "VisibilityTimeout": "60"}
    url = client.create_queue(QueueName="q", Attributes=attributes)["QueueUrl"]
    assert client.create_queue(QueueName="q", Attributes=attributes)["QueueUrl"] == url
    assert client.create_queue(QueueName="q")["QueueUrl"] == url
    assert refused(client.create_queue, QueueName="q", Attributes={"DelaySeconds": "6"}) == (
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute DelaySeconds",
    )


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "ü", "orders.fifo"])
def test_names_that_no_queue_may_have(client: Any, name: str) -> None:
    assert refused(client.create_queue, QueueName=name) == (
        "InvalidParameterValue",
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    )


def test_a_fifo_queue_needs_its_suffix(client: Any) -> None:
    code, _ = refused(client.create_queue, QueueName="orders", Attributes={"FifoQueue": "true"})
    assert code == "InvalidParameterValue"
    assert refused(client.create_queue, QueueName="orders", Attributes={"FifoQueue": "false"}) == (
        "InvalidAttributeName",
        "Unknown Attribute FifoQueue.",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DelaySeconds", "-1"),
        ("DelaySeconds", "901"),
        ("DelaySeconds", "soon"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MessageRetentionPeriod", "59"),
        ("MessageRetentionPeriod", "1209601"),
        ("ReceiveMessageWaitTimeSeconds", "21"),
        ("VisibilityTimeout", "43201"),
        ("VisibilityTimeout", ""),
        ("KmsDataKeyReusePeriodSeconds", "59"),
        ("SqsManagedSseEnabled", "yes"),
        ("Policy", "{}"),
        ("Policy", "none"),
    ],
)
def test_attribute_values_that_are_refused(client: Any, url: str, name: str, value: str) -> None:
    expected = ("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
    assert refused(client.create_queue, QueueName="other", Attributes={name: value}) == expected
    assert refused(client.set_queue_attributes, QueueUrl=url, Attributes={name: value}) == expected


@pytest.mark.parametrize("name", ["Colour", "QueueArn", "ApproximateNumberOfMessages", "All", "DeduplicationScope"])
def test_attributes_that_cannot_be_set(client: Any, url: str, name: str) -> None:
    assert refused(client.set_queue_attributes, QueueUrl=url, Attributes={name: "1"}) == (
        "InvalidAttributeName",
        f"Unknown Attribute {name}.",
    )


def test_a_fifo_queue_is_one_for_ever(client: Any) -> None:
    url = client.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    assert refused(client.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "false"}) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    )
    client.set_queue_attributes(QueueUrl=url, Attributes={"FifoQueue": "true"})


def test_booleans_may_be_written_in_any_case(client: Any) -> None:
    attributes = {"FifoQueue": "True", "ContentBasedDeduplication": "TRUE"}
    url = client.create_queue(QueueName="orders.fifo", Attributes=attributes)["QueueUrl"]
    shown = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(attributes))["Attributes"]
    assert shown == {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    assert client.create_queue(QueueName="orders.fifo", Attributes=attributes)["QueueUrl"] == url


def test_high_throughput_needs_deduplication_by_group(client: Any) -> None:
    url = client.create_queue(QueueName="orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    limit = {"FifoThroughputLimit": "perMessageGroupId"}
    assert refused(client.set_queue_attributes, QueueUrl=url, Attributes=limit)[0] == "InvalidAttributeValue"
    client.set_queue_attributes(QueueUrl=url, Attributes={**limit, "DeduplicationScope": "messageGroup"})


def test_one_kind_of_encryption_at_a_time(client: Any, url: str) -> None:
    def shown() -> dict[str, str]:
        names = ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"]
        return dict(client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"])

    client.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    assert shown() == {
        "KmsMasterKeyId": "alias/aws/sqs",
        "KmsDataKeyReusePeriodSeconds": "300",
        "SqsManagedSseEnabled": "false",
    }
    client.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
    assert shown() == {"SqsManagedSseEnabled": "true"}
    both = {"KmsMasterKeyId": "alias/aws/sqs", "SqsManagedSseEnabled": "true"}
    assert refused(client.set_queue_attributes, QueueUrl=url, Attributes=both)[0] == "InvalidAttributeValue"


def test_queues_are_listed_by_prefix_and_in_pages(client: Any) -> None:
    assert "QueueUrls" not in client.list_queues()
    urls = [client.create_queue(QueueName=f"list-{number}")["QueueUrl"] for number in range(5)]
    client.create_queue(QueueName="other")
    assert client.list_queues(QueueNamePrefix="list-")["QueueUrls"] == urls
    pages = client.get_paginator("list_queues").paginate(
        QueueNamePrefix="list-", PaginationConfig={"PageSize": 2, "MaxItems": 10}
    )
    assert [page["QueueUrls"] for page in pages] == [urls[:2], urls[2:4], urls[4:]]
    assert refused(client.list_queues, MaxResults=1001)[0] == "InvalidParameterValue"


def test_accounts_and_regions_do_not_see_each_other(aws: Aws, url: str) -> None:
    other = aws.client("sqs", region_name="eu-west-1")
    assert "QueueUrls" not in other.list_queues()
    assert refused(other.get_queue_url, QueueName="orders")[0] == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_queue_of_another_account_is_reached_by_its_url(aws: Aws, url: str) -> None:
    account = fresh_account()
    aws.client("sqs").add_permission(
        QueueUrl=url, Label="stranger", AWSAccountIds=[account], Actions=["GetQueueUrl", "SendMessage"]
    )
    stranger = Aws(aws.endpoint, account).client("sqs")
    found = stranger.get_queue_url(QueueName="orders", QueueOwnerAWSAccountId=aws.account)["QueueUrl"]
    assert found == url
    stranger.send_message(QueueUrl=found, MessageBody="from outside")
    [message] = aws.client("sqs").receive_message(QueueUrl=url, MessageSystemAttributeNames=["SenderId"])["Messages"]
    assert message["Body"] == "from outside"
    assert message["Attributes"]["SenderId"] == account


def test_tags(client: Any) -> None:
    url = client.create_queue(QueueName="q", tags={"team": "a", "stage": "test"})["QueueUrl"]
    client.tag_queue(QueueUrl=url, Tags={"team": "b", "cost centre": ""})
    client.untag_queue(QueueUrl=url, TagKeys=["stage", "unknown"])
    assert client.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "b", "cost centre": ""}
    too_many = {f"tag{number}": "" for number in range(49)}
    assert refused(client.tag_queue, QueueUrl=url, Tags=too_many)[0] == "InvalidParameterValue"
    assert refused(client.tag_queue, QueueUrl=url, Tags={"aws:mine": ""})[0] == "InvalidParameterValue"


def test_permissions_are_statements_of_the_policy(aws: Aws, client: Any) -> None:
    url = _queue_without_policy(client)
    client.add_permission(
        QueueUrl=url, Label="senders", AWSAccountIds=["123456789012"], Actions=["SendMessage", "GetQueueUrl"]
    )
    arn = f"arn:aws:sqs:{aws.region}:{aws.account}:orders"
    shown = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    assert json.loads(shown["Policy"]) == {
        "Version": "2008-10-17",
        "Id": f"{arn}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "senders",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                "Action": ["SQS:SendMessage", "SQS:GetQueueUrl"],
                "Resource": arn,
            }
        ],
    }
    one = {"QueueUrl": url, "Label": "senders", "AWSAccountIds": ["123456789012"], "Actions": ["SendMessage"]}
    assert refused(client.add_permission, **one) == (
        "InvalidParameterValue",
        "Value senders for parameter Label is invalid. Reason: Already exists.",
    )
    many = ["SendMessage"] * 8
    assert refused(client.add_permission, **{**one, "Label": "x", "Actions": many}) == (
        "OverLimit",
        "8 Actions were found, maximum allowed is 7.",
    )
    assert refused(client.add_permission, **{**one, "Label": "x", "Actions": ["DeleteQueue"]})[1] == (
        "Value SQS:DeleteQueue for parameter ActionName is invalid. Reason: "
        "Only the queue owner is allowed to invoke this action."
    )
    accounts = [f"{number:012}" for number in range(300)]
    assert refused(client.add_permission, **{**one, "Label": "x", "AWSAccountIds": accounts}) == (
        "OverLimit",
        "A policy can have 8192 bytes at most.",
    )
    client.remove_permission(QueueUrl=url, Label="senders")
    assert "Attributes" not in client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert refused(client.remove_permission, QueueUrl=url, Label="senders") == (
        "InvalidParameterValue",
        "Value senders for parameter Label is invalid. Reason: can't find label on existing policy.",
    )


def test_what_is_too_long_or_too_deep_is_refused(client: Any, url: str) -> None:
    """What Python itself refuses to read (numbers of 5,000 digits, JSON of 10,000 levels) is the caller's mistake."""
    deep = "[" * 10_000
    for name, value in {"DelaySeconds": "9" * 5_000, "RedrivePolicy": deep, "RedriveAllowPolicy": deep}.items():
        code, _ = refused(client.set_queue_attributes, QueueUrl=url, Attributes={name: value})
        assert code in ("InvalidAttributeValue", "InvalidParameterValue"), name
    handle = b64encode(deep.encode()).decode()
    assert refused(client.cancel_message_move_task, TaskHandle=handle)[0] == "InvalidParameterValue"
    huge = {"n": {"DataType": "Number", "StringValue": "1e999999999"}}
    assert refused(client.send_message, QueueUrl=url, MessageBody="m", MessageAttributes=huge)[0] == (
        "InvalidParameterValue"
    )


# -- messages


def test_a_message_comes_as_it_was_sent(aws: Aws, client: Any, url: str) -> None:
    body = "Grüße, 世界 \U0001f30d\t\r\n<&>"
    attributes = {
        "text": {"DataType": "String.json", "StringValue": "ä"},
        "count": {"DataType": "Number", "StringValue": "3.14"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5e3d83c1-e6a0db584850d61342823d4c"}}
    sent = client.send_message(
        QueueUrl=url, MessageBody=body, MessageAttributes=attributes, MessageSystemAttributes=trace
    )
    assert sent["MD5OfMessageBody"] == md5(body.encode()).hexdigest()
    assert len(sent["MD5OfMessageSystemAttributes"]) == 32
    [message] = client.receive_message(
        QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == body
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    shown = message["Attributes"]
    assert shown["SenderId"] == aws.account
    assert shown["ApproximateReceiveCount"] == "1"
    assert shown["AWSTraceHeader"] == trace["AWSTraceHeader"]["StringValue"]
    assert int(shown["SentTimestamp"]) <= int(shown["ApproximateFirstReceiveTimestamp"])


def test_the_digest_of_attributes_is_the_documented_one(client: Any, url: str) -> None:
    """boto3 itself verifies it in `send_message` and `receive_message`; here against a value made by hand."""

    def sized(raw: bytes) -> bytes:
        return len(raw).to_bytes(4, "big") + raw

    sent = client.send_message(
        QueueUrl=url,
        MessageBody="b",
        MessageAttributes={
            "b": {"DataType": "Binary", "BinaryValue": b"\x01"},
            "a": {"DataType": "Number", "StringValue": "1"},
        },
    )
    raw = (
        sized(b"a")
        + sized(b"Number")
        + b"\x01"
        + sized(b"1")
        + sized(b"b")
        + sized(b"Binary")
        + b"\x02"
        + sized(b"\x01")
    )
    assert sent["MD5OfMessageAttributes"] == md5(raw).hexdigest()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], set()),
        (["All"], {"order.id", "order.kind", "x"}),
        ([".*"], {"order.id", "order.kind", "x"}),
        (["*"], {"order.id", "order.kind", "x"}),
        (["x", "unknown"], {"x"}),
        (["order.*"], {"order.id", "order.kind"}),
    ],
)
def test_a_receiver_chooses_message_attributes(client: Any, url: str, names: list[str], expected: set[str]) -> None:
    attributes = {name: {"DataType": "String", "StringValue": name} for name in ("order.id", "order.kind", "x")}
    client.send_message(QueueUrl=url, MessageBody="b", MessageAttributes=attributes)
    [message] = client.receive_message(QueueUrl=url, MessageAttributeNames=names)["Messages"]
    assert set(message.get("MessageAttributes", {})) == expected
    assert ("MD5OfMessageAttributes" in message) == bool(expected)
    assert "Attributes" not in message


@pytest.mark.parametrize("parameter", ["MessageSystemAttributeNames", "AttributeNames"])
def test_a_receiver_chooses_system_attributes(client: Any, url: str, parameter: str) -> None:
    client.send_message(QueueUrl=url, MessageBody="b")
    [message] = client.receive_message(QueueUrl=url, **{parameter: ["SentTimestamp", "ApproximateReceiveCount"]})[
        "Messages"
    ]
    assert set(message["Attributes"]) == {"SentTimestamp", "ApproximateReceiveCount"}


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (
            {"DataType": "string", "StringValue": "v"},
            "The type of message (user) attribute 'a' is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String.",
        ),
        (
            {"DataType": "String", "StringValue": ""},
            "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
        ),
        (
            {"DataType": "Binary"},
            "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'.",
        ),
        (
            {"DataType": "Number", "StringValue": "one"},
            "Can't cast the value of message (user) attribute 'a' to a number.",
        ),
    ],
)
def test_message_attributes_that_are_refused(client: Any, url: str, attribute: dict[str, Any], message: str) -> None:
    assert refused(client.send_message, QueueUrl=url, MessageBody="b", MessageAttributes={"a": attribute}) == (
        "InvalidParameterValue",
        message,
    )


@pytest.mark.parametrize("name", ["AWS.x", "amazon.x", ".x", "x.", "x..y", "x y", "x" * 257])
def test_names_that_no_message_attribute_may_have(client: Any, url: str, name: str) -> None:
    attributes = {name: {"DataType": "String", "StringValue": "v"}}
    refusal = refused(client.send_message, QueueUrl=url, MessageBody="b", MessageAttributes=attributes)
    assert refusal[0] == "InvalidParameterValue"


def test_ten_message_attributes_at_most(client: Any, url: str) -> None:
    attributes = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(11)}
    refusal = refused(client.send_message, QueueUrl=url, MessageBody="b", MessageAttributes=attributes)
    assert refusal == ("InvalidParameterValue", "Number of message attributes [11] exceeds the allowed maximum [10].")


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_characters_that_no_message_may_contain(client: Any, url: str, character: str) -> None:
    code, message = refused(client.send_message, QueueUrl=url, MessageBody=f"a{character}b")
    assert code == "InvalidMessageContents"
    assert message == (
        f"Invalid binary character '#x{ord(character):X}' was found in the message body, the set of allowed characters "
        "is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
    )


def test_the_size_of_a_message_includes_its_attributes(client: Any, url: str) -> None:
    limit = 1_048_576
    client.send_message(QueueUrl=url, MessageBody="x" * limit)
    too_long = (
        "InvalidParameterValue",
        f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes.",
    )
    assert refused(client.send_message, QueueUrl=url, MessageBody="é" * (limit // 2) + "x") == too_long
    attributes = {"a": {"DataType": "String", "StringValue": "v"}}
    assert (
        refused(client.send_message, QueueUrl=url, MessageBody="x" * (limit - 7), MessageAttributes=attributes)
        == too_long
    )
    client.send_message(QueueUrl=url, MessageBody="x" * (limit - 8), MessageAttributes=attributes)


def test_a_queue_can_have_a_lower_limit(client: Any) -> None:
    url = client.create_queue(QueueName="small", Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="x" * 1024)
    assert refused(client.send_message, QueueUrl=url, MessageBody="x" * 1025)[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided."),
        ("MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided."),
        ("WaitTimeSeconds", -1, "Must be >= 0 and <= 20, if provided."),
        ("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
        ("VisibilityTimeout", 43201, "Must be >= 0 and <= 43200, if provided."),
        (
            "ReceiveRequestAttemptId",
            "x",
            "The request include parameter that is not valid for this queue type.",
        ),
    ],
)
def test_receives_that_are_refused(client: Any, url: str, name: str, value: Any, reason: str) -> None:
    assert refused(client.receive_message, QueueUrl=url, **{name: value}) == (
        "InvalidParameterValue",
        f"Value {value} for parameter {name} is invalid. Reason: {reason}",
    )


def test_a_standard_queue_takes_no_deduplication_id(client: Any, url: str) -> None:
    assert refused(client.send_message, QueueUrl=url, MessageBody="b", MessageDeduplicationId="d") == (
        "InvalidParameterValue",
        "Value d for parameter MessageDeduplicationId is invalid. Reason: "
        "The request include parameter that is not valid for this queue type.",
    )


# -- receipt handles


@pytest.mark.parametrize("again", [0, 30])
def test_an_old_handle_deletes_though_the_message_was_received_again(client: Any, url: str, again: int) -> None:
    for body in ("a", "b"):
        client.send_message(QueueUrl=url, MessageBody=body)
    receive = {"QueueUrl": url, "MaxNumberOfMessages": 10}
    first = client.receive_message(**receive, VisibilityTimeout=0)["Messages"][0]
    second = client.receive_message(**receive, VisibilityTimeout=again)["Messages"][0]
    assert first["Body"] == second["Body"]
    both = [{"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]} for at, each in enumerate((first, second))]
    assert len(client.delete_message_batch(QueueUrl=url, Entries=both)["Successful"]) == 2
    client.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert list(counts.values()) == (["0", "1"] if again else ["1", "0"])


def test_handles_that_were_never_issued(client: Any, url: str) -> None:
    client.send_message(QueueUrl=url, MessageBody="b")
    [message] = client.receive_message(QueueUrl=url)["Messages"]
    other = client.create_queue(QueueName="other")["QueueUrl"]
    handle = message["ReceiptHandle"]
    for queue, wrong in ((url, "nonsense"), (url, handle[:-4] + "AAAA"), (other, handle)):
        assert refused(client.delete_message, QueueUrl=queue, ReceiptHandle=wrong) == (
            "ReceiptHandleIsInvalid",
            f'The input receipt handle "{wrong}" is not a valid receipt handle.',
        )


def test_a_handle_changes_the_visibility_after_the_timeout_until_the_message_is_deleted(client: Any, url: str) -> None:
    client.send_message(QueueUrl=url, MessageBody="b")
    [message] = client.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    handle = message["ReceiptHandle"]
    change = {"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 5}
    client.change_message_visibility(**change)
    assert "Messages" not in client.receive_message(QueueUrl=url)
    client.change_message_visibility(**{**change, "VisibilityTimeout": 0})
    assert client.receive_message(QueueUrl=url)["Messages"]
    client.change_message_visibility(**{**change, "VisibilityTimeout": 0})
    assert client.receive_message(QueueUrl=url)["Messages"], "its handle was that of an earlier delivery"
    client.delete_message(QueueUrl=url, ReceiptHandle=handle)
    assert refused(client.change_message_visibility, **change) == (
        "InvalidParameterValue",
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: "
        "Message does not exist or is not available for visibility timeout change.",
    )


# -- batches


def test_entries_of_a_batch_succeed_and_fail_by_themselves(client: Any, url: str) -> None:
    result = client.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "MessageBody": "b"},
            {"Id": "late", "MessageBody": "b", "DelaySeconds": 901},
            {"Id": "bad", "MessageBody": "\x00"},
        ],
    )
    assert [entry["Id"] for entry in result["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in result["Failed"]] == [
        ("late", "InvalidParameterValue", True),
        ("bad", "InvalidMessageContents", True),
    ]
    [message] = client.receive_message(QueueUrl=url)["Messages"]
    handles = [{"Id": "1", "ReceiptHandle": message["ReceiptHandle"]}, {"Id": "2", "ReceiptHandle": "nonsense"}]
    changed = client.change_message_visibility_batch(
        QueueUrl=url, Entries=[{**handle, "VisibilityTimeout": 9} for handle in handles]
    )
    assert [entry["Id"] for entry in changed["Successful"]] == ["1"]
    deleted = client.delete_message_batch(QueueUrl=url, Entries=handles)
    assert deleted["Successful"] == [{"Id": "1"}]
    assert [(entry["Id"], entry["Code"]) for entry in deleted["Failed"]] == [("2", "ReceiptHandleIsInvalid")]


@pytest.mark.parametrize(
    ("entries", "code", "message"),
    [
        ([], "EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request."),
        (
            [{"Id": str(number), "MessageBody": "b"} for number in range(11)],
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 11.",
        ),
        ([{"Id": "a", "MessageBody": "b"}] * 2, "BatchEntryIdsNotDistinct", "Id a repeated."),
        (
            [{"Id": "a b", "MessageBody": "b"}],
            "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long.",
        ),
        (
            [{"Id": str(number), "MessageBody": "x" * 600_000} for number in range(2)],
            "BatchRequestTooLong",
            "Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes.",
        ),
    ],
)
def test_batches_that_are_refused(client: Any, url: str, entries: list[Any], code: str, message: str) -> None:
    assert refused(client.send_message_batch, QueueUrl=url, Entries=entries) == (
        f"AWS.SimpleQueueService.{code}",
        message,
    )


# -- long polling


def test_a_message_releases_a_waiting_receiver(aws: Aws, client: Any, url: str) -> None:
    received: list[Any] = []

    def receive() -> None:
        received.append(aws.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20))

    thread = threading.Thread(target=receive)
    thread.start()
    client.send_message(QueueUrl=url, MessageBody="at last")
    thread.join()
    assert received[0]["Messages"][0]["Body"] == "at last"


def test_an_empty_poll_ends_in_time(client: Any, url: str) -> None:
    started = time.monotonic()
    assert "Messages" not in client.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert time.monotonic() - started > 0.9


# -- errors


def test_a_queue_that_is_not_there(aws: Aws, client: Any) -> None:
    url = f"{aws.endpoint}/{aws.account}/missing"
    with pytest.raises(client.exceptions.QueueDoesNotExist) as caught:
        client.send_message(QueueUrl=url, MessageBody="b")
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == (
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    )


@pytest.mark.parametrize(
    "url", ["http://nowhere", "http://[::1", "http://[x]/111111111111/orders", "https://example.com/orders", "missing"]
)
def test_what_is_no_queue_url(client: Any, url: str) -> None:
    assert refused(client.send_message, QueueUrl=url, MessageBody="b") == (
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist.",
    )


def test_a_name_is_enough_for_a_queue_of_the_own_account(client: Any) -> None:
    client.create_queue(QueueName="orders")
    client.send_message(QueueUrl="orders", MessageBody="b")
    assert client.receive_message(QueueUrl="orders")["Messages"][0]["Body"] == "b"


@pytest.mark.parametrize(
    ("params", "name", "code"),
    [
        ({"MessageBody": "b", "DelaySeconds": 901}, "InvalidParameterValueException", "InvalidParameterValue"),
        ({}, "MissingRequiredParameterException", "MissingParameter"),
    ],
)
def test_errors_have_their_names_of_today_and_the_codes_of_old(
    aws: Aws, client: Any, url: str, params: dict[str, Any], name: str, code: str
) -> None:
    request = AWSRequest(
        "POST",
        aws.endpoint,
        data=json.dumps({"QueueUrl": url, **params}),
        headers={"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.SendMessage"},
    )
    SigV4Auth(Credentials(aws.account, "test"), "sqs", aws.region).add_auth(request)
    answer = URLLib3Session().send(request.prepare())
    assert answer.status_code == 400
    assert json.loads(answer.content)["__type"] == f"com.amazonaws.sqs#{name}"
    assert answer.headers["x-amzn-query-error"] == f"{code};Sender"


def test_a_resource_that_is_not_there_is_not_found(aws: Aws, client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.start_message_move_task(SourceArn=f"arn:aws:sqs:{aws.region}:{aws.account}:missing")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_unknown_attribute_names(client: Any, url: str) -> None:
    expected = ("InvalidAttributeName", "Unknown Attribute Colour.")
    assert refused(client.get_queue_attributes, QueueUrl=url, AttributeNames=["Colour"]) == expected
    assert refused(client.receive_message, QueueUrl=url, MessageSystemAttributeNames=["Colour"]) == expected
