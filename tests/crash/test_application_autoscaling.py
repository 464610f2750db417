"""The whole server, killed while capacities are scaled: each goes on to where its bounds want it."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws, Server
from tests.services.application_autoscaling.cloud import TABLE, ScalingCloud
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 4


def _cloud(server: Server) -> ScalingCloud:
    return ScalingCloud(Aws(server.endpoint, _ACCOUNT))


def test_no_change_of_a_capacity_is_lost(tmp_path: Path) -> None:
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            cloud = _cloud(server)
            if turn == 0:
                cloud.create_table()
                cloud.register(1, 100)
                cloud.track()
            cloud.register(10 + turn, 100)
            time.sleep(random.uniform(0.0, 0.1))
            server.kill()

    last = 10 + _ROUNDS - 1
    with Server.start("--data", str(tmp_path)) as server:
        cloud = _cloud(server)
        cloud.wait_for(f"Setting read capacity units to {last}.")
        assert cloud.units == (last, 5)
        eventually(lambda: cloud.alarms()["AlarmHigh"]["Threshold"], lambda threshold: threshold == 30.0 * last)
        unfinished: list[dict[str, Any]] = [one for one in cloud.activities() if "EndTime" not in one]
        assert unfinished == []
        cloud.scaling.deregister_scalable_target(**TABLE)
        eventually(cloud.alarms, lambda alarms: not alarms)
