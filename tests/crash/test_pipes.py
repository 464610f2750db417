"""The whole server, killed while pipes run: each acknowledged message and change comes to the target at least once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.queues import missing
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 4
_EACH = 5
"""In each round at least so many are acknowledged before the server is killed."""
_QUEUE = f"arn:aws:sqs:us-east-1:{_ACCOUNT}:"
_ROLE = f"arn:aws:iam::{_ACCOUNT}:role/r"


def _client(server: Server, service: str) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    return Aws(server.endpoint, _ACCOUNT).client(service, config=config)


def _set_up(server: Server) -> None:
    sqs, pipes = _client(server, "sqs"), _client(server, "pipes")
    for name in ("from", "messages", "changes"):
        sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "2"})
    table = _client(server, "dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    pipes.create_pipe(
        Name="messages",
        Source=_QUEUE + "from",
        Target=_QUEUE + "messages",
        RoleArn=_ROLE,
        TargetParameters={"InputTemplate": "<$.body.k>"},
    )
    pipes.create_pipe(
        Name="changes",
        Source=table["TableDescription"]["LatestStreamArn"],
        SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "LATEST"}},
        Target=_QUEUE + "changes",
        RoleArn=_ROLE,
        TargetParameters={"InputTemplate": "<$.dynamodb.Keys.k.S>"},
    )


def _until_gone(do: Callable[[str], Any], prefix: str, acknowledged: set[str]) -> None:
    """Do something again and again until the server is gone."""
    number = 0
    while True:
        name = f"{prefix}-{number}"
        try:
            do(name)
        except (BotoCoreError, ClientError):
            return
        acknowledged.add(name)
        number += 1


def _missing(server: Server, queue: str, expected: set[str]) -> set[str]:
    """Receive until all that is expected has come; return what never came."""
    sqs = _client(server, "sqs")
    return missing(sqs, sqs.get_queue_url(QueueName=queue)["QueueUrl"], {f'"{name}"' for name in expected})


def test_nothing_is_lost(tmp_path: Path) -> None:
    sent: set[str] = set()
    put: set[str] = set()
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                _set_up(server)
            sqs, dynamodb = _client(server, "sqs"), _client(server, "dynamodb")
            url = sqs.get_queue_url(QueueName="from")["QueueUrl"]

            def send(name: str, sqs: Any = sqs, url: str = url) -> None:
                sqs.send_message(QueueUrl=url, MessageBody=f'{{"k": "{name}"}}')

            def change(name: str, dynamodb: Any = dynamodb) -> None:
                dynamodb.put_item(TableName="table", Item={"k": {"S": name}})

            threads = [
                threading.Thread(target=_until_gone, args=(send, str(turn), sent)),
                threading.Thread(target=_until_gone, args=(change, str(turn), put)),
            ]
            for thread in threads:
                thread.start()
            eventually(lambda turn=turn: min(len(sent), len(put)) > _EACH * (turn + 1))  # type: ignore[misc]
            time.sleep(random.uniform(0.1, 0.5))
            server.kill()
            for thread in threads:
                thread.join()

    with Server.start("--data", str(tmp_path)) as server:
        assert _missing(server, "messages", sent) == set()
        assert _missing(server, "changes", put) == set()
