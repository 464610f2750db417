"""HTTP endpoints: they are asked first, get messages with SNS's headers, and are tried again as their policy says."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import AbstractDigestAuthHandler, parse_http_list, parse_keqv_list, urlopen

import pytest

from cloudlet.edge.tls import local_certificate, server_context
from cloudlet.engines.http_client import HttpClient
from cloudlet.services.sns import http_delivery
from cloudlet.services.sns.undeliverable import Undeliverable
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.sns import endpoint as endpoints
from tests.services.sns.endpoint import WAIT_SECONDS, Endpoint, Received

AT_ONCE = {"healthyRetryPolicy": {"numRetries": 3, "numNoDelayRetries": 3}}
NEVER = {"healthyRetryPolicy": {"numRetries": 0}}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with endpoints.running() as running:
        yield running


class Http:
    """A topic with HTTP endpoints, and a queue for what cannot be delivered."""

    def __init__(self, aws: Aws) -> None:
        self.sns, self.sqs = aws.client("sns"), aws.client("sqs")
        self.topic = self.sns.create_topic(Name="orders")["TopicArn"]
        self.queue = self.sqs.create_queue(QueueName="dead")["QueueUrl"]
        self.queue_arn = f"arn:aws:sqs:{aws.region}:{aws.account}:dead"

    def ask(self, url: str, **attributes: Any) -> str:
        """Subscribe an endpoint, which is asked to confirm; return the subscription's ARN."""
        texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in attributes.items()}
        protocol = url.partition(":")[0]
        subscribed = self.sns.subscribe(
            TopicArn=self.topic, Protocol=protocol, Endpoint=url, Attributes=texts, ReturnSubscriptionArn=True
        )
        return str(subscribed["SubscriptionArn"])

    def subscribe(self, endpoint: Endpoint, path: str = "", url: str = "", **attributes: Any) -> str:
        """Subscribe an endpoint and confirm that; return the subscription's ARN."""
        arn = self.ask(url or endpoint.url + path, **attributes)
        asked = endpoint.wait(kind="SubscriptionConfirmation", path=f"/{path}")[-1].message
        self.sns.confirm_subscription(TopicArn=self.topic, Token=asked["Token"])
        return arn

    def publish(self, text: str = "hello", **more: Any) -> str:
        return str(self.sns.publish(TopicArn=self.topic, Message=text, **more)["MessageId"])

    def dead(self) -> dict[str, Any]:
        """Wait for a dead letter."""
        for _ in range(int(WAIT_SECONDS)):
            received = self.sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=1)
            if "Messages" in received:
                body = json.loads(received["Messages"][0]["Body"])
                assert isinstance(body, dict)
                return body
        raise AssertionError("no dead letter came")

    @property
    def redrive(self) -> dict[str, str]:
        return {"deadLetterTargetArn": self.queue_arn}


@pytest.fixture
def http(aws: Aws) -> Http:
    return Http(aws)


# -- confirmation


def test_an_endpoint_is_asked_and_its_visit_confirms(http: Http, endpoint: Endpoint, aws: Aws) -> None:
    arn = http.ask(endpoint.url)
    http.publish("too early")
    (asked,) = endpoint.wait(kind="SubscriptionConfirmation")
    assert asked.message["TopicArn"] == http.topic == asked.headers["x-amz-sns-topic-arn"]
    assert asked.message["MessageId"] == asked.headers["x-amz-sns-message-id"]
    assert "x-amz-sns-subscription-arn" not in asked.headers
    assert asked.message["SubscribeURL"].startswith(f"{aws.endpoint}/?Action=ConfirmSubscription&TopicArn={http.topic}")
    with urlopen(asked.message["SubscribeURL"]) as answer:
        assert arn in answer.read().decode()
    http.publish("now")
    assert [each.message["Message"] for each in endpoint.wait()] == ["now"]


def test_a_visit_of_the_unsubscribe_url_ends_a_subscription_which_can_be_renewed(
    http: Http, endpoint: Endpoint
) -> None:
    arn = http.subscribe(endpoint)
    http.publish("first")
    (first,) = endpoint.wait()
    urlopen(first.message["UnsubscribeURL"]).close()
    (told,) = endpoint.wait(kind="UnsubscribeConfirmation")
    assert told.headers["x-amz-sns-subscription-arn"] == arn
    assert arn in told.message["Message"]
    assert http.sns.list_subscriptions_by_topic(TopicArn=http.topic)["Subscriptions"] == []
    urlopen(told.message["SubscribeURL"]).close()
    http.publish("again")
    assert [each.message["Message"] for each in endpoint.wait(2)] == ["first", "again"]


def test_an_endpoint_that_was_away_is_asked_again(http: Http, endpoint: Endpoint) -> None:
    statuses = iter([503, 200])
    endpoint.answer = lambda received: next(statuses)
    http.ask(endpoint.url, DeliveryPolicy=AT_ONCE)
    first, second = endpoint.wait(2, kind="SubscriptionConfirmation")
    assert first.message["Token"] == second.message["Token"]


# -- notifications


def test_a_notification_has_snss_headers_and_members(http: Http, endpoint: Endpoint, aws: Aws) -> None:
    arn = http.subscribe(endpoint)
    attributes = {
        "kind": {"DataType": "String", "StringValue": "große"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    id = http.publish('"quoted"\n\u20ac', Subject="news", MessageAttributes=attributes)
    (received,) = endpoint.wait()
    assert {name: value for name, value in received.headers.items() if name != "content-length"} == {
        "host": endpoint.address,
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": id,
        "x-amz-sns-topic-arn": http.topic,
        "x-amz-sns-subscription-arn": arn,
        "content-type": "text/plain; charset=UTF-8",
        "user-agent": "Amazon Simple Notification Service Agent",
    }
    message = received.message
    assert list(message) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert (message["Message"], message["Subject"], message["MessageId"]) == ('"quoted"\n\u20ac', "news", id)
    assert message["UnsubscribeURL"] == f"{aws.endpoint}/?Action=Unsubscribe&SubscriptionArn={arn}"
    assert message["MessageAttributes"] == {
        "kind": {"Type": "String", "Value": "große"},
        "raw": {"Type": "Binary", "Value": "AP8="},
    }


def test_raw_delivery_is_of_the_text_alone(http: Http, endpoint: Endpoint) -> None:
    http.subscribe(
        endpoint, RawMessageDelivery="true", DeliveryPolicy={"requestPolicy": {"headerContentType": "text/csv"}}
    )
    http.publish("a,ü")
    (received,) = endpoint.wait()
    assert received.body == "a,ü".encode()
    assert received.headers["x-amz-sns-rawdelivery"] == "true"
    assert received.headers["content-type"] == "text/csv"


def test_a_topic_says_of_what_content_type_its_notifications_are(http: Http, endpoint: Endpoint) -> None:
    policy = {"http": {"defaultRequestPolicy": {"headerContentType": "application/json"}}}
    http.sns.set_topic_attributes(
        TopicArn=http.topic, AttributeName="DeliveryPolicy", AttributeValue=json.dumps(policy)
    )
    http.subscribe(endpoint)
    http.publish()
    assert endpoint.wait()[0].headers["content-type"] == "application/json"


def test_a_message_with_a_structure_has_a_text_for_http(http: Http, endpoint: Endpoint) -> None:
    http.subscribe(endpoint)
    http.publish(json.dumps({"default": "others", "http": "web", "https": "secure"}), MessageStructure="json")
    assert endpoint.wait()[0].message["Message"] == "web"


# -- name and password


def asking(endpoint: Endpoint, *challenges: str) -> None:
    """Answer 401 to who does not say who he is."""
    endpoint.challenges = list(challenges)
    endpoint.answer = lambda received: 200 if "authorization" in received.headers else 401


def test_an_endpoint_that_does_not_ask_is_not_sent_the_password(http: Http, endpoint: Endpoint) -> None:
    http.subscribe(endpoint, url=f"http://ann:p%40ss@{endpoint.address}/")
    http.publish()
    (received,) = endpoint.wait()
    assert "authorization" not in received.headers


def test_who_asks_is_sent_name_and_password_of_the_url(http: Http, endpoint: Endpoint) -> None:
    asking(endpoint, 'Negotiate, Basic realm="here, there"')
    http.subscribe(endpoint, url=f"http://ann:p%40ss@{endpoint.address}/")
    http.publish()
    first, second = endpoint.wait(2)
    assert "authorization" not in first.headers
    assert second.headers["authorization"] == "Basic YW5uOnBAc3M="
    assert first.body == second.body


def test_who_asks_for_a_digest_is_not_sent_the_password(http: Http, endpoint: Endpoint) -> None:
    """The server's part is that of urllib, but for what the client says."""
    asking(endpoint, 'Basic realm="r"', 'Digest realm="r", nonce="n\\"1", qop="auth-int, auth", opaque="o"')
    http.subscribe(endpoint, "", url=f"http://ann:p%40ss@{endpoint.address}/")
    http.publish()
    scheme, _, said = endpoint.wait(2)[1].headers["authorization"].partition(" ")
    fields = parse_keqv_list(parse_http_list(said))
    digest = AbstractDigestAuthHandler()
    hashed, keyed = digest.get_algorithm_impls("MD5")
    assert scheme == "Digest"
    assert {name: fields[name] for name in ("username", "realm", "uri", "opaque", "qop", "nc")} == {
        "username": "ann",
        "realm": "r",
        "uri": "/",
        "opaque": "o",
        "qop": "auth",
        "nc": "00000001",
    }
    once = f'n"1:00000001:{fields["cnonce"]}:auth:{hashed("POST:/")}'
    assert fields["response"] == keyed(hashed("ann:r:p@ss"), once)


def test_who_refuses_name_and_password_gets_nothing(http: Http, endpoint: Endpoint) -> None:
    http.subscribe(endpoint, url=f"http://ann:p%40ss@{endpoint.address}/", RedrivePolicy=http.redrive)
    endpoint.challenges = ['Basic realm="r"']
    endpoint.answer = lambda received: 401
    id = http.publish()
    assert http.dead()["MessageId"] == id
    assert len(endpoint.wait(2)) == 2


# -- failures


def answering(statuses: list[int]) -> Any:
    """Answer notifications with these statuses in turn, the rest with 200."""
    left = iter(statuses)
    return lambda received: next(left, 200) if received.kind == "Notification" else 200


@pytest.mark.parametrize("status", [500, 503, 599, 429])
def test_what_may_pass_is_tried_again(http: Http, endpoint: Endpoint, status: int) -> None:
    endpoint.answer = answering([status])
    http.subscribe(endpoint, DeliveryPolicy=AT_ONCE)
    id = http.publish()
    first, second = endpoint.wait(2)
    assert first.body == second.body
    assert second.headers["x-amz-sns-message-id"] == id


@pytest.mark.parametrize("status", [400, 403, 404, 410, 302])
def test_what_is_refused_is_not_tried_again(http: Http, endpoint: Endpoint, status: int) -> None:
    endpoint.answer = answering([status, status])
    http.subscribe(endpoint, DeliveryPolicy=AT_ONCE, RedrivePolicy=http.redrive)
    id = http.publish()
    assert http.dead()["MessageId"] == id
    assert len(endpoint.wait()) == 1


def test_after_the_last_retry_a_message_is_a_dead_letter(http: Http, endpoint: Endpoint) -> None:
    endpoint.answer = answering([500] * 10)
    http.subscribe(endpoint, DeliveryPolicy=AT_ONCE, RedrivePolicy=http.redrive)
    http.publish()
    letter = http.dead()
    attempts = endpoint.wait(4)
    assert len(attempts) == 4
    assert letter == attempts[0].message


def test_an_endpoint_that_is_not_there_is_given_up(http: Http, endpoint: Endpoint) -> None:
    http.subscribe(endpoint, DeliveryPolicy=NEVER, RedrivePolicy=http.redrive)
    endpoint.close()
    assert http.publish() == http.dead()["MessageId"]


def test_a_retry_waits_as_the_policy_says(http: Http, endpoint: Endpoint) -> None:
    endpoint.answer = answering([500])
    http.subscribe(endpoint, DeliveryPolicy={"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1}})
    http.publish()
    first, second = endpoint.wait(2)
    assert second.at - first.at > 0.9


def test_a_slow_endpoint_holds_up_nobody_else(http: Http, endpoint: Endpoint) -> None:
    released = threading.Event()

    def answer(received: Received) -> int:
        if received.path == "/slow" and received.kind == "Notification":
            released.wait(WAIT_SECONDS)
        return 200

    endpoint.answer = answer
    http.subscribe(endpoint, "slow")
    http.subscribe(endpoint, "fast")
    for number in range(50):
        http.publish(str(number))
    fast = endpoint.wait(50, path="/fast")
    assert sorted(int(each.message["Message"]) for each in fast) == list(range(50))
    assert not [each for each in endpoint.received if each.path == "/slow" and each.kind == "Notification"]
    released.set()
    endpoint.wait(50, path="/slow")


def test_what_waits_for_an_endpoint_survives_a_crash(tmp_path: Path, endpoint: Endpoint) -> None:
    endpoint.answer = lambda received: 503 if received.kind == "Notification" else 200
    account = fresh_account()
    patient = {"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 50}}
    with Server.start("--data", str(tmp_path)) as server:
        http = Http(Aws(server.endpoint, account))
        http.subscribe(endpoint, DeliveryPolicy=patient)
        sent = {http.publish(str(number)) for number in range(5)}
        endpoint.wait(5)
        server.kill()
    accepted: set[str] = set()

    def accept(received: Received) -> int:
        accepted.add(received.message["MessageId"])
        return 200

    endpoint.answer = accept
    with Server.start("--data", str(tmp_path)):
        endpoint.wait_until(lambda: accepted == sent)


# -- HTTPS


def test_https_endpoints_are_reached_where_their_certificate_is_trusted(tmp_path: Path) -> None:
    authority, certificate, key = local_certificate(tmp_path, "localhost")
    with (
        endpoints.running(server_context(certificate, key)) as endpoint,
        Server.start("--ephemeral", env={"SSL_CERT_FILE": str(authority)}) as server,
    ):
        http = Http(Aws(server.endpoint, fresh_account()))
        http.subscribe(endpoint)
        http.publish(json.dumps({"default": "others", "http": "web", "https": "secure"}), MessageStructure="json")
        assert endpoint.wait()[0].message["Message"] == "secure"


def attempt(url: str, seconds: float = 15.0) -> Undeliverable:
    """Try to deliver to an endpoint to which that fails; return the failure."""

    async def post() -> None:
        client = HttpClient()
        try:
            await http_delivery.post(client, url, "text", kind="Notification", id="id", topic_arn="arn")
        finally:
            await client.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_delivery, "_SECONDS", seconds)
        with pytest.raises(Undeliverable) as caught:
            asyncio.run(post())
    return caught.value


def test_https_endpoints_that_are_not_trusted_get_nothing(tmp_path: Path) -> None:
    _, certificate, key = local_certificate(tmp_path, "localhost")
    context: ssl.SSLContext = server_context(certificate, key)
    with endpoints.running(context) as endpoint:
        failure = attempt(endpoint.url)
        assert endpoint.received == []
    assert not failure.permanent
    assert "certificate" in failure.reason


def test_an_endpoint_that_does_not_answer_in_time_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        failure = attempt(f"http://127.0.0.1:{silent.getsockname()[1]}/", seconds=0.2)
    assert (failure.permanent, failure.status) == (False, None)
    assert "no response within 0.2 seconds" in failure.reason


@pytest.mark.parametrize("place", ["localhost:port/", "localhost:99999/", "a\x00b/", "/x", f"{'a' * 64}.test/"])
def test_what_is_no_address_is_given_up_without_telling_its_password(place: str) -> None:
    failure = attempt(f"http://ann:secret@{place}")
    assert failure.permanent
    assert "secret" not in failure.reason
