"""Archives, which keep events, and replays, which put them on their bus again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cloudlet.core import Transaction
from cloudlet.services.events import archive, large_events, replay
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.receiving import BusSubscribers, MatchedTargets
from cloudlet.services.events.replay import Replay
from cloudlet.testing.server import Aws, Server
from tests.refused import code_of, refused
from tests.services.events.cloud import EventCloud
from tests.services.events.local import ACCOUNT, OTHER, REGION, Local
from tests.services.sns.cloud import local_sns

AT = 1_700_000_000


def archived(cloud: EventCloud, name: str = "a", **more: Any) -> tuple[str, str]:
    """Create an archive of the default bus; return both ARNs."""
    bus = cloud.events.describe_event_bus()["Arn"]
    return cloud.events.create_archive(ArchiveName=name, EventSourceArn=bus, **more)["ArchiveArn"], bus


def replayed(cloud: EventCloud, archive: str, bus: str, name: str = "again", **more: Any) -> Any:
    """Replay what happened in the ten seconds from AT on; return what the replay is once it has ended."""
    destination = {"Arn": bus, **more}
    started = cloud.events.start_replay(
        ReplayName=name, EventSourceArn=archive, EventStartTime=AT, EventEndTime=AT + 10, Destination=destination
    )
    assert started["State"] == "STARTING"
    end = time.monotonic() + 20
    while (found := cloud.events.describe_replay(ReplayName=name))["State"] in ("STARTING", "RUNNING"):
        assert time.monotonic() < end
    return found


def test_what_is_archived_can_be_replayed(cloud: EventCloud) -> None:
    archive, bus = archived(cloud, EventPattern=json.dumps({"detail": {"n": [{"numeric": [">", 0]}]}}))
    ids = [cloud.put({"n": n}, Time=AT + n * 3)["EventId"] for n in range(5)]
    described = cloud.events.describe_archive(ArchiveName="a")
    assert (described["EventCount"], described["State"], described["RetentionDays"]) == (4, "ENABLED", 0)
    assert described["SizeBytes"] > 400
    url, arn = cloud.queue()
    rule = cloud.rule({"Id": "1", "Arn": arn})
    cloud.rule({"Id": "1", "Arn": arn, "Input": '"other"'}, name="other")
    found = replayed(cloud, archive, bus, FilterArns=[rule])
    assert found["State"] == "COMPLETED"
    assert found["EventLastReplayedTime"].timestamp() == AT + 9
    assert found["Destination"] == {"Arn": bus, "FilterArns": [rule]}
    events = cloud.bodies(url, 3)
    assert sorted(event["id"] for event in events) == sorted(ids[1:4])
    assert {event["replay-name"] for event in events} == {"again"}
    assert cloud.events.describe_archive(ArchiveName="a")["EventCount"] == 4
    assert [each["ReplayName"] for each in cloud.events.list_replays(State="COMPLETED")["Replays"]] == ["again"]
    assert cloud.events.list_replays(NamePrefix="x")["Replays"] == []
    assert code_of(cloud.events.cancel_replay, ReplayName="again") == "IllegalStatusException"


def test_what_is_replayed_is_archived_on_no_other_bus_either(cloud: EventCloud) -> None:
    archive, bus = archived(cloud)
    other = cloud.events.create_event_bus(Name="other")["EventBusArn"]
    cloud.events.create_archive(ArchiveName="of-other", EventSourceArn=other)
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": other})
    cloud.rule({"Id": "1", "Arn": arn}, EventBusName="other")
    cloud.put({}, Time=AT)
    (came,) = cloud.bodies(url)
    replayed(cloud, archive, bus)
    (again,) = cloud.bodies(url)
    assert (again["id"], again["replay-name"]) == (came["id"], "again")
    assert cloud.events.describe_archive(ArchiveName="of-other")["EventCount"] == 1


def test_archives_come_are_changed_and_go(cloud: EventCloud) -> None:
    events = cloud.events
    archive, bus = archived(cloud, Description="one", RetentionDays=3)
    assert code_of(events.create_archive, ArchiveName="a", EventSourceArn=bus) == "ResourceAlreadyExistsException"
    assert code_of(events.create_archive, ArchiveName="b", EventSourceArn=bus + "x") == "ResourceNotFoundException"
    bad = {"ArchiveName": "b", "EventSourceArn": bus, "EventPattern": "{"}
    assert code_of(events.create_archive, **bad) == "InvalidEventPatternException"
    assert events.update_archive(ArchiveName="a", Description="two", RetentionDays=0)["ArchiveArn"] == archive
    found = events.describe_archive(ArchiveName="a")
    assert (found["Description"], found["RetentionDays"], found["EventSourceArn"]) == ("two", 0, bus)
    assert [each["ArchiveName"] for each in events.list_archives(EventSourceArn=bus)["Archives"]] == ["a"]
    assert code_of(events.list_archives, NamePrefix="a", State="ENABLED") == "ValidationException"
    cloud.put(Time=AT)
    events.delete_archive(ArchiveName="a")
    for function in (events.describe_archive, events.delete_archive, events.update_archive):
        assert code_of(function, ArchiveName="a") == "ResourceNotFoundException"
    archived(cloud)
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 0


def test_an_archive_has_a_rule_on_its_bus(cloud: EventCloud) -> None:
    events = cloud.events
    _, bus = archived(cloud, EventPattern=json.dumps({"source": ["shop"]}))
    found = events.describe_rule(Name="Events-Archive-a")
    assert json.loads(found["EventPattern"]) == {"source": ["shop"], "replay-name": [{"exists": False}]}
    assert (found["ManagedBy"], found["State"]) == ("prod.vhs.events.aws.internal", "ENABLED")
    other = events.create_event_bus(Name="other")["EventBusArn"]
    events.create_archive(ArchiveName="of-other", EventSourceArn=other)
    assert [rule["Name"] for rule in events.list_rules(EventBusName="other")["Rules"]] == ["Events-Archive-of-other"]
    assert code_of(events.delete_event_bus, Name="other") == "ValidationException"
    events.delete_archive(ArchiveName="of-other")
    events.delete_event_bus(Name="other")
    events.update_archive(ArchiveName="a", EventPattern=json.dumps({"source": ["bank"]}))
    (listed,) = events.list_rules()["Rules"]
    assert json.loads(listed["EventPattern"])["source"] == ["bank"]
    events.delete_archive(ArchiveName="a")
    assert events.list_rules()["Rules"] == []
    events.put_rule(Name="Events-Archive-a", EventPattern=json.dumps({"source": ["shop"]}))
    taken = {"ArchiveName": "a", "EventSourceArn": bus}
    assert code_of(events.create_archive, **taken) == "ResourceAlreadyExistsException"


def test_the_rule_of_an_archive_is_changed_by_the_archive_alone(cloud: EventCloud) -> None:
    events = cloud.events
    archived(cloud)
    rule = {"Name": "Events-Archive-a"}
    target = {"Id": "1", "Arn": cloud.queue()[1]}
    assert code_of(events.put_rule, **rule, EventPattern='{"source":["shop"]}') == "ManagedRuleException"
    assert code_of(events.put_targets, Rule=rule["Name"], Targets=[target]) == "ManagedRuleException"
    assert code_of(events.remove_targets, Rule=rule["Name"], Ids=["1"]) == "ManagedRuleException"
    events.remove_targets(Rule=rule["Name"], Ids=["1"], Force=True)
    for function in (events.disable_rule, events.enable_rule, events.delete_rule):
        assert code_of(function, **rule) == "ManagedRuleException"
    cloud.put()
    events.delete_rule(**rule, Force=True)
    cloud.put()
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 1
    events.update_archive(ArchiveName="a", Description="on")
    cloud.put()
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 2
    assert events.describe_rule(**rule)["ManagedBy"]


def test_a_description_can_be_cleared(cloud: EventCloud) -> None:
    archived(cloud, Description="one")
    cloud.events.update_archive(ArchiveName="a", RetentionDays=1)
    assert cloud.events.describe_archive(ArchiveName="a")["Description"] == "one"
    cloud.events.update_archive(ArchiveName="a", Description="")
    assert "Description" not in cloud.events.describe_archive(ArchiveName="a")


def test_a_change_of_an_archive_holds_from_the_next_event_on(cloud: EventCloud) -> None:
    events = cloud.events
    cloud.rule({"Id": "1", "Arn": cloud.queue()[1]})
    cloud.put({"n": 1})
    archived(cloud)
    cloud.put({"n": 1})
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 1
    events.update_archive(ArchiveName="a", EventPattern=json.dumps({"detail": {"n": [2]}}))
    cloud.put({"n": 1})
    cloud.put({"n": 2})
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 2
    events.delete_archive(ArchiveName="a")
    assert "EventId" in cloud.put({"n": 2})
    archived(cloud, EventPattern=json.dumps({"detail": {"n": [3]}}))
    cloud.put({"n": 2})
    assert events.describe_archive(ArchiveName="a")["EventCount"] == 0


def test_replays_that_make_no_sense_are_refused(cloud: EventCloud) -> None:
    archive, bus = archived(cloud)
    good = {
        "ReplayName": "r",
        "EventSourceArn": archive,
        "EventStartTime": AT,
        "EventEndTime": AT + 1,
        "Destination": {"Arn": bus},
    }
    start = cloud.events.start_replay
    other = cloud.events.create_event_bus(Name="other")["EventBusArn"]
    for wrong, code, message in (
        ({"EventSourceArn": archive + "x"}, "ValidationException", "EventSourceArn Archive ax does not exist."),
        ({"EventSourceArn": bus}, "ValidationException", "EventSourceArn Must contain an archive ARN."),
        ({"Destination": {"Arn": archive}}, "ValidationException", "Destination.Arn Must contain an event bus ARN."),
        ({"Destination": {"Arn": bus + "x"}}, "ResourceNotFoundException", "Event bus defaultx does not exist."),
        (
            {"Destination": {"Arn": other}},
            "ValidationException",
            "Destination.Arn Cross event bus replay is not permitted.",
        ),
        (
            {"Destination": {"Arn": bus, "FilterArns": ["x"]}},
            "ValidationException",
            "Destination.FilterArns x is no rule of the bus.",
        ),
        (
            {"EventEndTime": AT},
            "ValidationException",
            "EventEndTime EventStartTime must be before EventEndTime.",
        ),
    ):
        if code == "ValidationException":
            parameter, _, reason = message.partition(" ")
            message = f"Parameter {parameter} is not valid. Reason: {reason}"
        assert refused(start, **{**good, **wrong}) == (code, message)
    start(**good)
    assert code_of(start, **good) == "ResourceAlreadyExistsException"
    assert code_of(cloud.events.describe_replay, ReplayName="x") == "ResourceNotFoundException"
    assert code_of(cloud.events.cancel_replay, ReplayName="x") == "ResourceNotFoundException"


def test_a_replay_goes_on_after_a_crash(tmp_path: Path) -> None:
    account = "123456789012"
    with Server.start("--data", str(tmp_path)) as server:
        cloud = EventCloud(Aws(server.endpoint, account))
        archive, bus = archived(cloud)
        entry = {"Source": "shop", "DetailType": "t", "Time": AT}
        for start in range(0, 200, 10):
            entries = [{**entry, "Detail": json.dumps({"n": n})} for n in range(start, start + 10)]
            cloud.events.put_events(Entries=entries)
        _, arn = cloud.queue()
        cloud.rule({"Id": "1", "Arn": arn})
        cloud.events.start_replay(
            ReplayName="r",
            EventSourceArn=archive,
            EventStartTime=AT,
            EventEndTime=AT + 1,
            Destination={"Arn": bus},
        )
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = EventCloud(Aws(server.endpoint, account))
        assert cloud.events.describe_replay(ReplayName="r")["State"] != "FAILED"
        url = cloud.sqs.get_queue_url(QueueName="q")["QueueUrl"]
        numbers: set[int] = set()
        while len(numbers) < 200:
            numbers |= {each["detail"]["n"] for each in cloud.bodies(url)}
        assert numbers == set(range(200))


def test_events_leave_an_archive_when_their_days_are_over(tmp_path: Path) -> None:
    with local_sns(tmp_path) as local:

        def call(operation: str, **params: Any) -> Any:
            return local.call(operation, service="events", **params)

        bus = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default"
        call("CreateArchive", ArchiveName="a", EventSourceArn=bus, RetentionDays=2)

        def put() -> None:
            call("PutEvents", Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}])

        def kept() -> tuple[int, int]:
            found = call("DescribeArchive", ArchiveName="a")
            return found["EventCount"], found["SizeBytes"]

        put()
        local.advance(86_400)
        put()
        local.advance(86_399)
        assert kept()[0] == 2
        local.advance(1)
        local.until(lambda: kept()[0] == 1)
        local.advance(86_400)
        local.until(lambda: kept() == (0, 0))


@pytest.mark.parametrize("time", [1e15, -1.0])
def test_times_that_no_calendar_has_are_refused(tmp_path: Path, time: float) -> None:
    with local_sns(tmp_path) as local:
        entry = {"Source": "shop", "DetailType": "t", "Detail": "{}", "Time": time}
        (answer,) = local.call("PutEvents", service="events", Entries=[entry])["Entries"]
        assert answer["ErrorCode"] == "InvalidArgument"
        bus = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/default"
        made = local.call("CreateArchive", service="events", ArchiveName="a", EventSourceArn=bus)
        replay = {"ReplayName": "r", "EventSourceArn": made["ArchiveArn"], "Destination": {"Arn": bus}}
        error = local.refused("StartReplay", service="events", EventStartTime=0.0, EventEndTime=time, **replay)
        assert error.code == "ValidationException"


@pytest.mark.parametrize("source", ["0", ""])
def test_a_replay_of_an_archive_that_was_made_anew_fails_and_puts_nobodys_events(local: Local, source: str) -> None:
    """It had come so far in the one that is gone; what follows there are other archives' events."""
    local.open.set()
    local.rules(1)
    gone, made = Archive(ACCOUNT, REGION, "a", "default", "0", 0.0), Archive(ACCOUNT, REGION, "a", "default", "9", 0.0)
    others = Archive(OTHER, REGION, "theirs", "default", "5", 0.0)
    event = {"source": "shop", "detail-type": "t", "detail": {}, "time": "2023-11-14T22:13:20Z"}

    async def begin(tx: Transaction) -> None:
        for each in (gone, others):
            archive.keep(tx, each, json.dumps(event), AT + 1, AT)
        (done,) = await archive.between(tx, gone, b"", AT, AT + 10, 5)
        archive.remove(tx, gone)
        archive.save(tx, made)
        begun = Replay(
            *(ACCOUNT, REGION, "r", "a", made.place.arn, (), AT, AT + 10, local.now, "RUNNING"),
            after=done.key,
            source=source,
        )
        replay.save(tx, begun)

    local.transact(begin)
    local.until(lambda: local.call("DescribeReplay", ReplayName="r")["State"] not in ("STARTING", "RUNNING"))
    assert local.call("DescribeReplay", ReplayName="r")["State"] == "FAILED"
    assert local.nothing_is_left()
    assert not local.tried


def test_a_replay_of_large_events_holds_up_no_other_one(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """One ends while another one still looks for who takes its event."""
    ended = Event()
    takers = large_events._takers

    def slow(receiver: BusSubscribers, document: dict[str, Any]) -> MatchedTargets:
        assert ended.wait(20)
        return takers(receiver, document)

    monkeypatch.setattr(large_events, "_takers", slow)
    local.open.set()

    async def keep(tx: Transaction) -> None:
        for account, size in ((ACCOUNT, 100_000), (OTHER, 1)):
            made = Archive(account, REGION, "a", "default", account, 0.0)
            archive.save(tx, made)
            event = {"source": "shop", "detail-type": "t", "detail": "x" * size, "time": "2023-11-14T22:13:20Z"}
            archive.keep(tx, made, json.dumps(event), AT + 1, AT)

    local.transact(keep)
    for account in (ACCOUNT, OTHER):
        local.rules(1, account)
        bus = f"arn:aws:events:{REGION}:{account}:event-bus/default"
        source = f"arn:aws:events:{REGION}:{account}:archive/a"
        given = {"EventSourceArn": source, "EventStartTime": AT, "EventEndTime": AT + 10, "Destination": {"Arn": bus}}
        local.call("StartReplay", account, ReplayName="r", **given)

    def state(account: str) -> str:
        return str(local.call("DescribeReplay", account, ReplayName="r")["State"])

    local.until(lambda: state(OTHER) == "COMPLETED")
    assert state(ACCOUNT) == "STARTING"
    ended.set()
    local.until(lambda: state(ACCOUNT) == "COMPLETED")
    local.until(local.nothing_is_left)
    assert len(local.tried) == 10
