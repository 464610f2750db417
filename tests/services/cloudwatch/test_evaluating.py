"""Alarms that are due together are evaluated side by side."""

from __future__ import annotations

import asyncio

import pytest

from cloudlet.core.background import jobs
from cloudlet.services.cloudwatch import alarm_data, evaluating
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.alarm_data import Datapoints
from cloudlet.services.cloudwatch.asker import Asker
from tests.services.cloudwatch.local import LocalCloud

_datapoints = alarm_data.datapoints


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
    monkeypatch.setattr(alarm_data, "datapoints", slow)
    cloud.clock.advance(60)
    cloud.until(all_are.is_set)


def test_an_alarm_that_takes_long_holds_up_no_others(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "_TOGETHER", 2)
    monkeypatch.setattr(jobs, "_SLOW_SECONDS", 0.01)
    begun: list[str] = []

    async def never(asker: Asker, alarm: Alarm) -> Datapoints:
        begun.append(alarm.name)
        if alarm.name.startswith("slow"):
            await asyncio.Event().wait()
        return await _datapoints(asker, alarm)

    for name in ("slow1", "slow2", "slow3", "quick"):
        cloud.put_alarm(name, TreatMissingData="breaching")
    cloud.call("PutCompositeAlarm", AlarmName="composite", AlarmRule="ALARM(quick)")
    cloud.advance(1)
    monkeypatch.setattr(alarm_data, "datapoints", never)

    def states() -> set[str]:
        found = cloud.call("DescribeAlarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"], StateValue="ALARM")
        return {one["AlarmName"] for one in found["MetricAlarms"] + found["CompositeAlarms"]}

    for name in ("slow1", "slow2", "slow3", "quick", "composite"):
        cloud.call("SetAlarmState", AlarmName=name, StateValue="OK", StateReason="why not")
    cloud.clock.advance(60)
    cloud.until(lambda: {"quick", "composite"} <= states())
    assert {"slow1", "slow2"} <= set(begun)
