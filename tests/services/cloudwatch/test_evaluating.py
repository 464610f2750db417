"""Alarms that are due together are evaluated side by side."""

from __future__ import annotations

import asyncio

import pytest

from cloudlet.services.cloudwatch import watching
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.watching import Datapoints
from tests.services.cloudwatch.local import LocalCloud

_datapoints = watching.datapoints


def test_alarms_that_are_due_together_are_evaluated_side_by_side(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = 0
    all_are = asyncio.Event()

    async def slow(asker: Asker, alarm: Alarm) -> Datapoints:
        nonlocal under_way
        under_way += 1
        if under_way == 10:
            all_are.set()
        await all_are.wait()
        return await _datapoints(asker, alarm)

    for number in range(10):
        cloud.put_alarm(f"a{number}")
    cloud.advance(1)
    monkeypatch.setattr(watching, "datapoints", slow)
    cloud.clock.advance(60)
    cloud.until(all_are.is_set)
