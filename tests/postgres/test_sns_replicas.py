"""Two processes of SNS, which deliver to two of SQS, over one PostgreSQL."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from cloudlet.engines import postgres_server
from cloudlet.engines.postgres_server import PostgresServer
from tests.postgres.replicas import LOST, Replicas, replicas, until

LEFT, RIGHT = 0, 1


@dataclass
class Both:
    """The replicas of both blocks."""

    server: PostgresServer
    sqs: Replicas
    sns: Replicas

    def subscribed(self, name: str) -> tuple[str, str]:
        """Make a topic and a queue that gets all that is published there; return the ARN and the URL."""
        fifo = name.endswith(".fifo")
        topic = self.sns.client(LEFT).create_topic(Name=name, Attributes={"FifoTopic": "true"} if fifo else {})
        queue = self.sqs.client(RIGHT).create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})
        arn = topic["TopicArn"].replace(":sns:", ":sqs:")
        self.sns.client(RIGHT).subscribe(
            TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
        )
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                }
            ],
        }
        self.sqs.client(LEFT).set_queue_attributes(
            QueueUrl=queue["QueueUrl"], Attributes={"Policy": json.dumps(policy)}
        )
        return topic["TopicArn"], queue["QueueUrl"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("replicas")
    with (
        postgres_server.run_temporary_server() as server,
        replicas("sqs", server.url, folder) as sqs,
        replicas(
            "sns", server.url, folder, peers=(f"sqs={sqs.endpoint(LEFT)}",), account=sqs.account, key=sqs.key
        ) as sns,
    ):
        yield Both(server, sqs, sns)


def drain(sqs: Replicas, queue: str, enough: Callable[[], bool], note: Callable[[Any], None]) -> None:
    """Receive on both replicas and delete, until it is enough."""

    def consume(replica: int) -> None:
        client = sqs.client(replica)
        deadline = time.monotonic() + 60
        while not enough():
            assert time.monotonic() < deadline, "messages are missing"
            answer = client.receive_message(
                QueueUrl=queue,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["MessageGroupId"],
            )
            for message in answer.get("Messages", ()):
                note(message)
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    with ThreadPoolExecutor(2) as threads:
        for each in [threads.submit(consume, n) for n in (LEFT, RIGHT)]:
            each.result()


def test_what_is_published_on_either_is_delivered_once(both: Both) -> None:
    topic, queue = both.subscribed("standard")
    received: Counter[str] = Counter()

    def publish(replica: int) -> None:
        client = both.sns.client(replica)
        for n in range(100):
            client.publish(TopicArn=topic, Message=f"{replica}: {n}")

    with ThreadPoolExecutor(4) as threads:
        work = [threads.submit(publish, replica) for replica in (LEFT, RIGHT)]
        drain(both.sqs, queue, lambda: len(received) == 200, lambda message: received.update([message["Body"]]))
        for each in work:
            each.result()
    assert received == Counter(f"{replica}: {n}" for replica in (LEFT, RIGHT) for n in range(100))


def test_a_fifo_topic_keeps_the_order_of_each_group(both: Both) -> None:
    topic, queue = both.subscribed("order.fifo")
    groups, messages = 3, 50
    received: dict[str, list[int]] = defaultdict(list)

    def publish(group: str) -> None:
        clients = [both.sns.client(LEFT), both.sns.client(RIGHT)]
        for n in range(messages):
            clients[n % 2].publish(
                TopicArn=topic, Message=str(n), MessageGroupId=group, MessageDeduplicationId=f"{group}-{n}"
            )

    with ThreadPoolExecutor(groups) as threads:
        work = [threads.submit(publish, f"group-{n}") for n in range(groups)]
        drain(
            both.sqs,
            queue,
            lambda: sum(map(len, received.values())) >= groups * messages,
            lambda message: received[message["Attributes"]["MessageGroupId"]].append(int(message["Body"])),
        )
        for each in work:
            each.result()
    assert received == {f"group-{n}": list(range(messages)) for n in range(groups)}


@pytest.mark.parametrize("event", ["left", "right", "postgresql"])
def test_nothing_that_was_acknowledged_is_lost(both: Both, event: str) -> None:
    """Either process of SNS is killed under load, the one that delivers among them; or PostgreSQL is restarted."""
    topic, queue = both.subscribed(f"killed-{event}")
    published: set[str] = set()
    received: set[str] = set()
    numbers = count()
    ends = threading.Event()

    def publish(replica: int) -> None:
        client = both.sns.client(replica)
        while not ends.is_set():
            message = f"message {next(numbers)}"
            try:
                client.publish(TopicArn=topic, Message=message)
            except LOST:
                assert event != "postgresql", "nobody notices that it was restarted"
                time.sleep(0.05)
            else:
                published.add(message)

    def more() -> None:
        goal, arrived = len(published) + 50, len(received) + 50
        until(lambda: len(published) >= goal and len(received) >= arrived)

    with ThreadPoolExecutor(5) as threads:
        work = [threads.submit(publish, n % 2) for n in range(4)]
        consumer = threads.submit(
            drain,
            both.sqs,
            queue,
            lambda: ends.is_set() and published <= received,
            lambda message: received.add(message["Body"]),
        )
        try:
            more()
            if event == "postgresql":
                both.server.restart("kill")
            else:
                killed = LEFT if event == "left" else RIGHT
                both.sns.kill(killed)
                more()
                both.sns.revive(killed)
            more()
        finally:
            ends.set()
        for each in [*work, consumer]:
            each.result()
    assert published <= received
