"""Permissions, in strict mode: pipes act by a role of their own account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.sns.cloud import ACCOUNT, OTHER, STRANGER, LocalSns, local_sns

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path, "strict") as running:
        yield running


def _queue(strict: LocalSns, name: str, **more: Any) -> str:
    url: str = strict.call("CreateQueue", service="sqs", QueueName=name, **more)["QueueUrl"]
    return url


def _pipe(strict: LocalSns, target: str) -> None:
    source = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:in"
    strict.call("CreatePipe", service="pipes", Name="p", Source=source, Target=target, RoleArn=_ROLE)
    strict.call("SendMessage", service="sqs", QueueUrl=strict.cloud.config.endpoint + f"/{ACCOUNT}/in", MessageBody="m")


def _has(strict: LocalSns, url: str, **more: Any) -> bool:
    return bool(strict.call("ReceiveMessage", service="sqs", QueueUrl=url, **more).get("Messages"))


def test_a_pipe_may_do_in_its_account_what_its_role_may(strict: LocalSns) -> None:
    _queue(strict, "in")
    out = _queue(strict, "out")
    _pipe(strict, f"arn:aws:sqs:eu-west-1:{ACCOUNT}:out")
    strict.until(lambda: _has(strict, out))


def test_a_queue_of_another_account_needs_a_policy_for_the_role(strict: LocalSns) -> None:
    _queue(strict, "in")
    theirs = _queue(strict, "theirs", by=STRANGER)
    _pipe(strict, f"arn:aws:sqs:eu-west-1:{OTHER}:theirs")
    strict.advance(31)
    assert not _has(strict, theirs, by=STRANGER)
    allowed = {
        "Effect": "Allow",
        "Principal": {"AWS": _ROLE},
        "Action": "sqs:SendMessage",
        "Resource": f"arn:aws:sqs:eu-west-1:{OTHER}:theirs",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    strict.call("SetQueueAttributes", service="sqs", by=STRANGER, QueueUrl=theirs, Attributes={"Policy": policy})

    def came() -> bool:
        strict.advance(31)
        return _has(strict, theirs, by=STRANGER)

    strict.until(came)
