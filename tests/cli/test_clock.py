"""`cloudlet clock`: what takes a day on AWS takes a moment."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet, free_port

EIGHT = datetime(2030, 1, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize("isolated", [False, True])
def test_a_delay_passes_as_the_clock_does_and_a_frozen_clock_survives_a_restart(tmp_path: Path, isolated: bool) -> None:
    options = (*(("--isolate",) if isolated else ()), "--data", str(tmp_path))
    account = fresh_account()
    with Server.start(*options) as server:
        sqs = Aws(server.endpoint, account).client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        stands = cloudlet("clock", "freeze", "2030-01-31T08:00:00Z", "--port", server.port)
        assert stands.stdout.startswith("2030-01-31T08:00:00.000+00:00 (it stands), ")
        sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
        # A client that waits is answered when its own time is up.
        assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
        cloudlet("clock", "advance", "14m", "--port", server.port)
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
    with Server.start(*options) as server:
        sqs = Aws(server.endpoint, account).client("sqs")
        assert cloudlet("clock", "show", "--port", server.port).stdout.startswith(
            "2030-01-31T08:14:00.000+00:00 (it st"
        )
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
        cloudlet("clock", "advance", "1m", "--port", server.port)
        (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["SentTimestamp"])["Messages"]
        assert message["Attributes"]["SentTimestamp"] == str(int(EIGHT.timestamp() * 1000))
        resumed = cloudlet("clock", "resume", "--port", server.port).stdout
        assert resumed.startswith("2030-01-31T08:15:0")
        assert "stands" not in resumed


@pytest.mark.parametrize("isolated", [False, True])
def test_a_moved_clock_is_brought_back_to_the_systems(tmp_path: Path, isolated: bool) -> None:
    options = (*(("--isolate",) if isolated else ()), "--data", str(tmp_path))
    account = fresh_account()
    with Server.start(*options) as server:
        sqs = Aws(server.endpoint, account).client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        cloudlet("clock", "advance", "1d", "--port", server.port)
        cloudlet("clock", "freeze", "--port", server.port)
        sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=10)
        back = cloudlet("clock", "reset", "--port", server.port).stdout
        now = datetime.fromisoformat(back.strip())
        assert abs((datetime.now(UTC) - now).total_seconds()) < 30
        # What was to come at a later time comes then.
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
        sqs.send_message(QueueUrl=url, MessageBody="now")
        (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["SentTimestamp"])["Messages"]
        assert message["Body"] == "now"
        assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - now.timestamp()) < 30
    with Server.start(*options) as server:
        shown = cloudlet("clock", "show", "--port", server.port).stdout
        assert not {"ahead", "behind", "stands"} & set(re.findall("[a-z]+", shown))


@pytest.mark.parametrize("isolated", [False, True])
def test_a_clock_that_was_moved_is_seen_and_goes_back_to_the_systems(tmp_path: Path, isolated: bool) -> None:
    options = (*(("--isolate",) if isolated else ()), "--data", str(tmp_path))
    with Server.start(*options) as server:
        assert "  clock  " not in cloudlet("status", "--port", server.port).stdout
        cloudlet("clock", "freeze", "2030-01-31T08:00:00Z", "--port", server.port)
        stands = "  clock         2030-01-31T08:00:00.000+00:00 (it stands), "
        assert stands in cloudlet("status", "--port", server.port).stdout
        assert json.loads(cloudlet("status", "--json", "--port", server.port).stdout)["clock"]["frozen"] is True
    port = str(free_port())
    started = cloudlet("up", "--detach", "--port", port, *options)
    try:
        assert stands in started.stdout
        reset = cloudlet("clock", "reset", "--port", port)
        assert (reset.returncode, "stands" in reset.stdout, "system" in reset.stdout) == (0, False, False), reset
        assert "  clock  " not in cloudlet("status", "--port", port).stdout
    finally:
        cloudlet("down", "--port", port)


def test_how_far_a_clock_is_from_the_systems_is_said_in_days_and_hours() -> None:
    with Server.start("--ephemeral") as server:
        ahead = cloudlet("clock", "advance", "1d12h", "--port", server.port).stdout
        assert re.search(r", 1 d 12 h( \d+ s)? ahead of the system's clock$", ahead), ahead
        cloudlet("clock", "reset", "--port", server.port)
        ahead = cloudlet("clock", "advance", "90m", "--port", server.port).stdout
        assert re.search(r", 1 h 30 min( \d+ s)? ahead of the system's clock$", ahead), ahead


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["advance"], 2, "takes a duration"),
        (["advance", "soon"], 2, "not a duration"),
        (["freeze", "noon"], 2, "not a time"),
        (["show", "1s"], 2, "takes nothing"),
        (["reset", "1s"], 2, "takes nothing"),
        (["advance", "9999999w"], 1, "from 1970 to 9999"),
    ],
)
def test_what_no_clock_does_is_refused(arguments: list[str], code: int, said: str, cloudlet_server: Server) -> None:
    refused = cloudlet("clock", *arguments, "--port", cloudlet_server.port)
    assert refused.returncode == code
    assert said in refused.stderr
