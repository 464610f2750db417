"""Time to live: items are deleted soon after the second that they name, and not before."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core import Arn, Transaction
from cloudlet.services.dynamodb import expiring
from cloudlet.services.dynamodb.requests import rows, writing
from cloudlet.services.dynamodb.tables import directory, ttl
from cloudlet.services.dynamodb.tables.table import Table
from tests.services.dynamodb.local import LocalDynamo, item


def enable(dynamo: LocalDynamo, attribute: str = "expires", *, enabled: bool = True) -> None:
    wanted = {"AttributeName": attribute, "Enabled": enabled}
    answer = dynamo.call("UpdateTimeToLive", TableName="orders", TimeToLiveSpecification=wanted)
    assert answer["TimeToLiveSpecification"] == wanted


def test_an_item_is_deleted_when_its_time_has_come(dynamo: LocalDynamo) -> None:
    dynamo.table()
    enable(dynamo)
    now = int(dynamo.now)
    dynamo.put("soon", expires=now + 60)
    dynamo.put("later", expires=now + 3600)
    dynamo.put("never")
    dynamo.advance(58)
    assert set(dynamo.items()) == {"soon", "later", "never"}
    dynamo.advance(4)
    dynamo.until(lambda: set(dynamo.items()) == {"later", "never"})


def test_the_stream_says_that_the_service_has_deleted_it(dynamo: LocalDynamo) -> None:
    dynamo.table(view="OLD_IMAGE")
    enable(dynamo)
    expires = int(dynamo.now) + 1
    dynamo.put("a", expires=expires)
    dynamo.advance(3)
    dynamo.until(lambda: not dynamo.items())
    added, removed = dynamo.records(dynamo.stream())
    assert "userIdentity" not in added
    assert removed["eventName"] == "REMOVE"
    assert removed["userIdentity"] == {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert removed["dynamodb"]["OldImage"] == item("a", expires=expires)


def test_items_that_were_there_before_expire_too(dynamo: LocalDynamo) -> None:
    dynamo.table()
    for number in range(250):
        dynamo.put(f"k{number:03}", expires=int(dynamo.now) + (5 if number % 2 else 500))
    enable(dynamo)
    dynamo.advance(0)
    dynamo.advance(10)
    dynamo.until(lambda: len(dynamo.items()) == 125)
    assert all(int(key[1:]) % 2 == 0 for key in dynamo.items())


def test_a_time_that_is_put_off_or_taken_away_does_not_count(dynamo: LocalDynamo) -> None:
    dynamo.table()
    enable(dynamo)
    now = int(dynamo.now)
    for key in ("put-off", "taken-away", "kept"):
        dynamo.put(key, expires=now + 10)
    dynamo.put("put-off", expires=now + 100)
    dynamo.put("taken-away", other=1)
    dynamo.advance(20)
    dynamo.until(lambda: set(dynamo.items()) == {"put-off", "taken-away"})
    dynamo.advance(100)
    dynamo.until(lambda: set(dynamo.items()) == {"taken-away"})


@pytest.mark.parametrize("value", [{"S": "1"}, {"N": "-5"}, {"N": "1E+20"}, {"BOOL": True}])
def test_what_is_no_time_does_not_expire(dynamo: LocalDynamo, value: dict[str, object]) -> None:
    dynamo.table()
    enable(dynamo)
    dynamo.call("PutItem", TableName="orders", Item={"p": {"S": "odd"}, "expires": value})
    dynamo.put("plain", expires=int(dynamo.now))
    dynamo.advance(2)
    dynamo.until(lambda: set(dynamo.items()) == {"odd"})


def test_what_is_more_than_five_years_past_does_not_expire(dynamo: LocalDynamo) -> None:
    dynamo.table()
    enable(dynamo)
    dynamo.put("old", expires=int(dynamo.now) - 6 * 365 * 86400)
    dynamo.put("recent", expires=int(dynamo.now) - 4 * 365 * 86400)
    dynamo.advance(2)
    dynamo.until(lambda: set(dynamo.items()) == {"old"})


def test_indexes_lose_what_expires(dynamo: LocalDynamo) -> None:
    schema = [{"AttributeName": "p", "KeyType": "HASH"}]
    dynamo.call(
        "CreateTable",
        TableName="orders",
        KeySchema=schema,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("p", "owner")],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    enable(dynamo)
    dynamo.put("a", owner="me", expires=int(dynamo.now) + 1)
    dynamo.put("b", owner="me")
    dynamo.advance(3)
    dynamo.until(lambda: set(dynamo.items()) == {"b"})
    found = dynamo.call("Scan", TableName="orders", IndexName="by-owner")["Items"]
    assert [each["p"]["S"] for each in found] == ["b"]


def test_it_goes_on_after_a_restart_and_ends_when_disabled(dynamo: LocalDynamo) -> None:
    dynamo.table()
    enable(dynamo)
    dynamo.put("a", expires=int(dynamo.now) + 5)
    dynamo.restart()
    dynamo.advance(7)
    dynamo.until(lambda: not dynamo.items())
    dynamo.put("b", expires=int(dynamo.now) + 5)
    enable(dynamo, enabled=False)
    described = dynamo.call("DescribeTimeToLive", TableName="orders")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}
    dynamo.put("c", expires=int(dynamo.now) + 5)
    dynamo.advance(60)
    assert set(dynamo.items()) == {"b", "c"}


def test_settings_that_do_not_fit_are_refused(dynamo: LocalDynamo) -> None:
    dynamo.table()

    def refused(attribute: str, enabled: bool) -> str:
        wanted = {"AttributeName": attribute, "Enabled": enabled}
        error = dynamo.refused("UpdateTimeToLive", TableName="orders", TimeToLiveSpecification=wanted)
        assert error.code == "ValidationException"
        return error.message

    assert refused("expires", False) == "TimeToLive is already disabled"
    enable(dynamo)
    described = dynamo.call("DescribeTimeToLive", TableName="orders")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    assert refused("expires", True) == "TimeToLive is already enabled"
    other = "TimeToLive is active on a different AttributeName: current AttributeName is expires"
    assert refused("other", True) == refused("other", False) == other


def test_nothing_is_left_of_times_that_do_not_count_any_more(dynamo: LocalDynamo) -> None:
    arn = dynamo.table()
    enable(dynamo)

    async def entries() -> int:
        async def count(tx: Transaction) -> int:
            table = await directory.by_arn(tx, Arn.parse(arn))
            assert table is not None
            space = table.all.sub("ttl")
            return len(await tx.range(space.begin, space.end, limit=100))

        return await dynamo.cloud.block("dynamodb").store.transact(count)

    now = int(dynamo.now)
    dynamo.put("put off", expires=now + 10)
    dynamo.put("put off", expires=now + 10_000)
    assert dynamo.run(entries()) == 1
    dynamo.put("put off")
    assert dynamo.run(entries()) == 0
    dynamo.put("expires", expires=now + 10)
    dynamo.put("deleted", expires=now + 10)
    dynamo.delete("deleted")
    assert dynamo.run(entries()) == 1
    dynamo.advance(20)
    dynamo.until(lambda: set(dynamo.items()) == {"put off"})
    assert dynamo.run(entries()) == 0
    dynamo.put("kept", expires=now + 10_000)
    enable(dynamo, enabled=False)
    assert dynamo.run(entries()) == 0


def test_what_expires_later_does_not_wait_for_as_long_as_much_took(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, look, deleted, rounds = writing.replace, expiring._look_round, [], []

    async def noted(tx: Transaction, table: Table, key: bytes, *given: Any, **more: Any) -> Any:
        deleted.append(key)
        return await replace(tx, table, key, *given, **more)

    async def looked(*given: Any) -> Any:
        before = len(deleted)
        seen = await look(*given)
        rounds.append((len(deleted) > before, seen.idle_seconds > 0))
        return seen

    dynamo.table()
    enable(dynamo)
    for key in "abc":
        dynamo.put(key, expires=int(dynamo.now) + 1)
    monkeypatch.setattr(writing, "replace", noted)
    monkeypatch.setattr(expiring, "_look_round", looked)
    dynamo.advance(2)
    dynamo.until(lambda: not dynamo.items())
    dynamo.until(lambda: (True, False) in rounds)
    # What was done has taken no time in which nothing was to be done: others are looked for as soon as before.
    assert (True, True) not in rounds


def test_few_large_items_are_deleted_at_once(dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "BYTES", 1_000)
    begun: list[int] = []
    due = ttl.due

    async def noted(*given: Any) -> Any:
        found = await due(*given)
        begun.append(len(found))
        return found

    monkeypatch.setattr(ttl, "due", noted)
    dynamo.table()
    enable(dynamo)
    for key in "abcdef":
        dynamo.put(key, expires=int(dynamo.now) + 1, x="x" * 400)
    dynamo.advance(2)
    dynamo.until(lambda: not dynamo.items())
    assert [count for count in begun if count] == [6, 3]


def test_expired_items_are_deleted_though_the_clock_was_set_back(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(expiring, "_SHARE", 0)
    dynamo.table()
    enable(dynamo)
    dynamo.advance(1)
    # The next look is after this time now.
    dynamo.clock.time -= 3600
    dynamo.put("a", expires=int(dynamo.now) + 60)
    dynamo.clock.time += 61
    dynamo.until(lambda: not dynamo.items())


def test_a_table_where_much_is_to_be_done_does_not_hold_up_others(
    dynamo: LocalDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, deleted = writing.replace, []

    async def noted(tx: Transaction, table: Table, *given: Any, **more: Any) -> Any:
        if more.get("identity") is not None:
            deleted.append(table.name)
        return await replace(tx, table, *given, **more)

    monkeypatch.setattr(writing, "replace", noted)
    monkeypatch.setattr(expiring, "_STEPS", 1)
    monkeypatch.setattr(expiring, "_AT_ONCE", 1)
    for name, count in (("orders", 20), ("others", 1)):
        dynamo.table(name)
        for number in range(count):
            dynamo.put(str(number), name, expires=int(dynamo.now) + 60)
        wanted = {"AttributeName": "expires", "Enabled": True}
        dynamo.call("UpdateTimeToLive", TableName=name, TimeToLiveSpecification=wanted)
    dynamo.advance(1)
    dynamo.advance(60)
    dynamo.until(lambda: len(deleted) == 21)
    assert deleted.index("others") < 3
