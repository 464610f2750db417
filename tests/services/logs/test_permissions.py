"""Identity-based policies and resource policies of CloudWatch Logs, where they are enforced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.iam_users import REGION, StrictAccount, StrictServer, allow, deny, is_denied, make_policy, running_strictly
from tests.refused import code_of, refused


@pytest.fixture(scope="module")
def server() -> Iterator[StrictServer]:
    with running_strictly() as server:
        yield server


@pytest.fixture
def owner(server: StrictServer) -> StrictAccount:
    """The root user of an account that has a log group, with a stream and an event."""
    owner = server.add_account()
    logs = owner.client("logs")
    logs.create_log_group(logGroupName="app")
    logs.create_log_stream(logGroupName="app", logStreamName="s")
    return owner


def _arn(owner: StrictAccount, rest: str) -> str:
    return f"arn:aws:logs:{REGION}:{owner.account}:{rest}"


def _put(logs: Any, group: str = "app", stream: str = "s") -> Any:
    events = [{"timestamp": 1_000, "message": "m"}]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_a_group_is_allowed_by_its_arn_with_a_star(owner: StrictAccount) -> None:
    logs = owner.add_user(allow("logs:*", _arn(owner, "log-group:app:*"))).client("logs")
    logs.put_retention_policy(logGroupName="app", retentionInDays=7)
    logs.describe_log_streams(logGroupName="app")
    logs.describe_log_streams(logGroupIdentifier=_arn(owner, "log-group:app"))
    logs.create_log_stream(logGroupName="app", logStreamName="t")
    _put(logs)
    logs.get_log_events(logGroupIdentifier=_arn(owner, "log-group:app"), logStreamName="s")
    logs.filter_log_events(logGroupName="app")
    assert refused(logs.put_retention_policy, logGroupName="other", retentionInDays=7) == (
        "AccessDeniedException",
        f"User: arn:aws:iam::{owner.account}:user/{logs_user(logs)} is not authorized to perform: "
        f"logs:PutRetentionPolicy on resource: {_arn(owner, 'log-group:other:log-stream:')} because no identity-based "
        "policy allows the logs:PutRetentionPolicy action",
    )


def logs_user(logs: Any) -> str:
    """Return the name of the user whose client this is."""
    keys = logs._request_signer._credentials.get_frozen_credentials()
    return str(keys.access_key)
