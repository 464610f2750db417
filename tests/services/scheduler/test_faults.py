"""Each block a process of its own: the target's is down when a schedule runs, and gets it afterwards."""

from __future__ import annotations

from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.services.scheduler.cloud import SchedulerCloud
from tests.standing import eventually


def test_what_fell_due_while_the_target_was_down_comes_afterwards(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        cloud = SchedulerCloud(Aws(server.endpoint, fresh_account()))
        url, arn = cloud.queue()
        assert cloudlet("block", "stop", "sqs", "--port", server.port).returncode == 0
        target = cloud.target(arn, Input="<aws.scheduler.attempt-number>")
        cloud.schedule("at(2020-01-01T00:00:00)", target, ActionAfterCompletion="DELETE")
        eventually(cloud.names, lambda names: not names)
        assert cloudlet("block", "restart", "scheduler", "--port", server.port).returncode == 0
        assert cloudlet("block", "start", "sqs", "--port", server.port).returncode == 0
        assert int(cloud.received(url)[0]["Body"]) >= 1
        assert cloud.held(url) == 0
