"""What is decoded of a history to find a few events in it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloudlet.services.cloudtrail import history
from cloudlet.services.cloudtrail.event import Event, found_in
from cloudlet.store.embedded import EmbeddedStore

_ALARM = 'Größe "XL" \\ / \t<&>'
_NOON = 1_700_049_600


def event(id: str, **changed: Any) -> Event:
    record = {
        "eventID": id,
        "recipientAccountId": "111111111111",
        "awsRegion": "eu-west-1",
        "eventTime": "2023-11-15T12:00:00Z",
        "eventName": "PutMetricAlarm",
        "eventSource": "monitoring.amazonaws.com",
        "readOnly": False,
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/R/Søren", "accessKeyId": "ASIA1"},
        "requestParameters": {"alarmName": _ALARM},
    }
    return Event(msgspec.json.encode({**record, **changed}).decode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EventId", "e1"),
        ("EventName", "PutMetricAlarm"),
        ("EventSource", "monitoring.amazonaws.com"),
        ("ReadOnly", "false"),
        ("ResourceName", _ALARM),
        ("ResourceType", "AWS::CloudWatch::Alarm"),
        ("Username", "Søren"),
        ("AccessKeyId", "ASIA1"),
    ],
)
def test_what_an_event_is_looked_up_by_is_found_in_its_text(key: str, value: str) -> None:
    found = event("e1")
    assert found.has(key, value)
    assert found_in(key, value) in found.text.encode()


def test_a_root_is_found_by_its_name() -> None:
    found = event("e1", userIdentity={"type": "Root", "arn": "arn:aws:iam::1:root"})
    assert found.has("Username", "root")
    assert found_in("Username", "root") in found.text.encode()


def test_events_that_do_not_have_what_is_looked_for_are_not_decoded(tmp_path: Path) -> None:
    async def scenario() -> list[str | None]:
        store = EmbeddedStore(tmp_path, durable=False)
        for number in range(3):
            added = event(f"e{number}", requestParameters={"queueName": f"q{number}"})
            await store.transact(lambda tx, added=added: history.add(tx, added))  # type: ignore[misc]
        having = found_in("ResourceName", "q1")
        found = await store.transact(
            lambda tx: history.newest(tx, "111111111111", "eu-west-1", _NOON, b"", _NOON, having)
        )
        await store.close()
        return [None if event is None else event.id for _, event in found.events]

    assert asyncio.run(scenario()) == [None, "e1", None]
