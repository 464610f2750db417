"""The shop of examples/shop, as a user runs it: the demo in a process of its own, on a fresh account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SECONDS = 90


def environment(aws: Aws) -> dict[str, str]:
    """The environment of somebody who has Cloudlet's command at hand."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**os.environ, "PATH": path, **aws.environment}


def run(aws: Aws, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "demo.py", *arguments],
        cwd=SHOP,
        env=environment(aws) | more,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_every_order_is_handled_once_by_those_whom_it_concerns_though_one_was_poisoned(aws: Aws) -> None:
    shop = run(aws)

    assert shop.returncode == 0, shop.stdout + shop.stderr
    assert "failed, try 3 of 3: cannot charge hideo in JPY" in shop.stdout
    assert "messages moved: 1" in shop.stdout
    assert "partner    refused" in shop.stdout
    assert "SQS stays up" in shop.stdout


def test_the_shop_opens_again_on_what_it_left_and_cleans_up(aws: Aws) -> None:
    for _ in range(2):
        shop = run(aws)
        assert shop.returncode == 0, shop.stdout + shop.stderr

    # The partner, whose server has gone, is not subscribed any more.
    subscriptions = aws.client("sns").list_subscriptions()["Subscriptions"]
    assert sorted(one["Protocol"] for one in subscriptions) == ["sqs", "sqs", "sqs"]

    assert run(aws, "--clean-up").returncode == 0
    assert aws.client("sqs").list_queues().get("QueueUrls", []) == []
    assert aws.client("sns").list_topics()["Topics"] == []


def test_orders_are_taken_while_sqs_is_down_and_arrive_once_it_is_back(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        shop = run(Aws(server.endpoint, fresh_account()))

    assert shop.returncode == 0, shop.stdout + shop.stderr
    killed, stopped, back = (
        shop.stdout.index(line) for line in ("it answers again after", "SQS is stopped", "SQS is back")
    )
    assert killed < stopped < back
    assert shop.stdout[stopped:back].count(" is taken, in ") == 3
    assert ": reserved" not in shop.stdout[stopped:back]
    assert shop.stdout[back:].count(": reserved") == 3


def test_the_shop_needs_no_more_than_its_policies_allow() -> None:
    account, secret = fresh_account(), "correct-horse-battery-staple"
    key = f"{account}:AKIASHOPSHOPSHOPSHOP:{secret}"
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", key) as server:
        shop = run(
            Aws(server.endpoint, account),
            AWS_ACCESS_KEY_ID="AKIASHOPSHOPSHOPSHOP",
            AWS_SECRET_ACCESS_KEY=secret,
        )

    assert shop.returncode == 0, shop.stdout + shop.stderr


@contextmanager
def endpoint() -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    """An HTTP endpoint, and what SNS has sent there."""
    heard: Queue[dict[str, Any]] = Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.put(message)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()


@contextmanager
def partner(aws: Aws, topic: str, data: Path) -> Iterator[str]:
    """The URL of a partner who has agreed to hear from a topic."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "shop.partner"],
        cwd=SHOP,
        env=environment(aws) | {"SHOP_TOPIC": topic, "SHOP_DATA": str(data), "PARTNER_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.communicate()


def post(url: str, message: object) -> int:
    try:
        with urlopen(url, json.dumps(message).encode(), timeout=SECONDS) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        refusal.close()
        return refusal.code


ORDER = {"id": "7", "customer": "ada", "item": "desk", "quantity": 1, "price": "499.00", "currency": "EUR"}


@pytest.fixture
def signed(aws: Aws) -> Iterator[dict[str, Any]]:
    """A message as SNS has signed it, about a topic of the account."""
    sns = aws.client("sns")
    topic = sns.create_topic(Name="agreed", Attributes={"SignatureVersion": "2"})["TopicArn"]
    with endpoint() as (url, heard):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
        sns.confirm_subscription(TopicArn=topic, Token=heard.get(timeout=SECONDS)["Token"])
        sns.publish(TopicArn=topic, Message=json.dumps(ORDER), Subject="order")
        yield heard.get(timeout=SECONDS)


def test_the_partner_believes_what_sns_has_signed_and_nothing_else(
    aws: Aws, signed: dict[str, Any], tmp_path: Path
) -> None:
    with partner(aws, signed["TopicArn"], tmp_path) as url:
        assert post(url, signed) == 200
        for changed in (
            {"Message": json.dumps(ORDER | {"quantity": 100})},
            {"Subject": "another"},
            {"Signature": "Zm9yZ2Vk"},
            {"Signature": "not base 64"},
            {"SignatureVersion": "1"},
            {"Type": "Rumour"},
            {"SigningCertURL": "https://sns.us-east-1.amazonaws.com.mallory.example/certificate.pem"},
        ):
            assert post(url, signed | changed) == 403, changed
        assert post(url, {name: value for name, value in signed.items() if name != "Signature"}) == 403
        assert post(url, ["no message"]) == 403


def test_the_partner_hears_of_the_one_topic_alone(aws: Aws, signed: dict[str, Any], tmp_path: Path) -> None:
    with partner(aws, f"{signed['TopicArn']}-2", tmp_path) as url:
        assert post(url, signed) == 403
