"""Subscriptions: protocols and their endpoints, attributes, lists and counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.sns.cloud import ACCOUNT, REGION, local_sns


@pytest.fixture
def fifo_topic(sns: Any) -> str:
    attributes = {"FifoTopic": "true", "ArchivePolicy": '{"MessageRetentionPeriod":"30"}'}
    return str(sns.create_topic(Name="orders.fifo", Attributes=attributes)["TopicArn"])


@pytest.fixture
def queue(aws: Aws) -> str:
    return f"arn:aws:sqs:us-east-1:{aws.account}:orders"


def _invalid(text: str) -> tuple[str, str]:
    return "InvalidParameter", f"Invalid parameter: {text}"


def _attributes(sns: Any, arn: str) -> dict[str, str]:
    return dict(sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"])


def test_a_queue_is_subscribed_at_once(sns: Any, topic: str, queue: str, aws: Aws) -> None:
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    assert arn.startswith(f"{topic}:")
    assert _attributes(sns, arn) == {
        "SubscriptionArn": arn,
        "TopicArn": topic,
        "Protocol": "sqs",
        "Endpoint": queue,
        "Owner": aws.account,
        "SubscriptionPrincipal": f"arn:aws:iam::{aws.account}:root",
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "true",
        "RawMessageDelivery": "false",
    }


def test_an_endpoint_is_subscribed_once(sns: Any, topic: str, queue: str) -> None:
    attributes = {"RawMessageDelivery": "True", "FilterPolicy": '{"kind":["book"]}'}
    endpoint = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue}
    arn = sns.subscribe(**endpoint, Attributes=attributes)["SubscriptionArn"]
    assert sns.subscribe(**endpoint)["SubscriptionArn"] == arn
    assert sns.subscribe(**endpoint, Attributes={"RawMessageDelivery": "true"})["SubscriptionArn"] == arn
    assert refused(sns.subscribe, **endpoint, Attributes={"RawMessageDelivery": "false"}) == _invalid(
        "Attributes Reason: Subscription already exists with different attributes"
    )
    assert len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]) == 1


@pytest.mark.parametrize(
    ("protocol", "endpoint", "message"),
    [
        ("pigeon", "coop", "Amazon SNS does not support this protocol string: pigeon"),
        ("http", "https://example.com", "Endpoint must match the specified protocol"),
        ("https", "http://example.com", "Endpoint must match the specified protocol"),
        ("http", "http://", "Endpoint"),
        ("http", "http://[::1", "Endpoint"),
        ("http", "http://example.com:x/", "Endpoint"),
        ("http", f"http://example.com/{'x' * 2048}", "Endpoint"),
        ("email", "nobody", "Email address"),
        ("email", "http://a:b@example.com/", "Email address"),
        ("email-json", "a@b, c@d", "Email address"),
        ("sms", "call me", "Invalid SMS endpoint: call me"),
        ("sms", "NAA+12065550100", "Invalid SMS endpoint: NAA+12065550100"),
        ("sms", "+1--2065550100", "Invalid SMS endpoint: +1--2065550100"),
        ("sms", "+12065550100.", "Invalid SMS endpoint: +12065550100."),
        ("sms", "-+12065550100", "Invalid SMS endpoint: -+12065550100"),
        ("sqs", "http://localhost:4566/000000000000/orders", "SQS endpoint ARN"),
        ("sqs", "arn:aws:sns:us-east-1:111111111111:orders", "SQS endpoint ARN"),
        ("lambda", "arn:aws:lambda:us-east-1:111111111111:layer:x", "Lambda endpoint ARN"),
        ("application", "arn:aws:sns:us-east-1:111111111111:app/GCM/x", "Application endpoint arn"),
        (
            "sqs",
            "arn:aws:sqs:us-east-1:111111111111:orders.fifo",
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        ),
    ],
)
def test_endpoints_that_are_none(sns: Any, topic: str, protocol: str, endpoint: str, message: str) -> None:
    assert refused(sns.subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint) == _invalid(message)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_an_endpoint_is_needed(sns: Any, topic: str) -> None:
    assert refused(sns.subscribe, TopicArn=topic, Protocol="sms") == _invalid("Endpoint")


def test_an_app_endpoint_must_be_there(sns: Any, topic: str, aws: Aws) -> None:
    arn = f"arn:aws:sns:us-east-1:{aws.account}:endpoint/GCM/app/6f4e9f2c-0000-4000-8000-000000000000"
    assert refused(sns.subscribe, TopicArn=topic, Protocol="application", Endpoint=arn) == _invalid(
        f"Endpoint Reason: Endpoint does not exist for endpoint {arn}"
    )


def test_what_is_not_built_says_so(sns: Any, topic: str, aws: Aws) -> None:
    stream = f"arn:aws:firehose:us-east-1:{aws.account}:deliverystream/orders"
    assert refused(sns.subscribe, TopicArn=topic, Protocol="firehose", Endpoint=stream)[0] == "NotImplemented"


@pytest.mark.parametrize("protocol", ["http", "email", "sms", "lambda", "application"])
def test_only_queues_can_be_subscribed_to_fifo_topics(sns: Any, fifo_topic: str, protocol: str) -> None:
    assert refused(sns.subscribe, TopicArn=fifo_topic, Protocol=protocol, Endpoint="x") == _invalid(
        f"Invalid protocol type: {protocol}"
    )


def test_fifo_topics_deliver_to_both_kinds_of_queues(sns: Any, fifo_topic: str, queue: str) -> None:
    sns.subscribe(TopicArn=fifo_topic, Protocol="sqs", Endpoint=queue)
    sns.subscribe(TopicArn=fifo_topic, Protocol="sqs", Endpoint=f"{queue}.fifo")
    assert sns.get_topic_attributes(TopicArn=fifo_topic)["Attributes"]["SubscriptionsConfirmed"] == "2"


def test_a_phone_number_is_kept_without_its_ornaments(sns: Any, topic: str) -> None:
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+1 (206) 555-0100")
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed[0]["Endpoint"] == "+12065550100"


def test_lists_do_not_show_the_password_of_a_url(sns: Any, topic: str) -> None:
    url = "http://alice:wonder@127.0.0.1:9/inbox"
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url, ReturnSubscriptionArn=True)["SubscriptionArn"]
    for listed in (sns.list_subscriptions(), sns.list_subscriptions_by_topic(TopicArn=topic)):
        assert listed["Subscriptions"][0]["Endpoint"] == "http://alice:****@127.0.0.1:9/inbox"
    assert _attributes(sns, arn)["Endpoint"] == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RawMessageDelivery", "true"),
        ("FilterPolicy", '{"kind":["book"]}'),
    ],
)
def test_attributes_are_set_and_shown(sns: Any, topic: str, queue: str, name: str, value: str) -> None:
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)
    assert _attributes(sns, arn)[name] == value


def test_the_scope_of_a_filter_policy_is_shown_with_the_policy_only(sns: Any, topic: str, queue: str) -> None:
    scope = {"FilterPolicyScope": "MessageBody"}
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=scope)["SubscriptionArn"]
    assert "FilterPolicyScope" not in _attributes(sns, arn)
    policy = '{"order":{"kind":["book"]}}'
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=policy)
    assert _attributes(sns, arn)["FilterPolicyScope"] == "MessageBody"


def test_a_filter_policy_is_about_attributes_unless_it_says_otherwise(sns: Any, topic: str, queue: str) -> None:
    attributes = {"FilterPolicy": '{"kind":["book"]}'}
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)["SubscriptionArn"]
    assert _attributes(sns, arn)["FilterPolicyScope"] == "MessageAttributes"
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")
    assert "FilterPolicy" not in _attributes(sns, arn)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Colour", "blue", None),
        ("RawMessageDelivery", "maybe", "RawMessageDelivery: Invalid value [maybe]. Must be true or false."),
        (
            "RedrivePolicy",
            '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:{account}:dead","maxReceiveCount":"5"}',
            "RedrivePolicy: invalid JSON. Attribute maxReceiveCount is unknown.",
        ),
        ("RedrivePolicy", "{", "RedrivePolicy: failed to parse JSON."),
        ("RedrivePolicy", "{}", "RedrivePolicy: must provide a deadLetterTargetArn."),
        (
            "RedrivePolicy",
            '{"deadLetterTargetArn":"dead"}',
            "RedrivePolicy: deadLetterTargetArn is an invalid arn.",
        ),
        (
            "RedrivePolicy",
            '{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:{account}:dead"}',
            "RedrivePolicy: deadLetterTargetArn must be a queue of the subscription's account and region.",
        ),
        (
            "RedrivePolicy",
            '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:{account}:dead.fifo"}',
            "RedrivePolicy: must use a standard queue as DLQ for a standard topic",
        ),
        ("ReplayPolicy", '{"PointType":"Timestamp"}', "ReplayPolicy: the topic has no ArchivePolicy."),
    ],
)
def test_attributes_that_are_refused(
    sns: Any, topic: str, queue: str, aws: Aws, name: str, value: str, message: str | None
) -> None:
    value = value.replace("{account}", aws.account)
    endpoint = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue}
    created = refused(sns.subscribe, **endpoint, Attributes={name: value})
    assert created == _invalid(f"Attributes Reason: {message or 'Unknown attribute Colour'}")
    arn = sns.subscribe(**endpoint)["SubscriptionArn"]
    changed = refused(sns.set_subscription_attributes, SubscriptionArn=arn, AttributeName=name, AttributeValue=value)
    assert changed == _invalid(message or "AttributeName")


def test_raw_delivery_is_not_for_all_protocols(sns: Any, topic: str) -> None:
    arn = sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+12065550100")["SubscriptionArn"]
    params = {"SubscriptionArn": arn, "AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    assert refused(sns.set_subscription_attributes, **params) == _invalid(
        "Delivery protocol [sms] does not support raw message delivery."
    )


def test_a_redrive_policy_is_kept_and_removed(sns: Any, topic: str, queue: str) -> None:
    policy = json.dumps({"deadLetterTargetArn": f"{queue}-dead"})
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RedrivePolicy": policy})
    change = {"SubscriptionArn": arn["SubscriptionArn"], "AttributeName": "RedrivePolicy"}
    assert _attributes(sns, arn["SubscriptionArn"])["RedrivePolicy"] == policy
    sns.set_subscription_attributes(**change, AttributeValue="")
    assert "RedrivePolicy" not in _attributes(sns, arn["SubscriptionArn"])


def test_http_endpoints_have_a_delivery_policy(sns: Any, topic: str) -> None:
    policy = json.dumps({"healthyRetryPolicy": {"numRetries": 7, "minDelayTarget": 1, "maxDelayTarget": 2}})
    arn = sns.subscribe(
        TopicArn=topic,
        Protocol="http",
        Endpoint="http://127.0.0.1:9/",
        Attributes={"DeliveryPolicy": policy},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    attributes = _attributes(sns, arn)
    assert attributes["DeliveryPolicy"] == policy
    effective = json.loads(attributes["EffectiveDeliveryPolicy"])
    assert effective["healthyRetryPolicy"]["numRetries"] == 7


def test_a_delivery_policy_is_for_http_alone(sns: Any, topic: str, queue: str) -> None:
    attributes = {"DeliveryPolicy": '{"healthyRetryPolicy":{"numRetries":7}}'}
    code, message = refused(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)
    assert code == "InvalidParameter"
    assert "DeliveryPolicy" in message


def test_replay_policies(tmp_path: Path) -> None:
    with local_sns(tmp_path) as sns:
        attributes = {"FifoTopic": "true", "ArchivePolicy": '{"MessageRetentionPeriod":"30"}'}
        topic = sns.call("CreateTopic", Name="orders.fifo", Attributes=attributes)["TopicArn"]
        sns.advance(3_600)
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders.fifo"
        arn = sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
        change = {"SubscriptionArn": arn, "AttributeName": "ReplayPolicy"}
        for policy, message in (
            ({"PointType": "Beginning"}, "PointType must be Timestamp."),
            ({"PointType": "Timestamp"}, "StartingPoint must be an ISO 8601 timestamp with a time zone."),
            (
                {"PointType": "Timestamp", "StartingPoint": "2023-11-14T22:13:20"},
                "StartingPoint must be an ISO 8601 timestamp with a time zone.",
            ),
            ({"PointType": "Timestamp", "StartingPoint": "2023-11-15T22:13:20Z"}, "StartingPoint must be in the past."),
            (
                {"PointType": "Timestamp", "StartingPoint": "2023-11-14T22:13:19Z"},
                "StartingPoint must not be before the topic's archive begins.",
            ),
            (
                {
                    "PointType": "Timestamp",
                    "StartingPoint": "2023-11-14T22:13:20.000Z",
                    "EndingPoint": "2023-11-14T22:13:20.000Z",
                },
                "EndingPoint must be after StartingPoint.",
            ),
        ):
            error = sns.refused("SetSubscriptionAttributes", **change, AttributeValue=json.dumps(policy))
            assert error.message == f"Invalid parameter: ReplayPolicy: {message}"
        good = json.dumps({"PointType": "Timestamp", "StartingPoint": "2023-11-14T22:13:20.000Z"})
        sns.call("SetSubscriptionAttributes", **change, AttributeValue=good)
        shown = sns.call("GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]
        assert shown["ReplayPolicy"] == good
        assert "ReplayStatus" in shown
        sns.call("SetSubscriptionAttributes", **change, AttributeValue="")
        shown = sns.call("GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]
        assert "ReplayPolicy" not in shown
        assert "ReplayStatus" not in shown


def test_messages_above_256_kib_are_not_for_all_subscribers(sns: Any, topic: str, queue: str) -> None:
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    large = {"TopicArn": topic, "AttributeName": "MaximumMessageSize", "AttributeValue": "1048576"}
    sns.set_topic_attributes(**large)
    code, message = refused(sns.subscribe, TopicArn=topic, Protocol="sms", Endpoint="+12065550100")
    assert (code, "256 KiB" in message) == ("InvalidParameter", True)
    sns.set_topic_attributes(**{**large, "AttributeValue": "262144"})
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+12065550100")
    assert refused(sns.set_topic_attributes, **large)[0] == "InvalidParameter"


def test_a_fifo_topic_has_a_hundred_subscriptions_at_most(tmp_path: Path) -> None:
    with local_sns(tmp_path) as sns:
        topic = sns.call("CreateTopic", Name="orders.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        params = {"TopicArn": topic, "Protocol": "sqs"}
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
        for number in range(100):
            sns.call("Subscribe", **params, Endpoint=f"{queue}-{number}")
        sns.call("Subscribe", **params, Endpoint=f"{queue}-7")
        assert sns.refused("Subscribe", **params, Endpoint=f"{queue}-100").code == "SubscriptionLimitExceeded"


def test_a_topic_has_two_hundred_filter_policies_at_most(tmp_path: Path) -> None:
    with local_sns(tmp_path) as sns:
        topic = sns.call("CreateTopic", Name="orders")["TopicArn"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
        params = {"TopicArn": topic, "Protocol": "sqs", "Attributes": {"FilterPolicy": '{"kind":["book"]}'}}
        arns = [
            sns.call("Subscribe", **params, Endpoint=f"{queue}-{number}")["SubscriptionArn"] for number in range(200)
        ]
        assert sns.refused("Subscribe", **params, Endpoint=f"{queue}-200").code == "FilterPolicyLimitExceeded"
        change = {"SubscriptionArn": arns[0], "AttributeName": "FilterPolicy"}
        sns.call("SetSubscriptionAttributes", **change, AttributeValue='{"kind":["film"]}')
        sns.call("SetSubscriptionAttributes", **change, AttributeValue="{}")
        sns.call("Subscribe", **params, Endpoint=f"{queue}-200")
        error = sns.refused("SetSubscriptionAttributes", **change, AttributeValue='{"kind":["film"]}')
        assert error.code == "FilterPolicyLimitExceeded"


def test_subscriptions_are_listed_in_pages(tmp_path: Path) -> None:
    with local_sns(tmp_path) as sns:
        topics = [sns.call("CreateTopic", Name=name)["TopicArn"] for name in ("orders", "returns")]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
        for number in range(101):
            sns.call("Subscribe", TopicArn=topics[0], Protocol="sqs", Endpoint=f"{queue}-{number}")
        sns.call("Subscribe", TopicArn=topics[1], Protocol="sqs", Endpoint=queue)
        for operation, params, total in (
            ("ListSubscriptions", {}, 102),
            ("ListSubscriptionsByTopic", {"TopicArn": topics[0]}, 101),
        ):
            first = sns.call(operation, **params)
            second = sns.call(operation, **params, NextToken=first["NextToken"])
            found = {each["SubscriptionArn"] for each in (*first["Subscriptions"], *second["Subscriptions"])}
            assert len(first["Subscriptions"]) == 100
            assert len(found) == total
            assert second.get("NextToken") is None


def test_unsubscribing(sns: Any, topic: str, queue: str) -> None:
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    assert refused(sns.get_subscription_attributes, SubscriptionArn=arn) == (
        "NotFound",
        "Subscription does not exist",
    )
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsConfirmed"], counts["SubscriptionsDeleted"]) == ("0", "1")
    assert sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"] != arn


def test_what_is_no_subscriptions_arn(sns: Any, topic: str) -> None:
    for call in (sns.unsubscribe, sns.get_subscription_attributes):
        assert refused(call, SubscriptionArn="pending confirmation") == _invalid(
            "SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"
        )
        assert refused(call, SubscriptionArn=topic) == _invalid("SubscriptionArn")
