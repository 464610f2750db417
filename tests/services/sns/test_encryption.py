"""Topics with a key of KMS: what SNS keeps on disk, and who may publish."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.refused import refused
from tests.services.sns.cloud import ACCOUNT, REGION, LocalSns, local_sns
from tests.standing import eventually
from tests.strict_accounts import Account, allow, document

_SECRET = "a very secret text that nobody else may read"


@pytest.fixture
def sns(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path) as running:
        yield running


def _key(sns: LocalSns) -> str:
    return str(sns.call("CreateKey", service="kms")["KeyMetadata"]["KeyId"])


def _topic(sns: LocalSns, name: str = "t", **attributes: str) -> str:
    if name.endswith(".fifo"):
        attributes |= {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    return str(sns.call("CreateTopic", Name=name, Attributes=attributes)["TopicArn"])


def _subscribe(sns: LocalSns, topic: str, queue: str) -> str:
    """Subscribe a queue that is created later; return its ARN."""
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return arn


def _create_queue(sns: LocalSns, name: str) -> str:
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    return str(sns.call("CreateQueue", service="sqs", QueueName=name, Attributes=attributes)["QueueUrl"])


def _received(sns: LocalSns, url: str) -> list[str]:
    found = sns.call("ReceiveMessage", service="sqs", QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [each["Body"] for each in found]


def _is_on_disk(sns: LocalSns, text: str) -> bool:
    """Whether SNS's files have a text in the clear."""
    sns.run(sns.cloud.close())
    files = [file for file in (sns.folder / "blocks" / "sns").rglob("*") if file.is_file()]
    found = any(text.encode() in file.read_bytes() for file in files)
    sns.cloud = sns._open()
    return found


def test_what_waits_for_a_subscriber_is_encrypted(sns: LocalSns) -> None:
    """A subscriber that does not answer: messages wait in the backlog."""
    topic = _topic(sns, KmsMasterKeyId=_key(sns))
    plain = _topic(sns, "plain")
    for each in (topic, plain):
        sns.call("Subscribe", TopicArn=each, Protocol="lambda", Endpoint=_FUNCTION)
    sns.call("Publish", TopicArn=plain, Message="in the clear, as before")
    sns.call("Publish", TopicArn=topic, Message=_SECRET)
    entries = [{"Id": "1", "Message": f"{_SECRET} 2"}]
    sns.call("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert _is_on_disk(sns, "in the clear, as before")
    assert not _is_on_disk(sns, _SECRET)


_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:missing"


def test_the_log_of_a_fifo_topic_is_encrypted_and_replayed(sns: LocalSns) -> None:
    policy = json.dumps({"MessageRetentionPeriod": "1"})
    topic = _topic(sns, "t.fifo", KmsMasterKeyId=_key(sns), ArchivePolicy=policy)
    start = sns.now
    for number in range(3):
        sns.call("Publish", TopicArn=topic, Message=f"{_SECRET} {number}", MessageGroupId="g")
    assert not _is_on_disk(sns, _SECRET)
    url = _create_queue(sns, "q.fifo")
    sns.advance(1)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q.fifo"
    point = _iso(start)
    replay = json.dumps({"PointType": "Timestamp", "StartingPoint": point})
    attributes = {"RawMessageDelivery": "true", "ReplayPolicy": replay}
    sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    found: list[str] = []

    def came() -> bool:
        found.extend(_received(sns, url))
        return len(found) == 3

    sns.until(came)
    assert found == [f"{_SECRET} {number}" for number in range(3)]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_filters_look_at_bodies_that_were_encrypted(sns: LocalSns) -> None:
    """Of a topic with more subscribers than a publisher waits for, the outbox finds out who wants a message."""
    topic = _topic(sns, KmsMasterKeyId=_key(sns))
    urls = [_create_queue(sns, f"q{number}") for number in range(25)]
    for number in range(25):
        arn = _subscribe(sns, topic, f"q{number}")
        if number:
            continue
        subscribed = sns.call("ListSubscriptionsByTopic", TopicArn=topic)["Subscriptions"]
        (own,) = [each["SubscriptionArn"] for each in subscribed if each["Endpoint"] == arn]
        for name, value in (("FilterPolicyScope", "MessageBody"), ("FilterPolicy", '{"kind":["a"]}')):
            sns.call("SetSubscriptionAttributes", SubscriptionArn=own, AttributeName=name, AttributeValue=value)
    sns.call("Publish", TopicArn=topic, Message='{"kind":"b"}')
    sns.call("Publish", TopicArn=topic, Message='{"kind":"a"}')
    found: list[list[str]] = [[] for _ in urls]

    def came() -> bool:
        for texts, url in zip(found, urls, strict=True):
            texts.extend(_received(sns, url))
        return all(len(texts) == 2 for texts in found[1:]) and bool(found[0])

    sns.until(came)
    assert found[0] == ['{"kind":"a"}']


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("DisableKey", {}), "KMSDisabled"),
        (("ScheduleKeyDeletion", {"PendingWindowInDays": 7}), "KMSInvalidState"),
        (None, "KMSNotFound"),
    ],
)
def test_errors_of_the_key_are_those_of_sns(
    sns: LocalSns, change: tuple[str, dict[str, Any]] | None, code: str
) -> None:
    key = _key(sns)
    topic = _topic(sns, KmsMasterKeyId=key if change else "alias/missing")
    if change is not None:
        sns.call("Publish", TopicArn=topic, Message="m")
        sns.call(change[0], service="kms", KeyId=key, **change[1])
        # The data key is reused for five minutes.
        sns.call("Publish", TopicArn=topic, Message="m")
        sns.advance(301)
    assert sns.refused("Publish", TopicArn=topic, Message="m").code == code


def test_publishers_need_permissions_for_the_key(strict_account: Account) -> None:
    kms, sns, sqs = (strict_account.client(name) for name in ("kms", "sns", "sqs"))
    topic = strict_account.arn_of("sns", "t")
    context = {"StringNotEquals": {"kms:EncryptionContext:aws:sns:topicArn": topic}}
    admin = {**allow("kms:*"), "Principal": {"AWS": strict_account.arn}}
    other = {**allow(["kms:Decrypt", "kms:GenerateDataKey"], Condition=context), "Effect": "Deny", "Principal": "*"}
    key = kms.create_key(Policy=document(admin, other))["KeyMetadata"]["Arn"]
    sns.create_topic(Name="t", Attributes={"KmsMasterKeyId": key})
    let = {**allow("sqs:SendMessage"), "Principal": {"Service": "sns.amazonaws.com"}}
    url = sqs.create_queue(QueueName="q", Attributes={"Policy": document(let)})["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=strict_account.arn_of("sqs", "q"))
    user = strict_account.user(allow("sns:*")).client("sns")
    code, message = refused(user.publish, TopicArn=topic, Message="m")
    assert (code, "kms:GenerateDataKey" in message) == ("KMSAccessDenied", True)
    both = allow(["kms:GenerateDataKey", "kms:Decrypt"], key)
    strict_account.user(allow("sns:*"), both, name="bob").client("sns").publish(TopicArn=topic, Message="m")
    assert eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []), lambda found: found
    )
