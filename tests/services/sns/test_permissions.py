"""Permissions on topics, of users and roles of IAM: identity-based policies and the topic's own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.standing import eventually
from tests.strict_accounts import Account, Caller, allow, deny, document, is_denied


class Topic:
    """A topic, made by the root of its account."""

    def __init__(self, account: Account, name: str = "orders") -> None:
        self.account = account
        self.root: Any = account.client("sns")
        self.arn: str = self.root.create_topic(Name=name)["TopicArn"]

    def let(self, *statements: dict[str, Any]) -> None:
        """Give the topic a policy."""
        policy = document(*({"Resource": self.arn, **each} for each in statements))
        self.root.set_topic_attributes(TopicArn=self.arn, AttributeName="Policy", AttributeValue=policy)

    def refuses(self, caller: Caller) -> bool:
        """Whether a caller may not publish."""
        return is_denied(caller.client("sns").publish, TopicArn=self.arn, Message="m")


@pytest.fixture
def topic(strict_account: Account) -> Topic:
    return Topic(strict_account)


def _granted(arn: str, action: str = "SNS:Publish") -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": action}


def test_a_user_whom_no_policy_allows_is_refused(topic: Topic) -> None:
    """The policy that a topic has by default lets in services for its account, and no users."""
    user = topic.account.user()
    assert refused(user.client("sns").publish, TopicArn=topic.arn, Message="m") == (
        "AuthorizationError",
        f"User: {user.arn} is not authorized to perform: SNS:Publish on resource: {topic.arn} "
        "because no identity-based policy allows the SNS:Publish action",
    )
    assert "SNS:CreateTopic" in refused(user.client("sns").create_topic, Name="x")[1]


def test_an_identity_based_policy_allows(topic: Topic) -> None:
    user = topic.account.user(allow("sns:Publish", topic.arn))
    assert not topic.refuses(user)
    sns = user.client("sns")
    entries = [{"Id": "1", "Message": "m"}]
    assert sns.publish_batch(TopicArn=topic.arn, PublishBatchRequestEntries=entries)["Successful"]
    assert code_of(sns.get_topic_attributes, TopicArn=topic.arn) == "AuthorizationError"
    assert code_of(sns.delete_topic, TopicArn=topic.arn) == "AuthorizationError"
    assert Topic(topic.account, "others").refuses(user)


def test_an_explicit_denial_outweighs_all(topic: Topic) -> None:
    user = topic.account.user(allow("sns:*"), deny("sns:Publish", topic.arn))
    topic.let(_granted(user.arn))
    assert topic.refuses(user)
    bob = topic.account.user(allow("sns:*"), name="bob")
    assert not topic.refuses(bob)
    topic.let({**_granted(bob.arn), "Effect": "Deny"})
    assert topic.refuses(bob)


def test_the_topics_policy_alone_lets_in_a_user_of_its_account(topic: Topic) -> None:
    user = topic.account.user()
    topic.let(_granted(topic.account.arn))
    assert topic.refuses(user)
    topic.let(_granted(user.arn))
    assert not topic.refuses(user)


def test_a_boundary_and_a_session_policy_limit(topic: Topic) -> None:
    account = topic.account
    assert topic.refuses(account.user(allow("sns:*"), boundary=allow("sns:Subscribe")))
    user = account.user(allow("sts:AssumeRole"), name="bob")
    role = account.role({"AWS": user.arn}, allow("sns:*"))
    assert not topic.refuses(account.assume(role, user))
    assert topic.refuses(account.assume(role, user, allow("sns:Subscribe")))


def test_both_accounts_have_to_let_in_a_stranger(topic: Topic, other_account: Account) -> None:
    user = other_account.user(allow("sns:*"))
    assert topic.refuses(user)
    topic.let(_granted(other_account.arn))
    assert not topic.refuses(user)
    bob = other_account.user(name="bob")
    assert topic.refuses(bob)
    topic.let(_granted(bob.arn))
    assert topic.refuses(bob)
    assert topic.refuses(user)


def test_who_has_not_signed_needs_the_topics_policy(topic: Topic) -> None:
    sns = topic.account.anonymous("sns")
    assert code_of(sns.publish, TopicArn=topic.arn, Message="m") == "AuthorizationError"
    topic.let({**_granted("*"), "Principal": "*"})
    sns.publish(TopicArn=topic.arn, Message="m")
    assert code_of(sns.publish, PhoneNumber="+4915112345678", Message="m") == "MissingAuthenticationToken"
    for call, params in (
        (sns.create_topic, {"Name": "x"}),
        (sns.list_topics, {}),
        (sns.list_subscriptions, {}),
        (sns.list_platform_applications, {}),
        (sns.create_sms_sandbox_phone_number, {"PhoneNumber": "+4915112345678"}),
        (sns.subscribe, {"TopicArn": topic.arn, "Protocol": "sms", "Endpoint": "+4915112345678"}),
    ):
        assert code_of(call, **params) == "MissingAuthenticationToken"


def test_what_is_subscribed_takes_part(topic: Topic) -> None:
    only_mail = {"StringEquals": {"sns:Protocol": "email"}, "StringLike": {"sns:Endpoint": "*@example.com"}}
    sns = topic.account.user(allow("sns:Subscribe", topic.arn, Condition=only_mail)).client("sns")
    sns.subscribe(TopicArn=topic.arn, Protocol="email", Endpoint="a@example.com")
    for protocol, endpoint in (("email", "a@example.org"), ("sms", "+4915112345678")):
        subscribed = {"TopicArn": topic.arn, "Protocol": protocol, "Endpoint": endpoint}
        assert code_of(sns.subscribe, **subscribed) == "AuthorizationError"


def test_tags_take_part(topic: Topic) -> None:
    topic.root.tag_resource(ResourceArn=topic.arn, Tags=[{"Key": "team", "Value": "blue"}])
    blue = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    red = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    assert not topic.refuses(topic.account.user(allow("sns:Publish", Condition=blue)))
    assert topic.refuses(topic.account.user(allow("sns:Publish", Condition=red), name="bob"))
    given = {"StringEquals": {"aws:RequestTag/team": "red"}}
    sns = topic.account.user(allow("sns:CreateTopic"), allow("sns:TagResource", Condition=given), name="c").client(
        "sns"
    )
    sns.create_topic(Name="red", Tags=[{"Key": "team", "Value": "red"}])
    assert "SNS:TagResource" in refused(sns.create_topic, Name="b", Tags=[{"Key": "team", "Value": "blue"}])[1]


def test_what_is_about_no_topic_is_decided_by_the_callers_policies(topic: Topic) -> None:
    account = topic.account
    user = account.user(allow("sns:Publish", topic.arn))
    number = {"PhoneNumber": "+4915112345678", "Message": "m"}
    assert "on resource: +4915112345678 because" in refused(user.client("sns").publish, **number)[1]
    assert code_of(user.client("sns").list_topics) == "AuthorizationError"
    bob = account.user(allow(["sns:Publish", "sns:List*", "sns:*Platform*", "sns:*Endpoint*"]), name="bob").client(
        "sns"
    )
    bob.publish(**number)
    assert len(bob.list_topics()["Topics"]) == 1
    credential = {"PlatformCredential": "secret"}
    made = bob.create_platform_application(Name="app", Platform="GCM", Attributes=credential)
    application = {"PlatformApplicationArn": made["PlatformApplicationArn"]}
    endpoint = bob.create_platform_endpoint(**application, Token="t")["EndpointArn"]
    bob.publish(TargetArn=endpoint, Message="m")
    assert code_of(user.client("sns").publish, TargetArn=endpoint, Message="m") == "AuthorizationError"
    assert code_of(user.client("sns").get_platform_application_attributes, **application) == "AuthorizationError"


def test_a_subscription_is_ended_by_those_who_may(topic: Topic) -> None:
    sub = {"TopicArn": topic.arn, "Protocol": "sqs", "Endpoint": topic.account.arn_of("sqs", "q")}
    subscription = {"SubscriptionArn": topic.root.subscribe(**sub)["SubscriptionArn"]}
    sns = topic.account.user(allow("sns:Subscribe")).client("sns")
    assert code_of(sns.unsubscribe, **subscription) == "AuthorizationError"
    assert code_of(sns.get_subscription_attributes, **subscription) == "AuthorizationError"
    may = topic.account.user(allow(["sns:Unsubscribe", "sns:GetSubscriptionAttributes"]), name="bob").client("sns")
    may.get_subscription_attributes(**subscription)
    may.unsubscribe(**subscription)


def test_deleting_a_topic_that_is_not_there_takes_the_permission_too(topic: Topic) -> None:
    gone = {"TopicArn": f"{topic.arn}-2"}
    assert code_of(topic.account.user().client("sns").delete_topic, **gone) == "AuthorizationError"
    topic.account.user(allow("sns:DeleteTopic"), name="bob").client("sns").delete_topic(**gone)


def test_a_role_for_the_delivery_log_is_handed_over_by_those_who_may(strict_account: Account) -> None:
    role = strict_account.service_role("sns", allow("logs:*"))
    asked = {"Name": "t", "Attributes": {"SQSSuccessFeedbackRoleArn": role}}
    user = strict_account.user(allow("sns:*"))
    assert "iam:PassRole" in refused(user.client("sns").create_topic, **asked)[1]
    passing = allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "sns.amazonaws.com"}})
    strict_account.user(allow("sns:*"), passing, name="bob").client("sns").create_topic(**asked)


def test_a_queue_must_let_its_topic_in(topic: Topic) -> None:
    sqs = topic.account.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = topic.account.arn_of("sqs", "q")
    topic.root.subscribe(TopicArn=topic.arn, Protocol="sqs", Endpoint=arn)
    topic.root.publish(TopicArn=topic.arn, Message="lost")
    statement = {
        **allow("sqs:SendMessage", arn, Condition={"ArnEquals": {"aws:SourceArn": topic.arn}}),
        "Principal": {"Service": "sns.amazonaws.com"},
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(statement)})
    topic.root.publish(TopicArn=topic.arn, Message="kept")
    (message,) = eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []), lambda found: found
    )
    assert '"kept"' in message["Body"]
