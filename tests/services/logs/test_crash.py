"""What was answered survives a crash."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws, Server, fresh_account


def test_what_was_put_is_there_after_a_kill(tmp_path: Path) -> None:
    account, at = fresh_account(), int(time.time() * 1000)
    stream = {"logGroupName": "g", "logStreamName": "s"}
    with Server.start("--data", str(tmp_path)) as server:
        client: Any = Aws(server.endpoint, account).client("logs")
        client.create_log_group(logGroupName="g")
        client.create_log_stream(**stream)
        for number in range(20):
            client.put_log_events(**stream, logEvents=[{"timestamp": at + number, "message": str(number)}])
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, account).client("logs")
        events = client.get_log_events(**stream)["events"]
        assert [event["message"] for event in events] == [str(number) for number in range(20)]
