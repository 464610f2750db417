"""The whole server, killed under load of a FIFO queue: nothing is lost or doubled, groups are in order.

Messages of several groups are sent, received and deleted until the server is killed, again and again. Then each
acknowledged one is there once, unless it was deleted, and what was sent before is still known as sent.
"""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server

ACCOUNT = "123456789012"
ROUNDS = 5
GROUPS = "abc"
QUEUE = "q.fifo"


def _client(server: Server) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5)
    return Aws(server.endpoint, ACCOUNT).client("sqs", config=config)


class _Load:
    """What senders and consumers have done, over all rounds."""

    def __init__(self) -> None:
        self.sent: dict[str, list[str]] = {group: [] for group in GROUPS}
        """Acknowledged messages, by group."""
        self.doubtful: set[str] = set()
        """Those that were sent, and not acknowledged before the end."""
        self.deleted: set[str] = set()
        self.perhaps_deleted: set[str] = set()
        self.received: dict[str, list[str]] = {group: [] for group in GROUPS}
        """What came first of each group, in the order of arrival."""
        self.wrong: list[str] = []

    def send(self, server: Server, group: str, turn: int) -> None:
        """Send messages of a group until the server is gone."""
        client, number = _client(server), 0
        while True:
            body = f"{group}-{turn}-{number:05}"
            try:
                client.send_message(QueueUrl=QUEUE, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=body)
            except (BotoCoreError, ClientError):
                self.doubtful.add(body)
                return
            self.sent[group].append(body)
            number += 1

    def consume(self, server: Server, share: float) -> None:
        """Receive messages and delete a share of the batches, until the server is gone."""
        client = _client(server)
        while True:
            try:
                answer = client.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=10, VisibilityTimeout=1)
                messages = answer.get("Messages", [])
                for message in messages:
                    self._note(message["Body"])
                if random.random() < share:
                    self._delete(client, messages)
            except (BotoCoreError, ClientError):
                return

    def _note(self, body: str) -> None:
        if body in self.deleted:
            self.wrong.append(body)
        seen = self.received[body[0]]
        if body not in seen:
            seen.append(body)

    def _delete(self, client: Any, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            self.perhaps_deleted.add(message["Body"])
            client.delete_message(QueueUrl=QUEUE, ReceiptHandle=message["ReceiptHandle"])
            self.deleted.add(message["Body"])
            self.perhaps_deleted.discard(message["Body"])


def _drain(client: Any, expected: set[str]) -> list[str]:
    """Receive and delete until the queue is empty and all that are expected have come; return them in their order."""
    came: list[str] = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        messages = client.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if not messages and expected <= set(came):
            return came
        came += [message["Body"] for message in messages]
        for message in messages:
            client.delete_message(QueueUrl=QUEUE, ReceiptHandle=message["ReceiptHandle"])
    raise AssertionError(f"{len(expected - set(came))} of {len(expected)} acknowledged messages are lost")


def test_each_acknowledged_message_is_there_once_and_in_order(tmp_path: Path) -> None:
    load = _Load()
    for turn in range(ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                _client(server).create_queue(QueueName=QUEUE, Attributes={"FifoQueue": "true"})
            threads = [threading.Thread(target=load.send, args=(server, group, turn)) for group in GROUPS]
            threads.append(threading.Thread(target=load.consume, args=(server, 0.7)))
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.4, 1.0))
            server.kill()
            for thread in threads:
                thread.join()

    acknowledged = {body for bodies in load.sent.values() for body in bodies}
    with Server.start("--data", str(tmp_path)) as server:
        client = _client(server)
        for bodies in load.sent.values():
            # What was deleted would come again, were it not known any more.
            for body in [*bodies[:3], *bodies[-3:]]:
                client.send_message(
                    QueueUrl=QUEUE, MessageBody="again", MessageGroupId=body[0], MessageDeduplicationId=body
                )
        came = _drain(client, acknowledged - load.deleted - load.perhaps_deleted)

    assert not load.wrong, "deleted messages came back"
    assert len(came) == len(set(came)), "messages are there more than once"
    assert not set(came) & load.deleted, "deleted messages came back"
    assert set(came) <= acknowledged | load.doubtful, "what was sent again is there again"
    for group in GROUPS:
        assert len(load.sent[group]) > 20
        order = [body for body in came if body[0] == group]
        assert order == sorted(order), "a group is out of order"
        assert load.received[group] == sorted(load.received[group]), "a group was out of order"
    assert load.deleted
