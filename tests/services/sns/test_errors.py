"""What SNS answers on the wire, without an SDK in between: the query protocol's forms, links and errors."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws
from tests.refused import refused

_NAMESPACE = {"sns": "http://sns.amazonaws.com/doc/2010-03-31/"}


def _answer(request: Request | str) -> tuple[int, ET.Element]:
    try:
        with urlopen(request, timeout=10) as response:
            return response.status, ET.fromstring(response.read())
    except HTTPError as error:
        return error.code, ET.fromstring(error.read())


def _post(aws: Aws, action: str, **fields: str) -> tuple[int, ET.Element]:
    """Send a form, unsigned."""
    form = urlencode({"Action": action, "Version": "2010-03-31", **fields})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return _answer(Request(aws.endpoint, form.encode(), headers))


def _post_signed(aws: Aws, action: str) -> tuple[int, ET.Element]:
    """Send a form, signed by the root of the account."""
    form = urlencode({"Action": action, "Version": "2010-03-31"}).encode()
    signed = AWSRequest("POST", aws.endpoint, {"content-type": "application/x-www-form-urlencoded"}, form)
    SigV4Auth(Credentials(aws.account, "test"), "sns", aws.region).add_auth(signed)
    return _answer(Request(aws.endpoint, form, dict(signed.headers)))


def _error(answer: ET.Element) -> dict[str, str | None]:
    found = answer.find("sns:Error", _NAMESPACE)
    assert found is not None
    return {part.tag.partition("}")[2]: part.text for part in found}


def test_an_error_is_a_document_of_its_own(aws: Aws) -> None:
    topic = f"arn:aws:sns:us-east-1:{aws.account}:nothing"
    status, answer = _post(aws, "ConfirmSubscription", TopicArn=topic, Token="x")
    assert (status, answer.tag) == (404, f"{{{_NAMESPACE['sns']}}}ErrorResponse")
    assert _error(answer) == {"Type": "Sender", "Code": "NotFound", "Message": "Topic does not exist"}
    assert answer.findtext("sns:RequestId", namespaces=_NAMESPACE)


def test_a_link_is_an_operation_too(aws: Aws, sns: Any) -> None:
    topic = sns.create_topic(Name="orders")["TopicArn"]
    status, answer = _answer(f"{aws.endpoint}/?Action=ConfirmSubscription&TopicArn={topic}&Token=x")
    assert (status, _error(answer)["Message"]) == (400, "Invalid parameter: Token")


@pytest.mark.parametrize(
    ("operation", "params", "status", "code"),
    [
        ("create_topic", {"Name": "a b"}, 400, "InvalidParameter"),
        ("get_topic_attributes", {"TopicArn": "{topic}s"}, 404, "NotFound"),
        ("list_tags_for_resource", {"ResourceArn": "{topic}s"}, 404, "ResourceNotFound"),
        ("publish", {"TopicArn": "{topic}s", "Message": "x"}, 404, "NotFound"),
        ("publish", {"TopicArn": "{topic}", "Message": ""}, 400, "InvalidParameter"),
        (
            "publish",
            {"TopicArn": "{topic}", "Message": "x", "MessageAttributes": {"a": {"DataType": "Colour"}}},
            400,
            "ParameterValueInvalid",
        ),
        ("publish_batch", {"TopicArn": "{topic}", "PublishBatchRequestEntries": []}, 400, None),
        ("subscribe", {"TopicArn": "{topic}", "Protocol": "firehose"}, 501, "NotImplemented"),
    ],
)
def test_errors_have_the_status_that_aws_gives_them(
    sns: Any, operation: str, params: dict[str, Any], status: int, code: str | None
) -> None:
    topic = sns.create_topic(Name="orders")["TopicArn"]
    filled = {
        name: value.replace("{topic}", topic) if isinstance(value, str) else value for name, value in params.items()
    }
    with pytest.raises(sns.exceptions.ClientError) as caught:
        getattr(sns, operation)(**filled)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert code in (None, response["Error"]["Code"])


def test_errors_are_the_exceptions_of_the_model(sns: Any, aws: Aws) -> None:
    missing = f"arn:aws:sns:us-east-1:{aws.account}:nothing"
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.get_topic_attributes(TopicArn=missing)
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.create_topic(Name="")
    with pytest.raises(sns.exceptions.ResourceNotFoundException):
        sns.tag_resource(ResourceArn=missing, Tags=[])


def test_a_parameter_that_is_needed(aws: Aws) -> None:
    status, answer = _post_signed(aws, "CreateTopic")
    assert (status, _error(answer)) == (
        400,
        {
            "Type": "Sender",
            "Code": "ValidationError",
            "Message": "1 validation error detected: Value null at 'name' failed to satisfy constraint: "
            "Member must not be null",
        },
    )


def test_a_form_without_attributes_lacks_them(sns: Any) -> None:
    for call in (
        lambda: refused(sns.create_platform_application, Name="shop", Platform="GCM", Attributes={}),
        lambda: refused(sns.set_sms_attributes, attributes={}),
    ):
        code, message = call()
        assert (code, "Value null at 'attributes'" in message) == ("ValidationError", True)


def test_an_answer_can_always_be_read(sns: Any) -> None:
    topic = sns.create_topic(Name="orders")["TopicArn"]
    not_in_xml = "a\x00b"
    for operation, params in (
        ("create_topic", {"Name": "returns", "Attributes": {not_in_xml: ""}}),
        ("set_topic_attributes", {"TopicArn": topic, "AttributeName": "DisplayName", "AttributeValue": not_in_xml}),
        ("subscribe", {"TopicArn": topic, "Protocol": "email", "Endpoint": f"{not_in_xml}@example.com"}),
        ("set_sms_attributes", {"attributes": {not_in_xml: ""}}),
    ):
        assert refused(getattr(sns, operation), **params)[0] == "InvalidParameter"


@pytest.mark.parametrize(
    "text",
    ["arn", "arn:", ":" * 5, "arn:aws:sns:::", "arn:aws:sns:us-east-1:1:", "arn:aws:s\x1fns:x:y:z", "ä" * 1000, "{}"],
)
def test_nothing_that_is_no_arn_is_an_internal_error(sns: Any, text: str) -> None:
    calls = {
        "get_topic_attributes": "TopicArn",
        "delete_topic": "TopicArn",
        "list_subscriptions_by_topic": "TopicArn",
        "get_subscription_attributes": "SubscriptionArn",
        "unsubscribe": "SubscriptionArn",
        "get_platform_application_attributes": "PlatformApplicationArn",
        "delete_platform_application": "PlatformApplicationArn",
        "list_endpoints_by_platform_application": "PlatformApplicationArn",
        "get_endpoint_attributes": "EndpointArn",
        "delete_endpoint": "EndpointArn",
        "get_data_protection_policy": "ResourceArn",
        "list_tags_for_resource": "ResourceArn",
    }
    for operation, name in calls.items():
        code, message = refused(getattr(sns, operation), **{name: text})
        assert (code, message.startswith(f"Invalid parameter: {name}")) == ("InvalidParameter", True), operation
