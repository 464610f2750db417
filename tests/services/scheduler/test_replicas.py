"""Two processes of Scheduler over one PostgreSQL: each schedule runs, also where one of them is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.replicas import Replicas, replicas
from tests.postgres.server import fresh_database
from tests.queues import missing

LEFT, RIGHT = 0, 1
_SCHEDULES = 40


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Replicas, Replicas]]:
    """A replica of SQS, and two of Scheduler."""
    url = fresh_database()
    with (
        replicas("sqs", url, tmp_path, 1) as sqs,
        replicas(
            "scheduler", url, tmp_path, peers=(f"sqs={sqs.endpoint(LEFT)}",), account=sqs.account, key=sqs.key
        ) as scheduler,
    ):
        yield sqs, scheduler


def _create(scheduler: Replicas, replica: int, prefix: str) -> set[str]:
    client = scheduler.client(replica)
    names = {f"{prefix}-{number}" for number in range(_SCHEDULES)}
    for name in names:
        client.create_schedule(
            Name=name,
            ScheduleExpression="at(2020-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": f"arn:aws:sqs:us-east-1:{scheduler.account}:q",
                "RoleArn": f"arn:aws:iam::{scheduler.account}:role/r",
                "Input": name,
            },
        )
    return names


def _receive(sqs: Replicas, expected: set[str]) -> None:
    """Receive until all that is expected has come."""
    client = sqs.client(LEFT)
    assert not missing(client, client.get_queue_url(QueueName="q")["QueueUrl"], expected)


def test_schedules_of_either_run(both: tuple[Replicas, Replicas]) -> None:
    sqs, scheduler = both
    sqs.client(LEFT).create_queue(QueueName="q")
    names = _create(scheduler, LEFT, "left") | _create(scheduler, RIGHT, "right")
    _receive(sqs, names)
    names = _create(scheduler, LEFT, "killed")
    scheduler.kill(LEFT)
    names |= _create(scheduler, RIGHT, "after")
    _receive(sqs, names)
