"""The old query protocol, as curl and old SDKs speak it: the same operations, answered in XML."""

from __future__ import annotations

import http.client
import json
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


# -- by GET, on a queue's URL


def _get(url: str, accept: str = "*/*", **params: str) -> tuple[int, str, bytes]:
    """Return the status, the content type and the body of an unsigned GET."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{urlencode(params)}", headers={"Accept": accept})
    response = connection.getresponse()
    answer = response.status, response.headers["Content-Type"], response.read()
    connection.close()
    return answer


@pytest.fixture
def url(aws: Aws) -> str:
    return str(aws.client("sqs").create_queue(QueueName="orders")["QueueUrl"])


def test_a_get_on_the_url_of_a_queue_is_answered_in_xml(url: str) -> None:
    status, kind, body = _get(url, Action="SendMessage", MessageBody="b")
    assert (status, kind) == (200, "text/xml")
    assert _text(ET.fromstring(body), "SendMessageResult/MessageId")


@pytest.mark.parametrize("action", ["Nonsense", "ListQueues", "CreateQueue"])
def test_an_action_that_a_queue_has_not_is_invalid(url: str, action: str) -> None:
    status, kind, body = _get(url, Action=action, QueueName="other")
    assert (status, kind) == (400, "text/xml")
    assert _text(ET.fromstring(body), "Error/Code") == "InvalidAction"
    assert _text(ET.fromstring(body), "Error/Message") == f"The action {action} is not valid for this endpoint."
    status, kind, body = _get(url, "application/json", Action=action)
    assert (status, kind, json.loads(body)["Error"]["Code"]) == (400, "application/json", "InvalidAction")


def test_who_accepts_json_gets_json(url: str) -> None:
    _, _, body = _get(url, "application/json", Action="ReceiveMessage")
    assert json.loads(body)["ReceiveMessageResponse"]["ReceiveMessageResult"] == {"messages": None}
    status, kind, body = _get(
        url,
        "application/json",
        **{
            "Action": "SendMessage",
            "MessageBody": "b",
            "MessageAttribute.1.Name": "a",
            "MessageAttribute.1.Value.DataType": "Binary",
            "MessageAttribute.1.Value.BinaryValue": "AQ==",
        },
    )
    assert (status, kind) == (200, "application/json")
    sent = json.loads(body)["SendMessageResponse"]["SendMessageResult"]
    assert (sent["MD5OfMessageBody"], sent["SequenceNumber"]) == ("92eb5ffee6ae2fec3ad71c777531578f", None)
    _, _, body = _get(
        url,
        "application/json",
        **{"Action": "ReceiveMessage", "MessageAttributeName.1": "All", "AttributeName.1": "All"},
    )
    (message,) = json.loads(body)["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"]
    assert message["Body"] == "b"
    assert [each["Value"]["BinaryValue"] for each in message["MessageAttributes"]] == ["AQ=="]
    assert {"Name": "ApproximateReceiveCount", "Value": "1"} in message["Attributes"]
    _, _, body = _get(url, "application/json", **{"Action": "GetQueueAttributes", "AttributeName.1": "DelaySeconds"})
    result = json.loads(body)["GetQueueAttributesResponse"]["GetQueueAttributesResult"]
    assert result == {"Attributes": [{"Name": "DelaySeconds", "Value": "0"}]}


def test_errors_are_in_json_too(url: str) -> None:
    status, kind, body = _get(f"{url}-not", "application/json", Action="ReceiveMessage")
    error = json.loads(body)["Error"]
    assert (status, kind, error["Type"]) == (400, "application/json", "Sender")
    assert error["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert error["Message"] == "The specified queue does not exist for this wsdl version."
