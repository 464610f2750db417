"""Tasks of a Cloudlet that an ordinary user runs."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.ecs.containers import LOGS, Tasks

_ORDINARY = 65534


def test_tasks_of_an_ordinary_user() -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests are run by an ordinary user already")
    data = tempfile.mkdtemp(prefix="cloudlet-test-")
    os.chown(data, _ORDINARY, _ORDINARY)
    assert os.access(sys.executable, os.X_OK)
    try:
        with Server.start("--data", data, env={"HOME": data}, user=_ORDINARY) as server:
            tasks = Tasks(Aws(server.endpoint, fresh_account()))
            for mode in ("host", "bridge", "none"):
                arn = tasks.run(
                    {"command": ["sh", "-c", "id -u; cat /srv/index.html"], "logConfiguration": LOGS}, mode=mode
                )
                tasks.wait(arn, "STOPPED")
                assert tasks.read(arn) == ["0", "hello from a task"], mode
            # It has one user id only, which is whatever the program runs as.
            arn = tasks.run({"command": ["id", "-u"], "user": "999", "logConfiguration": LOGS})
            tasks.wait(arn, "STOPPED")
            assert tasks.read(arn) == ["999"]
    finally:
        shutil.rmtree(data)
