"""Large events, which are matched beside all else: they go where small ones go, and nobody waits for that."""

from __future__ import annotations

import asyncio
import json
from threading import Event
from typing import Any

import pytest

from cloudlet.services.events import large_events
from cloudlet.services.events.receiving import BusSubscribers, MatchedTargets
from tests.services.events.cloud import EventCloud
from tests.services.events.local import Local
from tests.services.events.test_archives import AT, archived, replayed

_PATIENCE_SECONDS = 20
_LARGE = {"n": 1, "text": "x" * 50_000}


def _sizes(events: list[Any]) -> list[int]:
    return [len(event["detail"]["text"]) for event in events]


def test_they_go_to_rules_other_buses_and_archives_and_are_replayed(cloud: EventCloud) -> None:
    archive, bus = archived(cloud, EventPattern=json.dumps({"detail": {"n": [1]}}))
    archived(cloud, name="other", EventPattern=json.dumps({"detail": {"n": [2]}}))
    url, arn = cloud.queue()
    _, missed = cloud.queue("missed")
    further_url, further = cloud.queue("further")
    other = cloud.events.create_event_bus(Name="other")["EventBusArn"]
    taking = cloud.rule({"Id": "1", "Arn": arn}, {"Id": "2", "Arn": other}, pattern={"detail": {"n": [1]}})
    cloud.rule({"Id": "1", "Arn": missed}, name="missing", pattern={"detail": {"n": [2]}})
    cloud.rule({"Id": "1", "Arn": further}, pattern={"detail": {"n": [1]}}, EventBusName="other")
    answer = cloud.put(_LARGE, Time=AT)
    (came,) = cloud.bodies(url)
    assert came["id"] == answer["EventId"]
    assert _sizes([came, *cloud.bodies(further_url)]) == [50_000, 50_000]
    counts = [cloud.events.describe_archive(ArchiveName=name)["EventCount"] for name in ("a", "other")]
    assert counts == [1, 0]
    assert replayed(cloud, archive, bus, FilterArns=[taking])["State"] == "COMPLETED"
    (again,) = cloud.bodies(url)
    assert (again["id"], again["replay-name"]) == (came["id"], "again")
    assert cloud.held(cloud.sqs.get_queue_url(QueueName="missed")["QueueUrl"]) == 0


def test_what_is_wrong_with_them_is_said_of_each(cloud: EventCloud) -> None:
    _, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn})
    text = json.dumps(_LARGE)
    entries = [
        {"Source": "shop", "DetailType": "order", "Detail": text},
        {"Source": "aws.shop", "DetailType": "order", "Detail": text},
        {"Source": "shop", "DetailType": "order", "Detail": text[:-1]},
        {"Source": "shop", "DetailType": "order", "Detail": text, "EventBusName": "nowhere"},
    ]
    answer = cloud.events.put_events(Entries=entries)
    codes = [each.get("ErrorCode") for each in answer["Entries"]]
    assert codes == [None, "NotAuthorizedForSourceException", "MalformedDetail", None]


def test_what_a_template_would_make_too_long_is_a_dead_letter(cloud: EventCloud) -> None:
    url, arn = cloud.queue()
    dead_url, dead = cloud.queue("dead")
    template = "[" + ",".join(["<x>"] * 1500) + "]"
    transformer = {"InputPathsMap": {"x": "$.detail.x"}, "InputTemplate": template}
    cloud.rule({"Id": "1", "Arn": arn, "InputTransformer": transformer, "DeadLetterConfig": {"Arn": dead}})
    details = [{"x": "a"}, {"x": "a" * 30_000}, {"x": "b"}]
    entries = [{"Source": "shop", "DetailType": "order", "Detail": json.dumps(detail)} for detail in details]
    cloud.events.put_events(Entries=entries)
    assert sorted(body[0] for body in cloud.bodies(url, 2)) == ["a", "b"]
    (letter,) = cloud.received(dead_url)
    assert json.loads(letter["Body"])["detail"] == details[1]
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "INVALID_PARAMETER"


def test_others_are_served_while_they_are_matched(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another request is answered while one of a large event still looks for who takes it."""
    local.open.set()
    local.rules(1)
    began, answered = Event(), Event()
    takers = large_events._takers

    def slow(receiver: BusSubscribers, document: dict[str, Any]) -> MatchedTargets:
        began.set()
        assert answered.wait(_PATIENCE_SECONDS)
        return takers(receiver, document)

    monkeypatch.setattr(large_events, "_takers", slow)

    async def main() -> None:
        entry = {"Source": "shop", "DetailType": "order", "Detail": json.dumps(_LARGE)}
        put = asyncio.create_task(local.calling("PutEvents", Entries=[entry]))
        await asyncio.to_thread(began.wait, _PATIENCE_SECONDS)
        assert (await local.calling("ListRules"))["Rules"]
        assert not put.done()
        answered.set()
        assert (await put)["FailedEntryCount"] == 0

    local.run(main())
    local.until(local.nothing_is_left)
    assert len(local.tried) == 5
