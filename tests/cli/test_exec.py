"""`cloudlet exec`: a command in a container of a task."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from urllib.parse import urlsplit

from cloudlet.testing.server import Aws
from tests.commands import cloudlet
from tests.services.ecs.containers import Tasks


def _start(aws: Aws, *, is_enabled: bool = True) -> tuple[str, list[str]]:
    """Run a task; return its ARN, and the options that lead to it."""
    tasks = Tasks(aws)
    arn = tasks.run({"stopTimeout": 2}, run={"enableExecuteCommand": is_enabled})
    tasks.wait(arn, "RUNNING")
    port = str(urlsplit(aws.endpoint).port)
    return arn, ["exec", "--port", port, "--account", aws.account, "--region", aws.region, arn]


def test_a_command_is_run_in_a_task(aws: Aws) -> None:
    _, command = _start(aws)
    done = cloudlet(*command, "cat", "/srv/index.html")
    assert (done.returncode, "hello from a task" in done.stdout) == (0, True), done.stderr


def test_a_shell_at_a_terminal(aws: Aws) -> None:
    _, command = _start(aws)
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "cloudlet", *command], stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        os.write(ours, b"echo $((6*7))-times; exit\n")
        printed = b""
        while b"42-times" not in printed:
            printed += os.read(ours, 1024)
        assert process.wait(30) == 0
    os.close(ours)


def test_a_task_without_execution_of_commands(aws: Aws) -> None:
    _, command = _start(aws, is_enabled=False)
    done = cloudlet(*command, "ls")
    assert done.returncode == 1
    assert "execute command was not enabled" in done.stderr
