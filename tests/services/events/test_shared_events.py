"""Large events, and those of many targets, are written once: deliveries refer to them, and a few are made at a time."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from cloudlet.core import Context, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import root
from cloudlet.services.events import archive, delivering, delivery_record, matching, outbox, putting, rule, shared_event
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.delivery_record import ROWS, Delivery, Lane
from cloudlet.services.events.rule_record import Rule
from tests.services.events.cloud import EventCloud
from tests.services.events.local import ACCOUNT, OTHER, REGION, Local

_ROOM = 8
"""So many lanes of an account have large events under way at a time."""


@pytest.mark.parametrize("size", [300_000, 25_000])
def test_an_event_is_written_once_for_all_its_targets_and_deleted_with_the_last_delivery(
    local: Local, size: int
) -> None:
    local.rules(10)
    local.put(size)
    assert len(local.left("delivery")) == 50
    assert sum(len(key) + len(value) for key, value in local.left("delivery", "event")) < size + 50_000
    local.open.set()
    local.until(local.nothing_is_left)
    assert Counter(each.lane for each in local.tried).total() == 50
    assert {len(json.loads(each.event)["detail"]["text"]) for each in local.tried} == {size}


def test_a_few_lanes_of_an_account_have_large_events_in_memory_and_small_ones_and_others_do_not_wait(
    local: Local,
) -> None:
    local.rules(4)
    local.rules(1, OTHER)
    local.put(100_000)
    local.tries(_ROOM)
    local.put(100_000, OTHER)
    local.tries(_ROOM + 5)
    local.call("PutRule", Name="small", EventPattern='{"source":["small"]}')
    local.call("PutTargets", Rule="small", Targets=[{"Id": "1", "Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:small"}])
    local.call("PutEvents", Entries=[{"Source": "small", "DetailType": "t", "Detail": "{}"}])
    local.tries(_ROOM + 5 + 1)
    assert local.tried[-1].rule.name == "small"
    local.open.set()
    local.until(local.nothing_is_left)
    assert len(local.tried) == 20 + 5 + 1


def test_what_waits_in_a_lane_is_tried_in_parts_that_fit_into_memory(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.call("PutRule", Name="r", EventPattern='{"source":["shop"]}')
    local.call("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"}])
    for _ in range(6):
        local.put(500_000)
    local.tries(1)
    turns = []

    async def attempt(block: Block, lane: Lane, due: list[Delivery]) -> list[Delivery | None]:
        turns.append(len(due))
        return [None] * len(due)

    monkeypatch.setattr(delivering, "attempt", attempt)
    local.open.set()
    local.until(local.nothing_is_left)
    assert turns == [2, 2, 1]


def test_what_fails_and_what_a_crash_interrupts_comes_again_whole(local: Local) -> None:
    local.rules(2)
    local.fails = True
    local.open.set()
    local.put(200_000)
    local.tries(10)
    assert len(local.left("event")) == 1
    local.restart()
    local.fails = False
    local.advance(1)
    local.until(local.nothing_is_left)
    again = local.tried[10:]
    assert [each.attempts for each in again] == [1] * 10
    assert {len(json.loads(each.event)["detail"]["text"]) for each in again} == {200_000}


class _Undone(Exception):
    """Undoes a transaction that has put so many entries."""


def test_entries_for_very_many_targets_are_put_in_several_transactions(local: Local) -> None:
    """Two of these are the most for one."""
    local.open.set()
    entries: list[Any] = [{"Source": "shop", "DetailType": "t", "Detail": json.dumps({"n": n})} for n in range(3)]
    rules = matching.MOST_DELIVERIES // rule.TARGETS // 2

    async def fill(tx: Transaction) -> None:
        for number in range(rules):
            made = Rule(ACCOUNT, REGION, "default", f"r{number}", "ENABLED", '{"source":["shop"]}')
            rule.save(tx, made)
            for id in range(rule.TARGETS):
                rule.save_target(tx, made, {"Id": str(id), "Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t{id}"})

    async def put(tx: Transaction) -> None:
        block = local.cloud.block("events")
        ctx = Context(block, root(ACCOUNT), ACCOUNT, REGION, "id", "http://localhost")
        raise _Undone(len(await putting.Putting(ctx, tx, None).put_some(entries, [None] * len(entries))))

    local.transact(fill)
    with pytest.raises(_Undone, match="2"):
        local.transact(put)
    answers = local.call("PutEvents", Entries=entries)["Entries"]
    local.until(local.nothing_is_left)
    found = Counter(json.loads(each.event)["id"] for each in local.tried)
    assert [found[each["EventId"]] for each in answers] == [rules * rule.TARGETS] * 3


def test_a_delivery_that_two_processes_have_made_is_counted_once(local: Local) -> None:
    rule = Rule(ACCOUNT, REGION, "default", "r", "ENABLED")
    event = json.dumps({"text": "x" * 50_000})

    async def written(tx: Transaction) -> list[Delivery]:
        shared = shared_event.write(tx, event, 2)
        made = [
            outbox.made(rule, {"Id": id, "Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"}, event, local.now, shared=shared)
            for id in ("1", "2")
        ]
        for each in made:
            outbox.save(tx, each)
        return made

    first, second = local.transact(written)
    for _ in range(2):
        local.transact(lambda tx: outbox.settle(tx, first, None))
    later = replace(first, due=first.due + 1000)
    local.transact(lambda tx: outbox.settle(tx, first, later))
    (left,) = local.transact(lambda tx: outbox.first(tx, second.lane, 10))
    assert local.transact(lambda tx: outbox.whole(tx, [left])) == [second]
    local.transact(lambda tx: outbox.settle(tx, second, None))
    assert local.nothing_is_left()


def test_what_an_older_cloudlet_has_written_is_delivered(local: Local) -> None:
    rule = Rule(ACCOUNT, REGION, "default", "r", "ENABLED")
    event = json.dumps({"text": "x" * 500_000})
    made = outbox.made(rule, {"Id": "1", "Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"}, event, local.now)
    fields = msgspec.msgpack.decode(delivery_record.encode(made))
    key = made.lane.rows.key(made.due, made.sequence, "default", "1", made.token)

    async def written(tx: Transaction) -> None:
        tx.put(key, msgspec.msgpack.encode(fields[:-1]))
        tx.notify(outbox.TOPIC)

    local.open.set()
    local.transact(written)
    local.until(local.nothing_is_left)
    assert local.tried == [made]
    assert key.startswith(ROWS.begin)


def test_no_more_events_of_an_archive_are_read_at_once_than_fit_into_memory(local: Local) -> None:
    kept = Archive(ACCOUNT, REGION, "a", "default", "id", 0.0)

    async def keep(tx: Transaction) -> None:
        for number in range(20):
            archive.keep(tx, kept, json.dumps("x" * 300_000), local.now + number, local.now)

    async def some(tx: Transaction) -> list[int]:
        after, counts = b"", []
        while found := await archive.between(tx, kept, after, local.now, local.now + 100, 50):
            counts.append(len(found))
            after = found[-1].key
        return counts

    local.transact(keep)
    assert local.transact(some) == [5, 5, 5, 5]


def test_queues_and_dead_letters_get_large_events_whole(cloud: EventCloud) -> None:
    places = [cloud.queue(f"q{number}") for number in range(6)]
    dead_url, dead = cloud.queue("dead")
    cloud.rule(*[{"Id": str(number), "Arn": arn} for number, (_, arn) in enumerate(places[:5])])
    missing = {"Id": "1", "Arn": places[0][1].replace(":q0", ":missing"), "DeadLetterConfig": {"Arn": dead}}
    cloud.rule({"Id": "0", "Arn": places[5][1], "InputPath": "$.detail.text"}, missing, name="other")
    answer = cloud.put({"text": "x" * 200_000})
    came = [body for url, _ in places[:5] for body in cloud.bodies(url)]
    assert {(each["id"], len(each["detail"]["text"])) for each in came} == {(answer["EventId"], 200_000)}
    assert [len(body) for body in cloud.bodies(places[5][0])] == [200_000]
    (letter,) = cloud.received(dead_url)
    assert json.loads(letter["Body"])["id"] == answer["EventId"]
