"""The old query protocol, as curl and old SDKs speak it: the same operations, answered in XML."""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws

_NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"


class Query:
    """Signed form posts to an account."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def __call__(self, action: str, url: str | None = None, **params: Any) -> tuple[int, ET.Element]:
        """Call an action on the endpoint, or on a queue's URL; `_` in names stands for `.`."""
        fields = {"Action": action, "Version": "2012-11-05"}
        fields.update({name.replace("_", "."): str(value) for name, value in params.items()})
        target = url or f"{self.aws.endpoint}/"
        request = AWSRequest("POST", target, data=urlencode(fields), headers=_HEADERS)
        SigV4Auth(Credentials(self.aws.account, "test"), "sqs", self.aws.region).add_auth(request)
        parts = urlsplit(target)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.request("POST", parts.path, request.data, dict(request.headers.items()))
        response = connection.getresponse()
        status, body = response.status, response.read()
        connection.close()
        return status, ET.fromstring(body)


_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def query(aws: Aws) -> Query:
    return Query(aws)


def _text(root: ET.Element, path: str) -> str | None:
    return root.findtext("/".join(_NAMESPACE + part for part in path.split("/")))


def test_a_message_goes_through_a_queue(query: Query) -> None:
    status, created = query("CreateQueue", QueueName="orders", Attribute_1_Name="DelaySeconds", Attribute_1_Value=0)
    assert status == 200
    url = _text(created, "CreateQueueResult/QueueUrl")
    assert url is not None
    _, sent = query("SendMessage", url, MessageBody="a < b")
    assert _text(sent, "SendMessageResult/MessageId")
    _, received = query("ReceiveMessage", url, AttributeName_1="All", MaxNumberOfMessages=5)
    assert _text(received, "ReceiveMessageResult/Message/Body") == "a < b"
    handle = _text(received, "ReceiveMessageResult/Message/ReceiptHandle")
    status, deleted = query("DeleteMessage", url, ReceiptHandle=handle)
    assert status == 200
    assert deleted.tag == f"{_NAMESPACE}DeleteMessageResponse"
    assert _text(deleted, "ResponseMetadata/RequestId")


def test_the_queue_url_may_be_a_parameter(query: Query) -> None:
    _, created = query("CreateQueue", QueueName="orders")
    url = _text(created, "CreateQueueResult/QueueUrl")
    status, _ = query("SendMessage", QueueUrl=url, MessageBody="b")
    assert status == 200


def test_batches_and_message_attributes(query: Query) -> None:
    _, created = query("CreateQueue", QueueName="orders")
    url = _text(created, "CreateQueueResult/QueueUrl")
    fields = {
        "SendMessageBatchRequestEntry.1.Id": "one",
        "SendMessageBatchRequestEntry.1.MessageBody": "b",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": "a",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": "String",
        "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue": "v",
        "SendMessageBatchRequestEntry.2.Id": "two",
        "SendMessageBatchRequestEntry.2.MessageBody": "\x01",
    }
    _, sent = query("SendMessageBatch", url, **fields)
    assert _text(sent, "SendMessageBatchResult/SendMessageBatchResultEntry/Id") == "one"
    assert _text(sent, "SendMessageBatchResult/BatchResultErrorEntry/Code") == "InvalidMessageContents"
    _, received = query("ReceiveMessage", url, MessageAttributeName_1="All")
    assert _text(received, "ReceiveMessageResult/Message/MessageAttribute/Value/StringValue") == "v"


def test_errors_have_the_old_codes_and_texts(aws: Aws, query: Query) -> None:
    status, error = query("SendMessage", f"{aws.endpoint}/{aws.account}/missing", MessageBody="b")
    assert status == 400
    assert _text(error, "Error/Type") == "Sender"
    assert _text(error, "Error/Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert _text(error, "Error/Message") == "The specified queue does not exist for this wsdl version."
    _, created = query("CreateQueue", QueueName="orders")
    url = _text(created, "CreateQueueResult/QueueUrl")
    status, error = query("SendMessage", url)
    assert (status, _text(error, "Error/Code")) == (400, "MissingParameter")
    assert _text(error, "Error/Message") == "The request must contain the parameter MessageBody."
    status, error = query("ReceiveMessage", url, MaxNumberOfMessages=11)
    assert (status, _text(error, "Error/Code")) == (400, "InvalidParameterValue")


def test_what_a_failed_entry_says_can_be_read_whatever_it_was_sent(query: Query) -> None:
    _, created = query("CreateQueue", QueueName="orders")
    url = _text(created, "CreateQueueResult/QueueUrl")
    entry = "DeleteMessageBatchRequestEntry_1"
    _, answer = query("DeleteMessageBatch", url, **{f"{entry}_Id": "a", f"{entry}_ReceiptHandle": "\x00"})
    message = _text(answer, "DeleteMessageBatchResult/BatchResultErrorEntry/Message")
    assert message == 'The input receipt handle "\ufffd" is not a valid receipt handle.'


def test_entries_of_a_batch_have_the_old_name(query: Query) -> None:
    _, created = query("CreateQueue", QueueName="orders")
    url = _text(created, "CreateQueueResult/QueueUrl")
    entry = "SendMessageBatchRequestEntry"
    status, error = query("SendMessageBatch", url)
    assert (status, _text(error, "Error/Code")) == (400, "AWS.SimpleQueueService.EmptyBatchRequest")
    assert _text(error, "Error/Message") == f"There should be at least one {entry} in the request."
    _, error = query("SendMessageBatch", url, **{f"{entry}_1_MessageBody": "b"})
    assert _text(error, "Error/Message") == f"The request must contain the parameter {entry}.1.Id."
