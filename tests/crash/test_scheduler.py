"""The whole server, killed while schedules run: each that was acknowledged invokes its target at least once."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 4
_EACH = 5
"""In each round at least so many are created before the server is killed."""
_QUEUE = f"arn:aws:sqs:us-east-1:{_ACCOUNT}:q"
_ROLE = f"arn:aws:iam::{_ACCOUNT}:role/r"


def _aws(server: Server) -> Aws:
    return Aws(server.endpoint, _ACCOUNT)


def _create(server: Server, prefix: str, acknowledged: set[str]) -> None:
    """Create schedules that run at once and delete themselves, until the server is gone."""
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    scheduler = _aws(server).client("scheduler", config=config)
    number = 0
    while True:
        name = f"{prefix}-{number}"
        try:
            scheduler.create_schedule(
                Name=name,
                ScheduleExpression="at(2020-01-01T00:00:00)",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={"Arn": _QUEUE, "RoleArn": _ROLE, "Input": name},
            )
        except (BotoCoreError, ClientError):
            return
        acknowledged.add(name)
        number += 1


def test_no_invocation_is_lost(tmp_path: Path) -> None:
    acknowledged: list[set[str]] = [set(), set()]
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                _aws(server).client("sqs").create_queue(QueueName="q")
            threads = [
                threading.Thread(target=_create, args=(server, f"{turn}-{number}", names))
                for number, names in enumerate(acknowledged)
            ]
            for thread in threads:
                thread.start()
            eventually(lambda turn=turn: min(map(len, acknowledged)) > _EACH * (turn + 1))  # type: ignore[misc]
            time.sleep(random.uniform(0.1, 0.5))
            server.kill()
            for thread in threads:
                thread.join()

    missing = set.union(*acknowledged)
    with Server.start("--data", str(tmp_path)) as server:
        aws = _aws(server)
        sqs = aws.client("sqs")
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        end = time.monotonic() + 60
        while missing and time.monotonic() < end:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
            missing -= {message["Body"] for message in messages}
        assert not missing, f"{len(missing)} invocations are lost"
        assert aws.client("scheduler").list_schedules()["Schedules"] == []
