"""The whole server, killed while SNS delivers: every acknowledged message comes to every subscriber, in order for FIFO.

A message goes to a standard topic with many queues, to one with few, whose publishers wait for the queues, and to a
FIFO topic, each with a queue to be checked.
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
MANY = 30
_NAMES = ("few", "many", "ordered.fifo")


def _client(server: Server, service: str) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5)
    return Aws(server.endpoint, ACCOUNT).client(service, config=config)


def _topic(name: str) -> str:
    return f"arn:aws:sns:us-east-1:{ACCOUNT}:{name}"


def _set_up(server: Server) -> None:
    sns, sqs = _client(server, "sns"), _client(server, "sqs")
    for name in _NAMES:
        fifo = name.endswith(".fifo")
        sns.create_topic(Name=name, Attributes={"FifoTopic": "true"} if fifo else {})
        queues = [name] if name != "many" else [name, *(f"other-{number}" for number in range(MANY))]
        for queue in queues:
            sqs.create_queue(QueueName=queue, Attributes={"FifoQueue": "true"} if fifo else {})
            sns.subscribe(
                TopicArn=_topic(name),
                Protocol="sqs",
                Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}",
                Attributes={"RawMessageDelivery": "true"},
            )


def _publish(server: Server, name: str, prefix: str, acknowledged: list[str]) -> None:
    """Publish until the server is gone."""
    sns = _client(server, "sns")
    number = 0
    while True:
        text = f"{prefix}-{number:06}"
        order = {"MessageGroupId": "g", "MessageDeduplicationId": text} if name.endswith(".fifo") else {}
        try:
            sns.publish(TopicArn=_topic(name), Message=text, **order)
        except (BotoCoreError, ClientError):
            return
        acknowledged.append(text)
        number += 1


def _drain(server: Server, name: str, expected: set[str]) -> list[str]:
    """Receive and delete messages until all that are expected have come; return them in their order."""
    sqs = _client(server, "sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    came: list[str] = []
    missing = set(expected)
    end = time.monotonic() + 60
    while missing and time.monotonic() < end:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        for message in messages:
            came.append(message["Body"])
            missing.discard(message["Body"])
        if messages:
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    assert not missing, f"{len(missing)} of {len(expected)} acknowledged messages are lost for {name}"
    return came


def test_no_acknowledged_message_is_lost(tmp_path: Path) -> None:
    acknowledged: dict[str, list[str]] = {name: [] for name in _NAMES}
    for turn in range(ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                _set_up(server)
            threads = [
                threading.Thread(target=_publish, args=(server, name, str(turn), acknowledged[name])) for name in _NAMES
            ]
            for thread in threads:
                thread.start()
            time.sleep(random.uniform(0.3, 0.8))
            server.kill()
            for thread in threads:
                thread.join()

    with Server.start("--data", str(tmp_path)) as server:
        for name in _NAMES:
            assert len(acknowledged[name]) > 20
            came = _drain(server, name, set(acknowledged[name]))
            if name.endswith(".fifo"):
                published = set(acknowledged[name])
                assert [text for text in came if text in published] == acknowledged[name]
        for number in (0, MANY - 1):
            _drain(server, f"other-{number}", set(acknowledged["many"]))
