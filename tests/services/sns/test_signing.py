"""Signatures: whoever has the certificate can tell that a message is SNS's, as AWS's documentation says how."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.aws import iso8601
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.services.sns import notification, signing
from cloudlet.services.sns.message import Attribute, Message
from cloudlet.testing.server import Aws
from tests.services.sns import endpoint as endpoints
from tests.services.sns.endpoint import Endpoint
from tests.services.sns.fanout import Fanout

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def signed_text(message: dict[str, Any]) -> bytes:
    """Return what is signed of a message (Developer Guide, "Verifying the signatures of Amazon SNS messages")."""
    names = _NOTIFICATION if message["Type"] == "Notification" else _CONFIRMATION
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message).encode()


def verify(message: dict[str, Any], pem: bytes) -> None:
    """Raise unless a message was signed with the certificate's key."""
    certificate = x509.load_pem_x509_certificate(pem)
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)
    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}[message["SignatureVersion"]]
    key.verify(b64decode(message["Signature"], validate=True), signed_text(message), PKCS1v15(), algorithm)


def certificate_of(message: dict[str, Any]) -> bytes:
    with urlopen(message["SigningCertURL"]) as answer:
        return bytes(answer.read())


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with endpoints.running() as running:
        yield running


@pytest.mark.parametrize("version", [None, "1", "2"])
def test_all_messages_to_http_are_signed(aws: Aws, endpoint: Endpoint, version: str | None) -> None:
    sns = aws.client("sns")
    attributes = {} if version is None else {"SignatureVersion": version}
    topic = sns.create_topic(Name="topic", Attributes=attributes)["TopicArn"]
    arn = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url, ReturnSubscriptionArn=True)
    (asked,) = endpoint.wait(kind="SubscriptionConfirmation")
    sns.confirm_subscription(TopicArn=topic, Token=asked.message["Token"])
    sns.publish(TopicArn=topic, Message="with\nlines and Ümläuts", Subject="subject")
    sns.publish(TopicArn=topic, Message="without a subject")
    sns.publish(TopicArn=topic, Message='{"default": "others", "http": "web"}', MessageStructure="json")
    messages = [asked.message, *(each.message for each in endpoint.wait(3))]
    urlopen(messages[-1]["UnsubscribeURL"]).close()
    messages.append(endpoint.wait(kind="UnsubscribeConfirmation")[0].message)
    assert arn["SubscriptionArn"] in messages[-1]["Message"]
    pem = certificate_of(asked.message)
    for message in messages:
        assert message["SignatureVersion"] == (version or "1")
        assert message["SigningCertURL"].endswith(".pem")
        verify(message, pem)
        with pytest.raises(InvalidSignature):
            verify({**message, "Message": "forged"}, pem)


@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
def test_what_goes_to_queues_is_signed_once_a_message(aws: Aws, name: str) -> None:
    fanout = Fanout(aws)
    topic = fanout.topic(name)
    queues = [fanout.subscribed_queue(topic, f"{queue}{name[6:]}") for queue in ("a", "b")]
    raw = fanout.subscribed_queue(topic, f"raw{name[6:]}", RawMessageDelivery="true")
    order = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if name != "orders" else {}
    fanout.sns.publish(TopicArn=topic, Message="text", Subject="subject", **order)
    first, second = (fanout.envelopes(queue, 1)[0] for queue in queues)
    assert first["SignatureVersion"] == "1"
    assert first["Signature"] == second["Signature"]
    verify(first, certificate_of(first))
    assert fanout.messages(raw, 1)[0]["Body"] == "text"


def test_the_topic_says_how_its_messages_are_signed(aws: Aws) -> None:
    fanout = Fanout(aws)
    topic = fanout.topic(SignatureVersion="2")
    queue = fanout.subscribed_queue(topic, "queue")
    entries = [{"Id": str(number), "Message": str(number)} for number in range(3)]
    fanout.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    for message in fanout.envelopes(queue, 3):
        assert message["SignatureVersion"] == "2"
        verify(message, certificate_of(message))


def test_the_certificate_has_a_name_of_its_own(aws: Aws) -> None:
    fanout = Fanout(aws)
    topic = fanout.topic()
    queue = fanout.subscribed_queue(topic, "queue")
    fanout.sns.publish(TopicArn=topic, Message="text")
    folder, _, name = fanout.envelopes(queue, 1)[0]["SigningCertURL"].rpartition("/")
    assert re.fullmatch(r"SimpleNotificationService-[0-9a-f]{32}\.pem", name)
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{folder}/SimpleNotificationService-{'0' * 32}.pem")


@given(
    st.text(min_size=1).filter(str.isprintable),
    st.none() | st.text(min_size=1).filter(str.isprintable),
    st.dictionaries(st.sampled_from(["a", "b.c", "d_e"]), st.text() | st.binary()),
    st.none() | st.just("10000000000000001000"),
    st.integers(0, 2**42),
)
def test_an_envelope_is_json_of_what_was_published_and_of_what_was_signed(
    text: str, subject: str | None, attributes: dict[str, str | bytes], sequence: str | None, millis: int
) -> None:
    given = {
        name: Attribute("Binary" if isinstance(each, bytes) else "String", each) for name, each in attributes.items()
    }
    message = Message("id", "arn:topic", millis, subject, {"default": text}, given, sequence=sequence)
    signature = signing.Signature("1", "c2ln", "http://localhost/x.pem")
    written = json.loads(
        notification.envelope(message, endpoint="http://localhost", subscription_arn="arn:sub", signature=signature)
    )
    assert written.get("Subject") == subject
    assert written["Message"] == text
    assert written.get("SequenceNumber") == sequence
    assert {name: each["Type"] for name, each in written.get("MessageAttributes", {}).items()} == {
        name: each.type for name, each in given.items()
    }
    assert notification.to_sign(message, "sqs") == signed_text(written)
    unsigned = json.loads(
        notification.envelope(message, endpoint="http://localhost", subscription_arn="arn:sub", signature=None)
    )
    assert written == {**unsigned, "SignatureVersion": "1", "Signature": "c2ln", "SigningCertURL": signature[2]}


@pytest.mark.parametrize(
    ("millis", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1_700_000_000_007, "2023-11-14T22:13:20.007Z")]
)
def test_timestamps_have_milliseconds(millis: int, text: str) -> None:
    assert iso8601.millisecond(millis) == text


def in_block(folder: Path, body: Any) -> Any:
    """Run `body(block)` in a Cloudlet of its own on a data folder; return its result."""

    async def run() -> Any:
        cloud = Cloud(Config(folder, durable=False), TokenSealer(b"k" * 32))
        try:
            return await body(cloud.block("sns"))
        finally:
            await cloud.close()

    return asyncio.run(run())


def test_the_key_stays_the_same_after_a_restart(tmp_path: Path) -> None:
    async def sign(block: Block) -> Any:
        return await signing.page(block), await signing.sign(block, [b"text"], "1")

    assert in_block(tmp_path, sign) == in_block(tmp_path, sign)


def test_many_who_want_the_same_signature_wait_for_one(tmp_path: Path) -> None:
    async def sign(block: Block) -> int:
        await signing.sign(block, [b"other"], "2")
        tasks = [asyncio.create_task(signing.sign(block, [b"text"], "2")) for _ in range(100)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait(tasks)
        assert tasks[0].cancelled()
        return len({signature for task in tasks[1:] for signature in task.result()})

    assert in_block(tmp_path, sign) == 1


def test_the_dead_letter_of_an_endpoint_is_what_it_would_have_got(aws: Aws, endpoint: Endpoint) -> None:
    fanout = Fanout(aws)
    topic, dead = fanout.topic(), fanout.queue("dead")
    fanout.sns.subscribe(
        TopicArn=topic,
        Protocol="http",
        Endpoint=endpoint.url,
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": fanout.arn(dead)})},
    )
    (asked,) = endpoint.wait(kind="SubscriptionConfirmation")
    fanout.sns.confirm_subscription(TopicArn=topic, Token=asked.message["Token"])
    endpoint.answer = lambda received: 404
    fanout.sns.publish(TopicArn=topic, Message='{"default": "others", "http": "web"}', MessageStructure="json")
    (refused,) = endpoint.wait()
    (letter,) = fanout.envelopes(dead, 1)
    assert letter["Message"] == "web"
    assert letter == refused.message
    verify(letter, certificate_of(letter))
