"""Envoy in a virtual network: configured, reached from the machine, killed, as root and as an ordinary user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

USERS = ["root", "user"] if os.geteuid() == 0 else ["user"]


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(scenario: str, user: str) -> Any:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        endpoint = f"127.65.{os.getpid() % 250}.{USERS.index(user) + 1}"
        command = [sys.executable, "-m", "tests.engines.envoy.scenarios", scenario, user, folder, endpoint]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_it_answers_the_machine_at_an_endpoint_and_takes_changes(user: str) -> None:
    assert run("from_the_machine", user) == [True, "200 fixed", "200 changed"]


def test_one_that_was_killed_comes_back_with_its_configuration(user: str) -> None:
    assert run("killed", user) == ["200 fixed", "True", "200 fixed"]


def test_an_interface_that_is_removed_leaves_nothing(user: str) -> None:
    assert run("removed", user) == {"vpc-1": {"eni-1": "10.0.1.5"}}
