"""Topic policies, where permissions are enforced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.identity import Principal
from tests.services.sns.cloud import ACCOUNT, OTHER, REGION, STRANGER, LocalSns, local_sns

_USER = Principal("user", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/alice", "AIDAEXAMPLE", "AKIAEXAMPLE")
_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
_PHONE = {"TopicArn": _ARN, "Protocol": "sms", "Endpoint": "+4915112345678"}


@pytest.fixture
def sns(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path, "strict") as sns:
        sns.call("CreateTopic", Name="orders")
        yield sns


def _policy(sns: LocalSns) -> list[dict[str, Any]]:
    shown = sns.call("GetTopicAttributes", TopicArn=_ARN)["Attributes"]["Policy"]
    return list(json.loads(shown)["Statement"])


def _set_policy(sns: LocalSns, **statement: Any) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": _ARN, **statement}]}
    sns.call("SetTopicAttributes", TopicArn=_ARN, AttributeName="Policy", AttributeValue=json.dumps(document))


def test_the_root_of_the_account_needs_no_policy(sns: LocalSns) -> None:
    assert sns.call("GetTopicAttributes", TopicArn=_ARN)["Attributes"]["Owner"] == ACCOUNT
    sns.call("Subscribe", **_PHONE)


def test_others_need_one(sns: LocalSns) -> None:
    error = sns.refused("GetTopicAttributes", by=STRANGER, TopicArn=_ARN)
    assert (error.code, error.message) == (
        "AuthorizationError",
        f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: SNS:GetTopicAttributes on resource: {_ARN} "
        "because no resource-based policy allows the SNS:GetTopicAttributes action",
    )
    sns.call("AddPermission", TopicArn=_ARN, Label="read", AWSAccountId=[OTHER], ActionName=["GetTopicAttributes"])
    sns.call("GetTopicAttributes", by=STRANGER, TopicArn=_ARN)
    assert sns.refused("DeleteTopic", by=STRANGER, TopicArn=_ARN).code == "AuthorizationError"
    sns.call("RemovePermission", TopicArn=_ARN, Label="read")
    assert sns.refused("GetTopicAttributes", by=STRANGER, TopicArn=_ARN).code == "AuthorizationError"


def test_a_policy_can_deny_its_own_account(sns: LocalSns) -> None:
    _set_policy(sns, Effect="Deny", Principal={"AWS": ACCOUNT}, Action="SNS:Subscribe")
    error = sns.refused("Subscribe", by=_USER, **_PHONE)
    assert error.message.endswith("with an explicit deny in a resource-based policy")


def test_a_policy_can_look_at_what_is_subscribed(sns: LocalSns) -> None:
    condition = {"StringLike": {"SNS:Endpoint": "*@example.com"}, "StringEquals": {"SNS:Protocol": "email"}}
    _set_policy(sns, Principal="*", Action="SNS:Subscribe", Condition=condition)
    sns.call("Subscribe", by=STRANGER, TopicArn=_ARN, Protocol="email", Endpoint="a@example.com")
    mail = {"TopicArn": _ARN, "Protocol": "email", "Endpoint": "a@example.org"}
    assert sns.refused("Subscribe", by=STRANGER, **mail).code == "AuthorizationError"
    assert sns.refused("Subscribe", by=STRANGER, **_PHONE).code == "AuthorizationError"


def test_a_subscription_is_the_affair_of_its_owner_and_of_the_topics(sns: LocalSns) -> None:
    _set_policy(sns, Principal={"AWS": OTHER}, Action="SNS:Subscribe")
    arn = sns.call("Subscribe", by=STRANGER, **_PHONE)["SubscriptionArn"]
    third = Principal("root", "333333333333", "arn:aws:iam::333333333333:root", "333333333333", "333333333333")
    for operation in ("GetSubscriptionAttributes", "Unsubscribe"):
        assert sns.refused(operation, by=third, SubscriptionArn=arn).code == "AuthorizationError"
    assert sns.call("GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]["Owner"] == OTHER
    listed = sns.call("ListSubscriptions", by=STRANGER)["Subscriptions"]
    assert [each["SubscriptionArn"] for each in listed] == [arn]
    assert sns.call("ListSubscriptions")["Subscriptions"] == []
    sns.call("Unsubscribe", by=STRANGER, SubscriptionArn=arn)
    assert sns.call("ListSubscriptions", by=STRANGER)["Subscriptions"] == []


def test_platform_applications_are_their_accounts_own(sns: LocalSns) -> None:
    created = sns.call(
        "CreatePlatformApplication", Name="app", Platform="GCM", Attributes={"PlatformCredential": "secret"}
    )
    params = {"PlatformApplicationArn": created["PlatformApplicationArn"]}
    for operation in ("GetPlatformApplicationAttributes", "DeletePlatformApplication"):
        assert sns.refused(operation, by=STRANGER, **params).code == "AuthorizationError"


def test_permissions_are_statements_of_the_policy(sns: LocalSns) -> None:
    sns.call("AddPermission", TopicArn=_ARN, Label="p", AWSAccountId=[OTHER], ActionName=["Publish", "Subscribe"])
    assert _policy(sns)[1] == {
        "Sid": "p",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": ["SNS:Publish", "SNS:Subscribe"],
        "Resource": _ARN,
    }
    sns.call("RemovePermission", TopicArn=_ARN, Label="p")
    sns.call("RemovePermission", TopicArn=_ARN, Label="p")
    assert [statement["Sid"] for statement in _policy(sns)] == ["__default_statement_ID"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Label": "p"}, "Invalid parameter: Statement already exists"),
        ({"Label": "a b"}, "Invalid parameter: Label"),
        ({"AWSAccountId": ["12"]}, "Invalid parameter: AWSAccountId"),
        ({"AWSAccountId": []}, "Invalid parameter: AWSAccountId Reason: no value for required parameter"),
        ({"ActionName": ["Fly"]}, "Invalid parameter: Policy statement action out of service scope!"),
        ({"ActionName": []}, "Invalid parameter: ActionName Reason: no value for required parameter"),
    ],
)
def test_permissions_that_are_refused(sns: LocalSns, change: dict[str, Any], message: str) -> None:
    params = {"TopicArn": _ARN, "Label": "q", "AWSAccountId": [OTHER], "ActionName": ["Publish"]}
    sns.call("AddPermission", **{**params, "Label": "p"})
    assert sns.refused("AddPermission", **{**params, **change}).message == message


def test_a_policy_is_about_its_topic(sns: LocalSns) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "SNS:Publish", "Resource": f"{_ARN}-2"}
    params = {"TopicArn": _ARN, "AttributeName": "Policy"}
    error = sns.refused("SetTopicAttributes", **params, AttributeValue=json.dumps({"Statement": statement}))
    assert error.message == "Invalid parameter: Policy statement resource must match the ARN of the topic"


def test_pages_show_messages_in_open_mode_only(sns: LocalSns, tmp_path: Path) -> None:
    sns.call("Publish", PhoneNumber="+4915112345678", Message="a secret")
    for name in ("sms", "push", "delivery-status"):
        assert sns.page(name)[0] == "text/plain"
        assert b"secret" not in sns.page(name)[1]
    with local_sns(tmp_path / "open") as opened:
        opened.call("Publish", PhoneNumber="+4915112345678", Message="hello")
        content_type, content = opened.page("sms")
        assert (content_type, json.loads(content)[0]["message"]) == ("application/json", "hello")


def test_a_topic_lets_in_services_on_behalf_of_what_it_names(sns: LocalSns) -> None:
    bucket = "arn:aws:s3:::uploads"
    storage = Principal("service", OTHER, "s3.amazonaws.com", "s3")
    publish = {"TopicArn": _ARN, "Message": "an upload"}
    assert sns.refused("Publish", by=storage, source_arn=bucket, **publish).code == "AuthorizationError"
    condition = {"ArnLike": {"aws:SourceArn": bucket}}
    _set_policy(sns, Principal={"Service": "s3.amazonaws.com"}, Action="SNS:Publish", Condition=condition)
    sns.call("Publish", by=storage, source_arn=bucket, **publish)
    assert sns.refused("Publish", by=storage, source_arn=f"{bucket}-2", **publish).code == "AuthorizationError"


def test_batches_need_the_permission_to_publish(sns: LocalSns) -> None:
    batch = {"TopicArn": _ARN, "PublishBatchRequestEntries": [{"Id": "1", "Message": "hello"}]}
    assert sns.refused("PublishBatch", by=STRANGER, **batch).code == "AuthorizationError"
    sns.call("AddPermission", TopicArn=_ARN, Label="p", AWSAccountId=[OTHER], ActionName=["Publish"])
    assert len(sns.call("PublishBatch", by=STRANGER, **batch)["Successful"]) == 1
