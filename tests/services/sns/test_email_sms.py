"""What leaves the cloud: mail goes into a Maildir or to a mail server, text messages and pushes into files."""

from __future__ import annotations

import json
import mailbox
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from cloudlet.edge.tls import local_certificate, server_context
from cloudlet.services.sns import email
from cloudlet.services.sns.email import Mail
from cloudlet.services.sns.undeliverable import Undeliverable
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.sns import mail_server
from tests.services.sns.endpoint import WAIT_SECONDS
from tests.services.sns.mail_server import MailServer
from tests.services.sns.test_signing import certificate_of, verify


def eventually(find: Callable[[], list[Any]], count: int = 1) -> list[Any]:
    """Wait until so many things are found; return all of them."""
    end = time.monotonic() + WAIT_SECONDS
    while len(found := find()) < count:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def first_link(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("http"))


class Inboxes:
    """A Cloudlet without a mail server, and the files it writes."""

    def __init__(self, server: Server, data: Path) -> None:
        self.aws = Aws(server.endpoint, fresh_account())
        self.sns = self.aws.client("sns")
        self._data = data

    def mails(self, address: str, count: int = 1) -> list[EmailMessage]:
        """Wait for so many mails to an address; return all of them, the oldest first."""

        def find() -> list[EmailMessage]:
            if not (self._data / "mail" / "cur").exists():
                return []
            files = sorted((self._data / "mail" / "new").iterdir(), key=lambda file: file.stat().st_mtime_ns)
            assert len(mailbox.Maildir(self._data / "mail", create=False)) >= len(files)
            found: list[Any] = [message_from_bytes(file.read_bytes(), policy=SMTP) for file in files]
            return [mail for mail in found if mail["To"] == address]

        return eventually(find, count)

    def records(self, name: str, count: int = 1, **wanted: str) -> list[dict[str, Any]]:
        """Wait for so many records with these members in a file."""

        def find() -> list[dict[str, Any]]:
            file = self._data / f"{name}.jsonl"
            lines = file.read_text().splitlines() if file.exists() else []
            return [record for record in map(json.loads, lines) if wanted.items() <= record.items()]

        return eventually(find, count)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    data = tmp_path_factory.mktemp("data")
    with Server.start("--data", str(data)) as running:
        yield running, data


@pytest.fixture
def inboxes(server: tuple[Server, Path]) -> Inboxes:
    return Inboxes(*server)


# -- mail


def test_a_reader_confirms_by_a_link_and_reads(inboxes: Inboxes) -> None:
    sns = inboxes.sns
    topic = sns.create_topic(Name="news", Attributes={"DisplayName": "The Shop"})["TopicArn"]
    address = f"{inboxes.aws.account}@example.com"
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    (asked,) = inboxes.mails(address)
    assert asked["Subject"] == "AWS Notification - Subscription Confirmation"
    assert asked["From"] == "The Shop <no-reply@cloudlet.localhost>"
    assert topic in asked.get_content()
    urlopen(first_link(asked.get_content())).close()
    long = "ä" * 2000
    sns.publish(TopicArn=topic, Message=f"Hello\n.\n{long}", Subject="An offer")
    mail = inboxes.mails(address, 2)[1]
    assert mail["Subject"] == "An offer"
    assert mail.get_content().splitlines()[:3] == ["Hello", ".", long]
    urlopen(first_link(mail.get_content())).close()
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    farewell = inboxes.mails(address, 3)[2]
    assert farewell["Subject"] == "AWS Notification - Unsubscribe Confirmation"
    urlopen(first_link(farewell.get_content())).close()
    (renewed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert renewed["Endpoint"] == address


def test_a_program_gets_signed_envelopes_by_mail(inboxes: Inboxes) -> None:
    sns = inboxes.sns
    topic = sns.create_topic(Name="news")["TopicArn"]
    address = f"{inboxes.aws.account}@example.com"
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint=address)
    asked = json.loads(inboxes.mails(address)[0].get_content())
    verify(asked, certificate_of(asked))
    sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])
    text = json.dumps({"default": "others", "email": "readers", "email-json": "programs"})
    sns.publish(TopicArn=topic, Message=text, MessageStructure="json")
    message = json.loads(inboxes.mails(address, 2)[1].get_content())
    assert message["Message"] == "programs"
    verify(message, certificate_of(message))


def composed(name: str, recipient: str) -> EmailMessage:
    return email.compose(Mail(recipient, name, "subject\nBcc: eve@example.com", "text", 0.0), "a@example.com")


def test_nobody_adds_a_header_by_a_name_or_a_subject() -> None:
    mail = message_from_bytes(composed("The\r\nBcc: eve@example.com", "b@example.com").as_bytes(), policy=SMTP)
    assert mail["Bcc"] is None
    assert [name for name, _ in mail.items()][:4] == ["From", "To", "Subject", "Date"]


@pytest.mark.parametrize("recipient", ["a,b@example.com", "a<b>@example.com", "@example.com", "a@", "ä@example.com"])
def test_what_is_no_address_gets_no_mail(recipient: str) -> None:
    with pytest.raises(Undeliverable) as caught:
        composed("name", recipient)
    assert caught.value.permanent


# -- a mail server


@pytest.fixture(scope="module")
def post() -> Iterator[MailServer]:
    with mail_server.running() as running:
        yield running


@pytest.fixture(scope="module")
def with_post(post: MailServer) -> Iterator[Server]:
    with Server.start("--ephemeral", env={email.SERVER: post.url}) as running:
        yield running


def test_mail_goes_through_a_server(with_post: Server, post: MailServer) -> None:
    aws = Aws(with_post.endpoint, fresh_account())
    sns = aws.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    address = f"{aws.account}@example.com"
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    (asked,) = post.wait(address)
    assert asked["From"] == "AWS Notifications <shop@example.com>"
    urlopen(first_link(asked.get_content())).close()
    sns.publish(TopicArn=topic, Message=".\nHellö")
    assert post.wait(address, 2)[1].get_content().splitlines()[:2] == [".", "Hellö"]


def test_an_address_that_a_server_rejects_is_not_tried_again(with_post: Server, post: MailServer) -> None:
    aws = Aws(with_post.endpoint, fresh_account())
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic = sns.create_topic(Name="news")["TopicArn"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    address = f"{aws.account}@example.com"
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, ReturnSubscriptionArn=True)
    urlopen(first_link(post.wait(address)[0].get_content())).close()
    sns.set_subscription_attributes(
        SubscriptionArn=arn["SubscriptionArn"],
        AttributeName="RedrivePolicy",
        AttributeValue=json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:{aws.region}:{aws.account}:dead"}),
    )
    post.refusals[address] = [550]
    sns.publish(TopicArn=topic, Message="lost")
    eventually(lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages", []))
    sns.publish(TopicArn=topic, Message="found")
    assert post.wait(address, 2)[1].get_content().startswith("found")
    assert post.attempts.count(address) == 3


@pytest.mark.parametrize(("code", "permanent"), [(450, False), (550, True)])
def test_a_server_says_whether_to_come_again(post: MailServer, code: int, permanent: bool) -> None:
    post.refusals["late@example.com"] = [code]
    with pytest.raises(Undeliverable, match=f"{code} not this one") as caught:
        email.hand_over(email.server_of(post.url), composed("name", "late@example.com"))
    assert caught.value.permanent is permanent


def test_a_server_that_is_away_or_does_not_know_us_is_tried_again(post: MailServer) -> None:
    for url in ("smtp://127.0.0.1:1", post.url.replace("secret", "wrong")):
        with pytest.raises(Undeliverable) as caught:
            email.hand_over(email.server_of(url), composed("name", "a@example.com"))
        assert not caught.value.permanent
        assert "wrong" not in caught.value.reason


@pytest.mark.parametrize("upgrades", [False, True])
def test_mail_and_password_go_over_tls_to_a_server_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upgrades: bool
) -> None:
    authority, certificate, key = local_certificate(tmp_path, "localhost")
    mail = composed("name", "a@example.com")
    with mail_server.running(server_context(certificate, key), upgrades=upgrades) as post:
        server = email.server_of(post.url)
        with pytest.raises(Undeliverable, match="certificate verify failed") as caught:
            email.hand_over(server, mail)
        assert not caught.value.permanent
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        email.hand_over(server, mail)
        assert len(post.wait("a@example.com")) == 1


@pytest.mark.parametrize("url", ["localhost:25", "http://localhost", "smtp://", "smtp://ann:secret@host:port"])
def test_what_names_no_server_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|Port") as caught:
        email.server_of(url)
    assert "secret" not in str(caught.value)


# -- text messages


def test_a_text_message_is_written_down_with_what_applies_to_it(inboxes: Inboxes) -> None:
    sns, number = inboxes.sns, "+4915112345678"
    sns.set_sms_attributes(attributes={"DefaultSenderID": "SHOP", "DefaultSMSType": "Transactional"})
    id = sns.publish(PhoneNumber=number, Message="Ihr Code: 1ü")["MessageId"]
    (record,) = inboxes.records("sms", messageId=id)
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "messageId": id,
        "topicArn": None,
        "account": inboxes.aws.account,
        "region": inboxes.aws.region,
        "phoneNumber": number,
        "senderId": "SHOP",
        "smsType": "Transactional",
        "message": "Ihr Code: 1ü",
        "attributes": {},
    }


def test_a_messages_attributes_say_more_than_the_settings(inboxes: Inboxes) -> None:
    sns = inboxes.sns
    topic = sns.create_topic(Name="codes")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+49 151 1234-567")
    attributes = {
        "AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": "OTHER"},
        "AWS.SNS.SMS.MaxPrice": {"DataType": "Number", "StringValue": "0.50"},
    }
    id = sns.publish(
        TopicArn=topic,
        Message=json.dumps({"default": "others", "sms": "phones"}),
        MessageStructure="json",
        MessageAttributes=attributes,
    )["MessageId"]
    (record,) = inboxes.records("sms", messageId=id)
    assert (record["senderId"], record["smsType"]) == ("OTHER", "Promotional")
    assert (record["phoneNumber"], record["message"], record["topicArn"]) == ("+491511234567", "phones", topic)
    assert record["attributes"]["AWS.SNS.SMS.MaxPrice"] == "0.50"


def test_the_newest_text_messages_can_be_read_as_a_page(inboxes: Inboxes) -> None:
    ids = [inboxes.sns.publish(PhoneNumber="+4915112345678", Message=f"{number}")["MessageId"] for number in range(3)]
    with urlopen(f"{inboxes.aws.endpoint}/_cloudlet/sns/sms") as answer:
        shown = json.load(answer)
    assert [each["messageId"] for each in shown if each["messageId"] in ids] == ids[::-1]


# -- mobile push


def test_a_push_is_written_down_for_the_device(inboxes: Inboxes) -> None:
    sns = inboxes.sns
    application = sns.create_platform_application(Name="app", Platform="GCM", Attributes={"PlatformCredential": "key"})[
        "PlatformApplicationArn"
    ]
    device = sns.create_platform_endpoint(PlatformApplicationArn=application, Token="token")["EndpointArn"]
    topic = sns.create_topic(Name="pushes")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="application", Endpoint=device)
    text = json.dumps({"default": "others", "GCM": '{"notification":{}}'})
    by_topic = sns.publish(TopicArn=topic, Message=text, MessageStructure="json")["MessageId"]
    directly = sns.publish(TargetArn=device, Message="plain")["MessageId"]
    for id, message in ((by_topic, '{"notification":{}}'), (directly, "plain")):
        (record,) = inboxes.records("push", messageId=id)
        assert record["message"] == message
        assert (record["endpointArn"], record["platform"], record["token"]) == (device, "GCM", "token")
