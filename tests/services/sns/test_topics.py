"""Topics: names, attributes, tags, lists, and what goes away with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.refused import refused
from tests.services.sns.cloud import ACCOUNT, REGION, local_sns


def _invalid(text: str) -> tuple[str, str]:
    return "InvalidParameter", f"Invalid parameter: {text}"


def test_a_topic_is_created_once(sns: Any, aws: Aws) -> None:
    arn = sns.create_topic(Name="orders")["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:{aws.account}:orders"
    assert sns.create_topic(Name="orders")["TopicArn"] == arn
    assert sns.list_topics()["Topics"] == [{"TopicArn": arn}]


def test_what_a_new_topic_shows(sns: Any, aws: Aws) -> None:
    arn = sns.create_topic(Name="orders")["TopicArn"]
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    policy = json.loads(attributes.pop("Policy"))
    effective = json.loads(attributes.pop("EffectiveDeliveryPolicy"))
    assert attributes == {
        "TopicArn": arn,
        "Owner": aws.account,
        "DisplayName": "",
        "SubscriptionsConfirmed": "0",
        "SubscriptionsDeleted": "0",
        "SubscriptionsPending": "0",
    }
    assert policy["Id"] == "__default_policy_ID"
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"AWS:SourceOwner": aws.account}}
    assert effective["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3


def test_what_a_fifo_topic_shows(sns: Any) -> None:
    arn = sns.create_topic(Name="orders.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["FifoTopic"] == "true"
    assert attributes["ContentBasedDeduplication"] == "false"
    assert attributes["FifoThroughputScope"] == "Topic"


@pytest.mark.parametrize("name", ["", "a" * 257, "with space", "orders.fifo", "ä"])
def test_names_that_no_topic_can_have(sns: Any, name: str) -> None:
    assert refused(sns.create_topic, Name=name) == _invalid("Topic Name")


def test_a_fifo_topics_name_ends_so(sns: Any) -> None:
    code, message = refused(sns.create_topic, Name="orders", Attributes={"FifoTopic": "true"})
    assert code == "InvalidParameter"
    assert message.startswith("Invalid parameter: Fifo Topic names must end with .fifo")


def test_create_does_not_change_a_topic(sns: Any) -> None:
    sns.create_topic(Name="orders", Attributes={"DisplayName": "Orders"}, Tags=[{"Key": "team", "Value": "a"}])
    sns.create_topic(Name="orders", Attributes={"DisplayName": "Orders"})
    assert refused(sns.create_topic, Name="orders", Attributes={"DisplayName": "Others"}) == _invalid(
        "Attributes Reason: Topic already exists with different attributes"
    )
    assert refused(sns.create_topic, Name="orders", Tags=[{"Key": "team", "Value": "b"}]) == _invalid(
        "Tags Reason: Topic already exists with different tags"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DisplayName", "Orders"),
        ("SignatureVersion", "2"),
        ("TracingConfig", "PassThrough"),
        ("KmsMasterKeyId", "alias/aws/sns"),
        ("MaximumMessageSize", "1024"),
        ("SQSSuccessFeedbackSampleRate", "50"),
        ("SQSFailureFeedbackRoleArn", "arn:aws:iam::111111111111:role/feedback"),
        ("DeliveryPolicy", json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}}})),
    ],
)
def test_attributes_are_set_and_shown(sns: Any, name: str, value: str) -> None:
    arn = sns.create_topic(Name="orders")["TopicArn"]
    sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"][name] == value


@pytest.mark.parametrize("name", ["DeliveryPolicy", "KmsMasterKeyId"])
def test_an_attribute_set_to_nothing_is_gone(sns: Any, name: str) -> None:
    values = {"DeliveryPolicy": '{"http":{"defaultHealthyRetryPolicy":{"numRetries":5}}}', "KmsMasterKeyId": "key"}
    arn = sns.create_topic(Name="orders", Attributes={name: values[name]})["TopicArn"]
    sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue="")
    assert name not in sns.get_topic_attributes(TopicArn=arn)["Attributes"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Colour", "blue"),
        ("TopicArn", "arn:aws:sns:us-east-1:111111111111:other"),
        ("SignatureVersion", "3"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("MaximumMessageSize", "many"),
        ("DisplayName", "x" * 101),
        ("SQSSuccessFeedbackSampleRate", "101"),
        ("SQSSuccessFeedbackRoleArn", "role"),
        ("SQSSuccessFeedbackRoleArn", "arn:aws:sqs:us-east-1:111111111111:queue"),
        ("Policy", "{"),
        ("Policy", '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}]}'),
        ("ContentBasedDeduplication", "true"),
        ("ArchivePolicy", '{"MessageRetentionPeriod":"30"}'),
        ("FifoThroughputScope", "Topic"),
        ("TracingConfig", "Deep"),
    ],
)
def test_attributes_that_a_standard_topic_cannot_have(sns: Any, name: str, value: str) -> None:
    arn = sns.create_topic(Name="orders")["TopicArn"]
    before = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    code, _ = refused(sns.set_topic_attributes, TopicArn=arn, AttributeName=name, AttributeValue=value)
    assert code == "InvalidParameter"
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"] == before


def test_a_topic_is_not_created_with_attributes_that_it_cannot_have(sns: Any) -> None:
    for attributes, reason in (
        ({"Colour": "blue"}, "Unknown attribute Colour"),
        ({"MaximumMessageSize": "1"}, "MaximumMessageSize Reason: Must be between 1024 and 1048576."),
        ({"DeliveryPolicy": "x" * 30_721}, "DeliveryPolicy Reason: Must be at most 30720 characters long."),
    ):
        assert refused(sns.create_topic, Name="orders", Attributes=attributes) == _invalid(
            f"Attributes Reason: {reason}"
        )
    assert sns.list_topics()["Topics"] == []


def test_active_tracing_is_refused_where_there_is_no_x_ray() -> None:
    with Server.start("--ephemeral", "--services", "sns") as server:
        sns = Aws(server.endpoint, fresh_account()).client("sns")
        code, message = refused(sns.create_topic, Name="orders", Attributes={"TracingConfig": "Active"})
        assert code == "NotImplemented"
        assert "X-Ray" in message
        topic = sns.create_topic(Name="orders", Attributes={"TracingConfig": "PassThrough"})["TopicArn"]
        refused(sns.set_topic_attributes, TopicArn=topic, AttributeName="TracingConfig", AttributeValue="Active")


def test_an_archive_begins_when_it_is_asked_for(tmp_path: Path) -> None:
    with local_sns(tmp_path) as sns:
        attributes = {"FifoTopic": "true", "ArchivePolicy": '{"MessageRetentionPeriod":"2"}'}
        arn = sns.call("CreateTopic", Name="orders.fifo", Attributes=attributes)["TopicArn"]

        def beginning() -> str:
            return str(sns.call("GetTopicAttributes", TopicArn=arn)["Attributes"]["BeginningArchiveTime"])

        assert beginning() == "2023-11-14T22:13:20.000Z"
        sns.advance(3 * 86_400)
        assert beginning() == "2023-11-15T22:13:20.000Z"
        sns.call("SetTopicAttributes", TopicArn=arn, AttributeName="ArchivePolicy", AttributeValue="")
        assert "BeginningArchiveTime" not in sns.call("GetTopicAttributes", TopicArn=arn)["Attributes"]
        for wrong in ("30", "[]", '{"MessageRetentionPeriod":"0"}', '{"MessageRetentionPeriod":"366"}'):
            params = {"TopicArn": arn, "AttributeName": "ArchivePolicy", "AttributeValue": wrong}
            assert sns.refused("SetTopicAttributes", **params).code == "InvalidParameter"


def test_topics_are_listed_in_pages(tmp_path: Path) -> None:
    with local_sns(tmp_path) as sns:
        for number in range(101):
            sns.call("CreateTopic", Name=f"orders-{number:03}")
        first = sns.call("ListTopics")
        assert len(first["Topics"]) == 100
        second = sns.call("ListTopics", NextToken=first["NextToken"])
        assert second["Topics"] == [{"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:orders-100"}]
        assert second.get("NextToken") is None
        for token in ("ä", "_w=="):
            assert sns.refused("ListTopics", NextToken=token).message == "Invalid parameter: NextToken"


def test_topics_belong_to_an_account_and_a_region(aws: Aws, sns: Any) -> None:
    sns.create_topic(Name="orders")
    elsewhere = aws.client("sns", region_name="eu-west-1")
    assert elsewhere.list_topics()["Topics"] == []
    here = f"arn:aws:sns:us-east-1:{aws.account}:orders"
    assert refused(elsewhere.get_topic_attributes, TopicArn=here) == _invalid("TopicArn")


def test_topics_that_are_not_there(sns: Any, aws: Aws) -> None:
    missing = f"arn:aws:sns:us-east-1:{aws.account}:nothing"
    assert refused(sns.get_topic_attributes, TopicArn=missing) == ("NotFound", "Topic does not exist")
    assert refused(sns.get_topic_attributes, TopicArn="orders") == _invalid(
        "TopicArn Reason: An ARN must have at least 6 elements, not 1"
    )
    assert refused(sns.get_topic_attributes, TopicArn=missing.replace("sns", "sqs")) == _invalid("TopicArn")


def test_deleting_takes_the_subscriptions_along_and_can_be_repeated(sns: Any) -> None:
    arn = sns.create_topic(Name="orders")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="sms", Endpoint="+4915112345678")
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    assert sns.list_topics()["Topics"] == []
    assert sns.list_subscriptions()["Subscriptions"] == []
    again = sns.create_topic(Name="orders")["TopicArn"]
    assert sns.list_subscriptions_by_topic(TopicArn=again)["Subscriptions"] == []
    assert sns.get_topic_attributes(TopicArn=again)["Attributes"]["SubscriptionsConfirmed"] == "0"


def test_tags(sns: Any) -> None:
    arn = sns.create_topic(Name="orders", Tags=[{"Key": "team", "Value": "a"}])["TopicArn"]
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "stage", "Value": ""}])
    listed = sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in listed} == {"team": "b", "stage": ""}
    sns.untag_resource(ResourceArn=arn, TagKeys=["team", "absent"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": ""}]


def test_tags_that_are_refused(sns: Any) -> None:
    arn = sns.create_topic(Name="orders")["TopicArn"]
    many = [{"Key": f"key-{number}", "Value": ""} for number in range(51)]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert refused(sns.tag_resource, ResourceArn=arn, Tags=many)[0] == "TagLimitExceeded"
    assert refused(sns.tag_resource, ResourceArn=arn, Tags=twice)[0] == "InvalidParameter"
    assert refused(sns.tag_resource, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": ""}])[0] == "InvalidParameter"
    assert refused(sns.tag_resource, ResourceArn=arn, Tags=[{"Key": "<", "Value": ""}])[0] == "InvalidParameter"
    assert refused(sns.tag_resource, ResourceArn=f"{arn}s", Tags=[])[0] == "ResourceNotFound"
