"""Two processes of Pipes over one PostgreSQL: both know of a pipe, and either goes on with it when one is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.postgres.replicas import Replicas, replicas
from tests.postgres.server import fresh_database
from tests.queues import missing
from tests.standing import eventually

LEFT, RIGHT = 0, 1
_MESSAGES = 30


def _send(client: Any, url: str, prefix: str) -> set[str]:
    bodies = {f"{prefix}-{number}" for number in range(_MESSAGES)}
    for body in bodies:
        client.send_message(QueueUrl=url, MessageBody=body)
    return bodies


def _come(client: Any, url: str, expected: set[str]) -> None:
    """Receive until all that is expected has come."""
    assert not missing(client, url, {f'"{body}"' for body in expected})


def _state(pipes: Replicas, replica: int) -> str:
    return str(pipes.client(replica).describe_pipe(Name="p")["CurrentState"])


def test_a_pipe_goes_on_when_a_process_is_killed(tmp_path: Path) -> None:
    store = fresh_database()
    with (
        replicas("sqs", store, tmp_path, 1) as sqs,
        replicas(
            "pipes", store, tmp_path, peers=(f"sqs={sqs.endpoint(LEFT)}",), account=sqs.account, key=sqs.key
        ) as pipes,
    ):
        client = sqs.client(LEFT)
        attributes = {"VisibilityTimeout": "2"}
        source, target = (client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"] for name in "ab")
        queue = f"arn:aws:sqs:us-east-1:{sqs.account}:"
        pipes.client(LEFT).create_pipe(
            Name="p",
            Source=queue + "a",
            Target=queue + "b",
            RoleArn=f"arn:aws:iam::{sqs.account}:role/r",
            TargetParameters={"InputTemplate": "<$.body>"},
        )
        eventually(lambda: _state(pipes, RIGHT), lambda state: state == "RUNNING")
        _come(client, target, _send(client, source, "first"))
        sent = _send(client, source, "second")
        pipes.kill(LEFT)
        _come(client, target, sent | _send(client, source, "third"))
        pipes.client(RIGHT).stop_pipe(Name="p")
        eventually(lambda: _state(pipes, RIGHT), lambda state: state == "STOPPED")
