"""Two processes of SQS over one PostgreSQL are one SQS."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines import postgres_server
from cloudlet.engines.postgres_server import Mode, PostgresServer
from tests.postgres.replicas import Replicas, Traffic, replicas

LEFT, RIGHT = 0, 1


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server.run_temporary_server() as started:
        yield started


@pytest.fixture(scope="module")
def sqs(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    with replicas("sqs", server.url, tmp_path_factory.mktemp("replicas")) as running:
        yield running


@pytest.fixture
def queue(sqs: Replicas, request: pytest.FixtureRequest) -> str:
    """The URL of a fresh queue whose messages are visible again after three seconds."""
    name = f"queue-{abs(hash(request.node.name))}"
    return sqs.client(LEFT).create_queue(QueueName=name, Attributes={"VisibilityTimeout": "3"})["QueueUrl"]


def test_what_one_creates_the_other_has_at_once(sqs: Replicas) -> None:
    left, right = sqs.client(LEFT), sqs.client(RIGHT)
    for n in range(20):
        here, there = (left, right) if n % 2 else (right, left)
        url = here.create_queue(QueueName=f"both-{n}")["QueueUrl"]
        assert there.send_message(QueueUrl=url, MessageBody="hello")["MessageId"]
        (message,) = here.receive_message(QueueUrl=url)["Messages"]
        there.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        there.delete_queue(QueueUrl=url)
        with pytest.raises(here.exceptions.QueueDoesNotExist):
            here.send_message(QueueUrl=url, MessageBody="hello")


def test_each_message_of_a_standard_queue_is_received_once(sqs: Replicas, queue: str) -> None:
    sqs.client(LEFT).set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "600"})
    traffic = Traffic(sqs, queue)
    traffic.more(500)
    traffic.end()
    assert not traffic.failures
    assert Counter(traffic.received) == Counter(traffic.sent)


def test_a_fifo_queue_keeps_the_order_of_each_group(sqs: Replicas) -> None:
    """Each group's messages are sent by one producer, by either replica in turn; all consumers take from all groups."""
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "600"}
    queue = sqs.client(LEFT).create_queue(QueueName="order.fifo", Attributes=attributes)["QueueUrl"]
    groups, messages, consumers = 4, 80, 4
    received: dict[str, list[int]] = defaultdict(list)

    def produce(group: str) -> None:
        clients = [sqs.client(LEFT), sqs.client(RIGHT)]
        for n in range(messages):
            arguments: Any = {"QueueUrl": queue, "MessageGroupId": group, "MessageDeduplicationId": f"{group}-{n}"}
            first = clients[n % 2].send_message(**arguments, MessageBody=str(n))
            again = clients[(n + 1) % 2].send_message(**arguments, MessageBody=str(n))
            assert first["SequenceNumber"] == again["SequenceNumber"], "the other knows what was sent already"

    def consume(replica: int) -> None:
        client = sqs.client(replica)
        deadline = time.monotonic() + 60
        while sum(map(len, received.values())) < groups * messages:
            assert time.monotonic() < deadline, "messages are missing"
            answer = client.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=3, WaitTimeSeconds=1, MessageSystemAttributeNames=["MessageGroupId"]
            )
            # Until these are deleted nobody else gets any of their groups.
            for message in answer.get("Messages", ()):
                received[message["Attributes"]["MessageGroupId"]].append(int(message["Body"]))
            for message in answer.get("Messages", ()):
                client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    with ThreadPoolExecutor(groups + consumers) as threads:
        work = [threads.submit(produce, f"group-{n}") for n in range(groups)]
        work += [threads.submit(consume, n % 2) for n in range(consumers)]
        for each in work:
            each.result()
    assert received == {f"group-{n}": list(range(messages)) for n in range(groups)}


def test_a_long_poll_on_one_wakes_for_a_send_on_the_other(sqs: Replicas, queue: str) -> None:
    with ThreadPoolExecutor(1) as threads:
        for n in range(10):
            here, there = (LEFT, RIGHT) if n % 2 else (RIGHT, LEFT)
            client, sender = sqs.client(here), sqs.client(there)
            poll = threads.submit(client.receive_message, QueueUrl=queue, WaitTimeSeconds=20)
            # Some are sent before the poll has come to wait, some after.
            time.sleep(0.02 * n)
            began = time.monotonic()
            sender.send_message(QueueUrl=queue, MessageBody=str(n))
            (message,) = poll.result()["Messages"]
            assert message["Body"] == str(n)
            assert time.monotonic() - began < 10
            client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.parametrize("killed", [LEFT, RIGHT])
def test_a_replica_that_is_killed_loses_nothing(sqs: Replicas, queue: str, killed: int) -> None:
    traffic = Traffic(sqs, queue)
    for _ in range(2):
        traffic.more()
        sqs.kill(killed)
        traffic.more()
        sqs.revive(killed)
    traffic.more()
    traffic.end()
    assert traffic.failures, "those who were connected to it must have noticed"
    assert not traffic.after_deletion


@pytest.mark.parametrize("mode", ["fast", "immediate", "kill"])
def test_a_restart_of_postgresql_is_noticed_by_nobody(
    server: PostgresServer, sqs: Replicas, queue: str, mode: Mode
) -> None:
    traffic = Traffic(sqs, queue)
    for _ in range(2):
        traffic.more()
        server.restart(mode)
    traffic.more()
    traffic.end()
    assert not traffic.failures
    assert not traffic.after_deletion


def test_a_postgresql_that_is_down_is_said_to_be_and_found_again(
    server: PostgresServer, sqs: Replicas, queue: str
) -> None:
    clients = [sqs.client(LEFT), sqs.client(RIGHT)]
    server.stop("kill")
    for client in clients:
        with pytest.raises(client.exceptions.ClientError) as caught:
            client.send_message(QueueUrl=queue, MessageBody="lost")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    server.start()
    for client in clients:
        deadline = time.monotonic() + 10
        while True:
            try:
                client.send_message(QueueUrl=queue, MessageBody="sent")
                break
            except client.exceptions.ClientError:
                assert time.monotonic() < deadline
                time.sleep(0.1)


def test_a_replica_that_is_started_while_postgresql_is_down_waits_for_it(
    server: PostgresServer, tmp_path: Path
) -> None:
    server.stop()
    try:
        with replicas("sqs", server.url, tmp_path, 1) as alone:
            client = alone.client(0)
            with pytest.raises(client.exceptions.ClientError):
                client.list_queues()
            server.start()
            deadline = time.monotonic() + 10
            while True:
                try:
                    client.list_queues()
                    break
                except client.exceptions.ClientError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
    finally:
        if not server.is_running():
            server.start()
