"""Confirmation of subscriptions: tokens, links, and what happens to those that nobody confirms."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
import pytest

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.services.sns import outward
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.refused import refused
from tests.services.sns import endpoint as endpoints
from tests.services.sns.cloud import OTHER, OWNER, REGION, STRANGER, LocalSns, local_sns

_DAY = 86_400
_QUEUE = f"arn:aws:sqs:{REGION}:{OTHER}:inbox"


@pytest.fixture
def sns(tmp_path: Path) -> Iterator[LocalSns]:
    """SNS with a queue of another account, which its topics' owner cannot just subscribe."""
    with local_sns(tmp_path) as sns:
        sns.call("CreateQueue", service="sqs", by=STRANGER, QueueName="inbox")
        yield sns


def _received(sns: LocalSns, queue: str) -> list[dict[str, Any]]:
    """Return what has come to a queue of the other account, and empty it."""
    url = f"http://localhost:4566/{OTHER}/{queue}"
    received = sns.call("ReceiveMessage", service="sqs", by=STRANGER, QueueUrl=url, MaxNumberOfMessages=10)
    messages = received.get("Messages", [])
    for message in messages:
        params = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
        sns.call("DeleteMessage", service="sqs", by=STRANGER, **params)
    return [json.loads(message["Body"]) for message in messages]


def _next(sns: LocalSns, queue: str = "inbox") -> dict[str, Any]:
    """Return the next message to a queue of the other account, once it is there."""
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        found.extend(_received(sns, queue))
        return bool(found)

    sns.until(arrived)
    (message,) = found
    return message


def _topic(sns: LocalSns) -> str:
    return str(sns.call("CreateTopic", Name="orders")["TopicArn"])


def _subscribe(sns: LocalSns, topic: str, **params: Any) -> str:
    return str(
        sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=_QUEUE, ReturnSubscriptionArn=True, **params)[
            "SubscriptionArn"
        ]
    )


def _attributes(sns: LocalSns, arn: str) -> dict[str, str]:
    return dict(sns.call("GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"])


def test_an_endpoint_of_others_is_asked_first(sns: LocalSns) -> None:
    topic = _topic(sns)
    params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": _QUEUE}
    assert sns.call("Subscribe", **params)["SubscriptionArn"] == "pending confirmation"
    asked = _next(sns)
    assert asked["Type"] == "SubscriptionConfirmation"
    assert asked["TopicArn"] == topic
    assert asked["Token"] in asked["SubscribeURL"]
    (listed,) = sns.call("ListSubscriptionsByTopic", TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    counts = sns.call("GetTopicAttributes", TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("1", "0")


def test_a_fifo_queue_is_asked_too(sns: LocalSns) -> None:
    sns.call("CreateQueue", service="sqs", by=STRANGER, QueueName="inbox.fifo", Attributes={"FifoQueue": "true"})
    topic = sns.call("CreateTopic", Name="orders.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=f"{_QUEUE}.fifo")
    assert _next(sns, "inbox.fifo")["TopicArn"] == topic


def test_endpoints_that_do_not_answer_hold_up_no_others(sns: LocalSns, monkeypatch: pytest.MonkeyPatch) -> None:
    notify = outward.notify

    async def hanging(block: Block, topic: Topic, subscribed: Subscription, kind: str, id: str, written: int) -> None:
        if subscribed.protocol == "http":
            await asyncio.Event().wait()
        await notify(block, topic, subscribed, kind, id, written)

    monkeypatch.setattr(outward, "notify", hanging)
    topic = _topic(sns)
    for number in range(150):
        sns.call("Subscribe", TopicArn=topic, Protocol="http", Endpoint=f"http://localhost/{number}")
    _subscribe(sns, topic)
    assert _next(sns)["TopicArn"] == topic


def test_an_owner_is_not_asked(sns: LocalSns) -> None:
    topic = _topic(sns)
    subscribed = sns.call("Subscribe", by=STRANGER, TopicArn=topic, Protocol="sqs", Endpoint=_QUEUE)
    assert subscribed["SubscriptionArn"].startswith(f"{topic}:")


def test_the_token_confirms(sns: LocalSns) -> None:
    topic = _topic(sns)
    arn = _subscribe(sns, topic)
    assert _attributes(sns, arn)["PendingConfirmation"] == "true"
    token = _next(sns)["Token"]
    for _ in range(2):
        confirmed = sns.call("ConfirmSubscription", by=STRANGER, TopicArn=topic, Token=token)
        assert confirmed["SubscriptionArn"] == arn
    attributes = _attributes(sns, arn)
    assert (attributes["PendingConfirmation"], attributes["ConfirmationWasAuthenticated"]) == ("false", "true")
    counts = sns.call("GetTopicAttributes", TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("0", "1")


def test_what_is_no_token(sns: LocalSns) -> None:
    topic = _topic(sns)
    _subscribe(sns, topic)
    token = _next(sns)["Token"]
    for wrong in ("", "x", token[:-1], f"{token}0", token[:-1] + ("0" if token[-1] != "0" else "1"), "ä" * 224):
        error = sns.refused("ConfirmSubscription", TopicArn=topic, Token=wrong)
        assert (error.code, error.message) == ("InvalidParameter", "Invalid parameter: Token")
    other = sns.call("CreateTopic", Name="returns")["TopicArn"]
    assert sns.refused("ConfirmSubscription", TopicArn=other, Token=token).message == "Invalid parameter: Token"
    assert sns.refused("ConfirmSubscription", TopicArn=f"{topic}s", Token=token).code == "NotFound"


def test_a_subscription_cannot_be_ended_before_it_is_confirmed(sns: LocalSns) -> None:
    arn = _subscribe(sns, _topic(sns))
    assert sns.refused("Unsubscribe", SubscriptionArn=arn).code == "InvalidParameter"
    assert _attributes(sns, arn)["PendingConfirmation"] == "true"


def test_two_days_are_given_to_confirm(sns: LocalSns) -> None:
    topic = _topic(sns)
    arn = _subscribe(sns, topic)
    token = _next(sns)["Token"]
    sns.advance(2 * _DAY)
    assert sns.refused("ConfirmSubscription", TopicArn=topic, Token=token).code == "InvalidParameter"
    sns.advance(60)
    sns.until(lambda: sns.call("ListSubscriptionsByTopic", TopicArn=topic)["Subscriptions"] == [])
    assert sns.refused("GetSubscriptionAttributes", SubscriptionArn=arn).code == "NotFound"
    counts = sns.call("GetTopicAttributes", TopicArn=topic)["Attributes"]
    assert (counts["SubscriptionsPending"], counts["SubscriptionsDeleted"]) == ("0", "1")


def test_asking_again_gives_two_days_again(sns: LocalSns) -> None:
    topic = _topic(sns)
    arn = _subscribe(sns, topic)
    first = _next(sns)["Token"]
    sns.advance(2 * _DAY - 1)
    assert _subscribe(sns, topic) == arn
    assert _next(sns)["Token"] == first
    sns.advance(_DAY)
    assert sns.call("ConfirmSubscription", TopicArn=topic, Token=first)["SubscriptionArn"] == arn
    sns.advance(2 * _DAY)
    assert _attributes(sns, arn)["PendingConfirmation"] == "false"


def test_only_signed_requests_end_a_subscription_that_says_so(sns: LocalSns) -> None:
    topic = _topic(sns)
    arn = _subscribe(sns, topic)
    token = _next(sns)["Token"]
    sns.call("ConfirmSubscription", by=STRANGER, TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    assert sns.refused("Unsubscribe", by=ANONYMOUS, SubscriptionArn=arn).code == "AuthorizationError"
    assert "AuthenticateOnUnsubscribe" not in _attributes(sns, arn)
    sns.call("Unsubscribe", by=OWNER, SubscriptionArn=arn)
    assert sns.refused("GetSubscriptionAttributes", SubscriptionArn=arn).code == "NotFound"


def test_who_is_unsubscribed_by_others_is_told_and_can_come_back(sns: LocalSns) -> None:
    topic = _topic(sns)
    params = {"TopicArn": topic, "Protocol": "email-json", "Endpoint": "a@example.com"}
    arn = sns.call("Subscribe", **params, ReturnSubscriptionArn=True)["SubscriptionArn"]
    asked = _mails(sns, 1)[0]
    sns.call("ConfirmSubscription", by=ANONYMOUS, TopicArn=topic, Token=asked["Token"])
    assert _attributes(sns, arn)["ConfirmationWasAuthenticated"] == "false"
    sns.call("Unsubscribe", by=ANONYMOUS, SubscriptionArn=arn)
    assert sns.refused("GetSubscriptionAttributes", SubscriptionArn=arn).code == "NotFound"
    (told,) = [mail for mail in _mails(sns, 2) if mail["Type"] == "UnsubscribeConfirmation"]
    back = sns.call("ConfirmSubscription", by=ANONYMOUS, TopicArn=topic, Token=told["Token"])
    assert back["SubscriptionArn"] == arn
    assert _attributes(sns, arn)["PendingConfirmation"] == "false"


def test_who_unsubscribes_himself_is_told_nothing(sns: LocalSns) -> None:
    topic = _topic(sns)
    params = {"TopicArn": topic, "Protocol": "email-json", "Endpoint": "a@example.com"}
    arn = sns.call("Subscribe", **params, ReturnSubscriptionArn=True)["SubscriptionArn"]
    sns.call("ConfirmSubscription", TopicArn=topic, Token=_mails(sns, 1)[0]["Token"])
    sns.call("Unsubscribe", SubscriptionArn=arn)
    sns.call("Subscribe", **params)
    assert [mail["Type"] for mail in _mails(sns, 2)] == ["SubscriptionConfirmation"] * 2


def _mails(sns: LocalSns, count: int) -> list[dict[str, Any]]:
    """Return the JSON of the mails that were sent, once there are so many."""
    folder = sns.folder / "mail" / "new"
    sns.until(lambda: folder.is_dir() and len(list(folder.iterdir())) >= count)
    return [_json_of(file) for file in folder.iterdir()]


def _json_of(file: Path) -> dict[str, Any]:
    mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    return dict(json.loads(mail.get_content()))


def test_who_has_confirmed_is_not_asked_once_more(sns: LocalSns) -> None:
    with endpoints.running() as endpoint:
        endpoint.answer = lambda received: 503 if received.kind == "SubscriptionConfirmation" else 200
        topic = _topic(sns)
        subscription = {"TopicArn": topic, "Protocol": "http", "Endpoint": endpoint.url}
        sns.call("Subscribe", **subscription)
        sns.until(lambda: bool(endpoint.received))
        (asked,) = endpoint.received
        sns.call("ConfirmSubscription", TopicArn=topic, Token=asked.message["Token"])
        sns.advance(3_600)
        sns.call("Publish", TopicArn=topic, Message="hello")
        sns.until(lambda: len(endpoint.received) > 1)
        assert [received.kind for received in endpoint.received] == ["SubscriptionConfirmation", "Notification"]


def test_the_links_in_messages_work_without_a_signature(aws: Aws) -> None:
    topics, other = aws.client("sns"), Aws(aws.endpoint, fresh_account())
    queues = other.client("sqs")
    url = queues.create_queue(QueueName="inbox")["QueueUrl"]
    topic = topics.create_topic(Name="orders")["TopicArn"]
    arn = topics.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:{other.account}:inbox",
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    (message,) = queues.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    with urlopen(json.loads(message["Body"])["SubscribeURL"], timeout=10) as answer:
        assert arn.encode() in answer.read()
    assert topics.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "false"
    queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    topics.publish(TopicArn=topic, Message="hello")
    (message,) = queues.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    with urlopen(json.loads(message["Body"])["UnsubscribeURL"], timeout=10) as answer:
        assert answer.status == 200
    assert refused(topics.get_subscription_attributes, SubscriptionArn=arn)[0] == "NotFound"


def test_links_work_in_strict_mode_and_nothing_else_does_unsigned() -> None:
    key, secret = "AKIDEXAMPLE000000001", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    root_key = f"123456789012:{key}:{secret}"
    with (
        Server.start("--ephemeral", "--auth", "strict", "--root-key", root_key) as server,
        endpoints.running() as endpoint,
    ):
        sns = boto3.client(
            "sns", "eu-west-1", endpoint_url=server.endpoint, aws_access_key_id=key, aws_secret_access_key=secret
        )
        topic = sns.create_topic(Name="orders")["TopicArn"]
        subscription = {"TopicArn": topic, "Protocol": "http", "Endpoint": endpoint.url}
        arn = sns.subscribe(**subscription, ReturnSubscriptionArn=True)["SubscriptionArn"]
        (asked,) = endpoint.wait(kind="SubscriptionConfirmation")
        urlopen(asked.message["SubscribeURL"], timeout=10).close()
        attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        assert (attributes["PendingConfirmation"], attributes["ConfirmationWasAuthenticated"]) == ("false", "false")
        sns.publish(TopicArn=topic, Message="hello")
        (notified,) = endpoint.wait()
        urlopen(notified.message["UnsubscribeURL"], timeout=10).close()
        assert refused(sns.get_subscription_attributes, SubscriptionArn=arn)[0] == "NotFound"
        with pytest.raises(HTTPError) as caught:
            urlopen(f"{server.endpoint}/?Action=ListTopics&Version=2010-03-31", timeout=10)
        assert caught.value.code == 403
        assert b"MissingAuthenticationToken" in caught.value.read()
