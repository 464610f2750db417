"""How much is read to perform the actions of very many alarms."""

from __future__ import annotations

import asyncio

import pytest

from cloudlet.core import Transaction
from cloudlet.services.cloudwatch import outbox
from tests.services.cloudwatch.local import ACCOUNT, OWNER, REGION, LocalCloud

_MANY = 150


def test_alarms_that_all_ring_at_once_are_read_a_few_times_each(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    first = outbox.first

    async def counted(tx: Transaction, count: int) -> list[tuple[int, str, str]]:
        nonlocal read
        found = await first(tx, count)
        read += len(found)
        return found

    monkeypatch.setattr(outbox, "first", counted)
    topic = cloud.call("CreateTopic", service="sns", Name="bell")["TopicArn"]
    names = [f"a{number}" for number in range(_MANY)]
    for name in names:
        cloud.put_alarm(name, AlarmActions=[topic])

    async def ring(name: str) -> None:
        params = {"AlarmName": name, "StateValue": "ALARM", "StateReason": "a test"}
        await cloud.cloud.call("cloudwatch", "SetAlarmState", params, principal=OWNER, account=ACCOUNT, region=REGION)

    async def ring_all() -> None:
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(ring(name))

    cloud.run(ring_all())

    cloud.until(lambda: not cloud.transact(lambda tx: first(tx, 1)))
    assert _MANY <= read < 10 * _MANY
