"""Events outlive a crash, and CloudTrail's absence."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.services.cloudtrail.test_history import lookup


@pytest.mark.parametrize("attempt", range(3))
def test_an_acknowledged_call_is_in_the_history_after_a_crash(tmp_path: Path, attempt: int) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        aws.client("cloudtrail").lookup_events()
        aws.client("sqs").create_queue(QueueName=f"q{attempt}")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        # Blocks start with their first call.
        aws.client("sqs").list_queues()
        lookup(aws, 1, ResourceName=f"q{attempt}")


def test_calls_work_while_cloudtrail_is_down_and_their_events_come_later(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        aws.client("cloudtrail").lookup_events()
        assert cloudlet("block", "stop", "cloudtrail", "--port", server.port).returncode == 0
        for number in range(20):
            aws.client("sqs").create_queue(QueueName=f"q{number}")
        with pytest.raises(ClientError):
            aws.client("cloudtrail").lookup_events()
        assert cloudlet("block", "start", "cloudtrail", "--port", server.port).returncode == 0
        lookup(aws, 20, EventName="CreateQueue")
