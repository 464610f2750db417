"""The whole server, killed under load: what it acknowledged is there when it is back, and what it gave out was sent."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Server

ROUNDS = 6
SENDERS = 3


def sqs(server: Server) -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="x",
        config=Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5),
    )


def test_no_acknowledged_message_is_lost_and_no_deleted_one_comes_back(tmp_path: Path) -> None:
    sent: set[str] = set()
    attempted: set[str] = set()
    deleted: set[str] = set()
    doubtful: set[str] = set()
    """Whose deletion was asked for, but not acknowledged before the end."""
    lock = threading.Lock()

    def send(client: Any, url: str, name: str) -> None:
        number = 0
        while True:
            body = f"{name}-{number}"
            with lock:
                attempted.add(body)
            try:
                client.send_message(QueueUrl=url, MessageBody=body)
            except (BotoCoreError, ClientError):
                return
            with lock:
                sent.add(body)
            number += 1

    def consume(client: Any, url: str) -> None:
        while True:
            try:
                for message in client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                    with lock:
                        doubtful.add(message["Body"])
                    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    with lock:
                        assert message["Body"] not in deleted
                        deleted.add(message["Body"])
                        doubtful.discard(message["Body"])
            except (BotoCoreError, ClientError):
                return

    for turn in range(ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            client = sqs(server)
            url = client.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
            threads = [threading.Thread(target=send, args=(client, url, f"{turn}-{n}")) for n in range(SENDERS)]
            threads.append(threading.Thread(target=consume, args=(client, url)))
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.2, 0.8))
            server.kill()
            for thread in threads:
                thread.join()

    with Server.start("--data", str(tmp_path)) as server:
        client = sqs(server)
        url = client.get_queue_url(QueueName="q")["QueueUrl"]
        left: set[str] = set()
        deadline = time.monotonic() + 30
        expected = sent - deleted - doubtful
        while expected - left and time.monotonic() < deadline:
            answer = client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=60
            )
            left |= {message["Body"] for message in answer.get("Messages", [])}
        assert not expected - left, "acknowledged messages are lost"
        assert not left & deleted, "deleted messages came back"
        assert left <= attempted
        assert len(sent) > 50
        assert len(doubtful) <= ROUNDS * 10
        assert deleted
