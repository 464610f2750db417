"""Queues with a key of KMS: what is on disk, who may send and receive, and how long data keys are reused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.identity import root
from tests.refused import code_of, refused
from tests.services.sqs.conftest import ACCOUNT, REGION, Sqs
from tests.standing import eventually
from tests.strict_accounts import Account, allow, deny, document

_SECRET = "a very secret text that nobody else may read"


class Encrypted(Sqs):
    """SQS and KMS in one process, whose files can be looked into."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.key = self.kms("CreateKey")["KeyMetadata"]["KeyId"]

    def kms(self, operation: str, **params: Any) -> Any:
        called = self.cloud.call("kms", operation, params, principal=root(ACCOUNT), account=ACCOUNT, region=REGION)
        return self.run(called) or {}

    def is_on_disk(self, text: str) -> bool:
        """Whether the block's files have a text in the clear."""
        self.run(self.cloud.close())
        found = any(text.encode() in file.read_bytes() for file in self.folder.rglob("*") if file.is_file())
        self.cloud = self._open()
        return found

    def refuses(self, operation: str, **params: Any) -> str:
        with pytest.raises(AwsError) as caught:
            self.call(operation, **params)
        return caught.value.code


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Encrypted]:
    server = Encrypted(tmp_path)
    yield server
    server.close()


def test_bodies_are_encrypted_on_disk(encrypted: Encrypted) -> None:
    plain, sealed = encrypted.queue("plain"), encrypted.queue("sealed", KmsMasterKeyId=encrypted.key)
    encrypted.send(plain, "in the clear, as before")
    sent = encrypted.send(sealed, _SECRET)
    assert encrypted.is_on_disk("in the clear, as before")
    assert not encrypted.is_on_disk(_SECRET)
    (message,) = encrypted.receive(sealed)
    assert message["Body"] == _SECRET
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]


def test_batches_and_fifo_queues_are_encrypted_too(encrypted: Encrypted) -> None:
    url = encrypted.queue("q.fifo", KmsMasterKeyId=encrypted.key)
    entries = [{"Id": str(n), "MessageBody": f"{_SECRET} {n}", "MessageGroupId": "g"} for n in range(3)]
    encrypted.call("SendMessageBatch", QueueUrl=url, Entries=entries)
    encrypted.send(url, f"{_SECRET} 0", MessageGroupId="g")
    assert not encrypted.is_on_disk(_SECRET)
    expected = [f"{_SECRET} {n}" for n in range(3)]
    assert encrypted.bodies(url, ReceiveRequestAttemptId="a") == expected
    assert encrypted.bodies(url, ReceiveRequestAttemptId="a") == expected


def test_a_message_stays_encrypted_wherever_it_goes(encrypted: Encrypted) -> None:
    """Developer Guide, "Encryption at rest": also in a dead-letter queue that is not encrypted."""
    dead = encrypted.queue("dead")
    redrive = json.dumps({"deadLetterTargetArn": encrypted.arn(dead), "maxReceiveCount": 1})
    url = encrypted.queue(KmsMasterKeyId=encrypted.key, RedrivePolicy=redrive, VisibilityTimeout=0)
    encrypted.send(url, _SECRET)
    assert encrypted.bodies(url) == [_SECRET]
    assert encrypted.bodies(url) == []
    assert not encrypted.is_on_disk(_SECRET)
    assert encrypted.bodies(dead, VisibilityTimeout=0) == [_SECRET]
    encrypted.call("StartMessageMoveTask", SourceArn=encrypted.arn(dead))
    encrypted.until(lambda: encrypted.counts(url)[0] == 1)
    assert encrypted.bodies(url) == [_SECRET]


def test_turning_encryption_on_and_off_leaves_messages_as_they_are(encrypted: Encrypted) -> None:
    url = encrypted.queue()
    encrypted.send(url, "first")
    encrypted.call("SetQueueAttributes", QueueUrl=url, Attributes={"KmsMasterKeyId": encrypted.key})
    encrypted.send(url, "second")
    encrypted.call("SetQueueAttributes", QueueUrl=url, Attributes={"KmsMasterKeyId": ""})
    encrypted.send(url, "third")
    assert sorted(encrypted.bodies(url)) == ["first", "second", "third"]


@pytest.mark.parametrize("key", ["alias/aws/sqs", "alias/mine", "arn"])
def test_a_key_is_named_in_several_ways(encrypted: Encrypted, key: str) -> None:
    encrypted.kms("CreateAlias", AliasName="alias/mine", TargetKeyId=encrypted.key)
    arn = encrypted.kms("DescribeKey", KeyId=encrypted.key)["KeyMetadata"]["Arn"]
    url = encrypted.queue(KmsMasterKeyId=arn if key == "arn" else key)
    encrypted.send(url, _SECRET)
    assert encrypted.bodies(url) == [_SECRET]


def test_data_keys_are_reused_for_a_while_and_errors_are_those_of_sqs(encrypted: Encrypted) -> None:
    url = encrypted.queue(KmsMasterKeyId=encrypted.key, KmsDataKeyReusePeriodSeconds=60, VisibilityTimeout=0)
    encrypted.send(url, _SECRET)
    encrypted.kms("DisableKey", KeyId=encrypted.key)
    encrypted.send(url, _SECRET)
    assert encrypted.bodies(url) == [_SECRET] * 2
    encrypted.advance(61)
    assert encrypted.refuses("SendMessage", QueueUrl=url, MessageBody="m") == "KmsDisabled"
    assert encrypted.refuses("ReceiveMessage", QueueUrl=url) == "KmsDisabled"
    entries = [{"Id": "1", "MessageBody": "m"}]
    assert encrypted.refuses("SendMessageBatch", QueueUrl=url, Entries=entries) == "KmsDisabled"
    encrypted.kms("EnableKey", KeyId=encrypted.key)
    # Who could not read them has not taken them.
    assert [each["Attributes"]["ApproximateReceiveCount"] for each in encrypted.receive(url)] == ["2", "2"]
    encrypted.kms("ScheduleKeyDeletion", KeyId=encrypted.key, PendingWindowInDays=7)
    encrypted.advance(61)
    assert encrypted.refuses("SendMessage", QueueUrl=url, MessageBody="m") == "KmsInvalidState"
    missing = encrypted.queue("missing", KmsMasterKeyId="alias/missing")
    assert encrypted.refuses("SendMessage", QueueUrl=missing, MessageBody="m") == "KmsNotFound"


def test_a_receiver_that_waits_gets_what_is_encrypted(encrypted: Encrypted) -> None:
    url = encrypted.queue(KmsMasterKeyId=encrypted.key)

    async def wait() -> Any:
        waiting = asyncio.ensure_future(encrypted.calling("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await encrypted.settle()
        await encrypted.calling("SendMessage", QueueUrl=url, MessageBody=_SECRET)
        return await waiting

    assert [each["Body"] for each in encrypted.run(wait())["Messages"]] == [_SECRET]


# -- permissions


def _key(account: Account, *statements: dict[str, Any]) -> str:
    """Create a key whose policy lets in its account, and others."""
    admin = {**allow("kms:*"), "Principal": {"AWS": account.arn}}
    made = account.client("kms").create_key(Policy=document(admin, *statements))
    return str(made["KeyMetadata"]["Arn"])


def _queue(account: Account, key: str, **attributes: str) -> str:
    sqs = account.client("sqs")
    made = sqs.create_queue(QueueName="q", Attributes={"KmsMasterKeyId": key, **attributes})
    return str(made["QueueUrl"])


def test_senders_and_receivers_need_permissions_for_the_key(strict_account: Account) -> None:
    wanted = {
        "kms:ViaService": "sqs.us-east-1.amazonaws.com",
        "kms:EncryptionContext:aws:sqs:arn": strict_account.arn_of("sqs", "q"),
    }
    others = [
        {**deny(["kms:GenerateDataKey", "kms:Decrypt"], Condition={"StringNotEquals": {k: v}}), "Principal": "*"}
        for k, v in wanted.items()
    ]
    key = _key(strict_account, *others)
    url = _queue(strict_account, key)
    sqs = strict_account.user(allow("sqs:*")).client("sqs")
    code, message = refused(sqs.send_message, QueueUrl=url, MessageBody="m")
    assert (code, "kms:GenerateDataKey" in message) == ("KMS.AccessDeniedException", True)
    half = strict_account.user(allow("sqs:*"), allow("kms:GenerateDataKey", key), name="half").client("sqs")
    assert "kms:Decrypt" in refused(half.send_message, QueueUrl=url, MessageBody="m")[1]
    both = allow(["kms:GenerateDataKey", "kms:Decrypt"], key)
    strict_account.user(allow("sqs:*"), both, name="sender").client("sqs").send_message(QueueUrl=url, MessageBody="m")
    assert code_of(sqs.receive_message, QueueUrl=url) == "KMS.AccessDeniedException"
    reader = strict_account.user(allow("sqs:*"), allow("kms:Decrypt", key), name="reader").client("sqs")
    assert [each["Body"] for each in reader.receive_message(QueueUrl=url)["Messages"]] == ["m"]


def test_a_topic_needs_the_policy_of_the_queues_key(strict_account: Account) -> None:
    """SQS Developer Guide, "Configure KMS permissions for AWS services"."""
    sns, sqs, kms = (strict_account.client(name) for name in ("sns", "sqs", "kms"))
    let = {"Principal": {"Service": "sns.amazonaws.com"}}
    policy = document({**allow("sqs:SendMessage", strict_account.arn_of("sqs", "q")), **let})
    key = _key(strict_account)
    url = _queue(strict_account, key, Policy=policy)
    topic = sns.create_topic(Name="t")["TopicArn"]
    dead = sqs.create_queue(QueueName="dead", Attributes={"Policy": document({**allow("sqs:SendMessage"), **let})})
    redrive = json.dumps({"deadLetterTargetArn": strict_account.arn_of("sqs", "dead")})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=strict_account.arn_of("sqs", "q"),
        Attributes={"RedrivePolicy": redrive, "RawMessageDelivery": "true"},
    )

    def received(queue: str) -> list[str]:
        asked = {"QueueUrl": queue, "WaitTimeSeconds": 1}
        found = eventually(lambda: sqs.receive_message(**asked).get("Messages", []), lambda found: found)
        return [each["Body"] for each in found]

    sns.publish(TopicArn=topic, Message="lost")
    assert received(dead["QueueUrl"]) == ["lost"]
    admin = {**allow("kms:*"), "Principal": {"AWS": strict_account.arn}}
    service = {**allow(["kms:GenerateDataKey*", "kms:Decrypt"]), **let}
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(admin, service))
    sns.publish(TopicArn=topic, Message="kept")
    assert received(url) == ["kept"]
    # The policy of AWS's own key lets in nobody who does not belong to the account.
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    sns.publish(TopicArn=topic, Message="lost again")
    assert received(dead["QueueUrl"]) == ["lost again"]
