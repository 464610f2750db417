"""Permissions, in strict mode: pipes act by a role of their own account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.core.kernel.identity import Principal
from tests.services.pipes.cloud import PipesCloud
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
    strict.role("pipes", "sqs:*")
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


_DESTINATION = f"arn:aws:events:us-east-1:{OTHER}:api-destination/d/00000000-0000-0000-0000-000000000000"
_GROUP = f"arn:aws:logs:us-east-1:{OTHER}:log-group:g"


def _logging(group: str) -> dict[str, Any]:
    return {"Level": "INFO", "CloudwatchLogsLogDestination": {"LogGroupArn": group}}


@pytest.mark.parametrize(
    "named",
    [
        {"target": _DESTINATION},
        {"Enrichment": _DESTINATION},
        {"target": _DESTINATION.replace(f"us-east-1:{OTHER}", f"eu-west-1:{OTHER}")},
        {"target": _GROUP},
        {"LogConfiguration": _logging(_GROUP)},
        {"LogConfiguration": _logging(f"arn:aws:sqs:us-east-1:{OTHER}:q")},
    ],
)
def test_what_has_no_policy_of_its_own_is_of_the_account_of_the_pipe(cloud: PipesCloud, named: dict[str, Any]) -> None:
    """It is nobody else's: not an API destination, with the secrets of its connection, nor a log group."""
    given = {"target": cloud.source_arn, **named}
    assert cloud.refused(**given)[0] == "ValidationException"
    _, arn = cloud.queue()
    cloud.pipe(arn, DesiredState="STOPPED")
    changes = {"Target" if name == "target" else name: value for name, value in named.items()}
    with pytest.raises(ClientError, match="ValidationException"):
        cloud.pipes.update_pipe(Name="p", RoleArn=cloud.role, **changes)


def test_a_block_invokes_the_destinations_of_the_account_that_it_calls_in_and_by_its_roles(strict: LocalSns) -> None:
    """As pipes do that were created before their destinations were asked for whose they are."""
    pipes = Principal("service", ACCOUNT, "pipes.amazonaws.com", "pipes")
    method = f"arn:aws:execute-api:eu-west-1:{ACCOUNT}:a1b2c3/prod/POST/orders"
    for named in (
        {"ApiDestinationArn": _DESTINATION.replace("us-east-1", "eu-west-1")},
        {"ApiDestinationArn": method, "RoleArn": f"arn:aws:iam::{OTHER}:role/r"},
    ):
        error = strict.refused("InvokeApiDestination", service="events", by=pipes, Body="{}", **named)
        assert error.code == "AccessDeniedException"
