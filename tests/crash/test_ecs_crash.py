"""The block of ECS, and the whole Cloudlet, killed while a task runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import blocks
from tests.services.ecs.containers import LOGS, Tasks

_PATIENCE_SECONDS = 60.0


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def list_command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def count(marker: str) -> list[str]:
    """Return a command that prints numbers for ever, and is known by a marker."""
    return [
        "sh",
        "-c",
        f"trap 'echo asked; exit 5' TERM; n=0; while true; do echo $n {marker}; n=$((n+1)); sleep 0.02; done",
    ]


def test_what_runs_goes_on_when_the_block_is_killed(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        tasks = Tasks(aws)
        marker = aws.account
        port = [{"containerPort": 80, "hostPort": 0}]
        arn = tasks.run({"command": count(marker), "logConfiguration": LOGS, "portMappings": port}, mode="bridge")
        before = tasks.wait(arn, "RUNNING")
        for _ in range(3):
            seen = len(tasks.read(arn))
            os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)
            wait_for(lambda: len(tasks.read(arn)) > seen + 20)  # noqa: B023
        after = tasks.describe(arn)
        assert (after["lastStatus"], after["startedAt"]) == ("RUNNING", before["startedAt"])
        assert after["containers"][0]["networkBindings"] == before["containers"][0]["networkBindings"]
        tasks.ecs.stop_task(task=arn)
        ended = tasks.wait(arn, "STOPPED")
        assert (ended["containers"][0]["exitCode"], ended["stopCode"]) == (5, "UserInitiated")
        printed = tasks.read(arn)
        # Nothing of it is lost, whatever was sent twice.
        numbers = [int(line.split()[0]) for line in printed if line.endswith(marker)]
        assert sorted(set(numbers)) == list(range(max(numbers) + 1))
        assert printed[-1] == "asked"


def test_the_end_of_a_container_is_not_lost_with_the_block(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        tasks = Tasks(Aws(server.endpoint, fresh_account()))
        arn = tasks.run({"command": ["sh", "-c", "sleep 1; exit 9"]})
        tasks.wait(arn, "RUNNING")
        os.kill(blocks(server.endpoint)["ecs"]["process"], signal.SIGKILL)
        time.sleep(1.5)
        ended = tasks.wait(arn, "STOPPED")
        assert (ended["containers"][0]["exitCode"], ended["stopCode"]) == (9, "EssentialContainerExited")


def test_tasks_have_stopped_when_cloudlet_is_started_again(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        tasks = Tasks(Aws(server.endpoint, account))
        arn = tasks.run({"command": count(account), "logConfiguration": LOGS}, mode="bridge")
        tasks.wait(arn, "RUNNING")
        wait_for(lambda: len(tasks.read(arn)) > 10)
        server.kill()
    wait_for(lambda: account.encode() not in b"".join(list_command_lines()))
    with Server.start("--data", str(tmp_path)) as server:
        tasks.aws = Aws(server.endpoint, account)
        tasks.ecs = tasks.aws.client("ecs")
        ended = tasks.wait(arn, lambda task: task["lastStatus"] == "STOPPED")
        assert ended["stoppedReason"] == "Cloudlet was started again: what its tasks ran has ended."
        numbers = [int(line.split()[0]) for line in tasks.read(arn)]
        assert sorted(set(numbers)) == list(range(max(numbers) + 1))
        again = tasks.run({"command": ["true"]})
        assert tasks.wait(again, "STOPPED")["containers"][0]["exitCode"] == 0
        assert not list((tmp_path / "work" / "ecs" / "tasks").glob(f"{arn.rpartition('/')[2]}*"))


def find_keeper(data: Path) -> int:
    """Return the process of the keeper of a data folder."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            if b"cloudlet.engines.keeper" in words and str(data / "keeper").encode() in words:
                return int(path.name)
    raise AssertionError("no keeper runs")


def test_tasks_have_stopped_when_the_keeper_is_killed(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        tasks = Tasks(Aws(server.endpoint, fresh_account()))
        arns = [tasks.run({"command": ["sleep", "1000"]}, mode=mode) for mode in ("bridge", "host")]
        for arn in arns:
            tasks.wait(arn, "RUNNING")
        os.kill(find_keeper(tmp_path), signal.SIGKILL)
        for arn in arns:
            ended = tasks.wait(arn, lambda task: task["lastStatus"] == "STOPPED")
            assert ended["stopCode"] == "TerminationNotice"
        script = 'wget -q -O - "$ECS_CONTAINER_METADATA_URI_V4/task" > /dev/null && echo told'
        again = tasks.run({"command": ["sh", "-c", script], "logConfiguration": LOGS}, mode="bridge")
        tasks.wait(again, "STOPPED")
        assert tasks.read(again) == ["told"]
