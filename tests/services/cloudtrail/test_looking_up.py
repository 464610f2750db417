"""How much of a history is read to find a few events in it, and how much of it there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudtrail import history
from cloudlet.services.cloudtrail.api_history import lookup_events
from cloudlet.services.cloudtrail.event import Event
from cloudlet.store.embedded import EmbeddedStore
from tests.in_process import MovableClock
from tests.services.cloudtrail.local import ACCOUNT, REGION

_ALARM = 'Größe "XL" \\ / \t<&>'
_NOON = 1_700_049_600
_MANY = 3_000


def event(id: str, **changed: Any) -> Event:
    record = {
        "eventID": id,
        "recipientAccountId": ACCOUNT,
        "awsRegion": REGION,
        "eventTime": "2023-11-15T12:00:00Z",
        "eventName": "PutMetricAlarm",
        "eventSource": "monitoring.amazonaws.com",
        "readOnly": False,
        "managementEvent": True,
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/R/Søren", "accessKeyId": "ASIA1"},
        "requestParameters": {"alarmName": _ALARM},
    }
    return Event(msgspec.json.encode({**record, **changed}).decode())


RARE = event(
    "rare",
    eventName="CreateQueue",
    eventSource="sqs.amazonaws.com",
    readOnly=True,
    userIdentity={"type": "Root", "arn": "arn:aws:iam::1:root", "accessKeyId": "AKIA2"},
    requestParameters={"queueName": "q"},
)
ATTRIBUTES = [
    ("EventId", "rare"),
    ("EventName", "CreateQueue"),
    ("EventSource", "sqs.amazonaws.com"),
    ("ReadOnly", "true"),
    ("ResourceName", "q"),
    ("ResourceType", "AWS::SQS::Queue"),
    ("Username", "root"),
    ("AccessKeyId", "AKIA2"),
]


class _Counted:
    """A transaction that counts the rows that are read in it."""

    def __init__(self, tx: Transaction, counts: list[int]) -> None:
        self._tx = tx
        self._counts = counts

    async def get(self, key: bytes) -> bytes | None:
        self._counts.append(1)
        return await self._tx.get(key)

    async def range(self, *arguments: Any, **more: Any) -> Any:
        rows = await self._tx.range(*arguments, **more)
        self._counts.append(len(rows))
        return rows


class _Caller:
    """A context on a store of its own, which knows how many rows it has read."""

    account, region = ACCOUNT, REGION

    def __init__(self, folder: Path) -> None:
        self.store = EmbeddedStore(folder, durable=False)
        self.counts: list[int] = []

    def now(self) -> float:
        return _NOON + 3600.0

    async def transact(self, body: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return await self.store.transact(lambda tx: body(_Counted(tx, self.counts)))

    async def add(self, events: list[Event]) -> None:
        async def some(tx: Transaction, part: list[Event]) -> None:
            for each in part:
                await history.add(tx, each)

        for at in range(0, len(events), 500):
            await self.store.transact(lambda tx, at=at: some(tx, events[at : at + 500]))  # type: ignore[misc]

    async def looked_up(self, key: str, value: str, **more: Any) -> tuple[list[str], int]:
        """Return the ids of events with an attribute, and how many rows were read for them."""
        self.counts.clear()
        wanted = {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}], **more}
        answer = await _looked_up(self, wanted)
        assert "NextToken" not in answer
        return [each["EventId"] for each in answer["Events"]], sum(self.counts)


async def _looked_up(context: Any, params: dict[str, Any]) -> dict[str, Any]:
    return cast(dict[str, Any], await lookup_events(context, params))


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_an_event_has_what_it_is_looked_up_by(attribute: tuple[str, str]) -> None:
    assert attribute in RARE.attributes
    assert attribute not in event("e").attributes
    assert ("ResourceName", _ALARM) in event("e").attributes
    assert ("Username", "Søren") in event("e").attributes


def test_of_a_long_history_only_what_is_looked_for_is_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = _Caller(tmp_path)
        await caller.add([event(f"e{number}") for number in range(_MANY)] + [RARE])
        for key, value in ATTRIBUTES:
            assert await caller.looked_up(key, value) == (["rare"], 2)
            assert await caller.looked_up(key, value, EndTime=_NOON - 1) == ([], 0)
            assert await caller.looked_up(key, "nothing at all") == ([], 0)
        await caller.store.close()

    asyncio.run(scenario())


def test_pages_of_what_has_an_attribute_go_on_where_they_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        caller = _Caller(tmp_path)
        wanted = [event(f"e{number:03}", eventName="CreateQueue") for number in range(120)]
        await caller.add(wanted + [event(f"x{number}") for number in range(120)])
        found: list[str] = []
        asked: dict[str, Any] = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateQueue"}]}
        for count in (50, 50, 20):
            answer = await _looked_up(caller, asked)
            assert len(answer["Events"]) == count
            found += [each["EventId"] for each in answer["Events"]]
            asked["NextToken"] = answer.get("NextToken")
        assert asked["NextToken"] is None
        assert found == sorted([each.id for each in wanted], reverse=True)
        await caller.store.close()

    asyncio.run(scenario())


class _Unfound:
    """A context whose history has events without end, none of which is what is looked for."""

    account, region = ACCOUNT, REGION

    def __init__(self) -> None:
        self.pages = 0

    def now(self) -> float:
        return _NOON

    async def transact(self, _: Any) -> history.Page:
        self.pages += 1
        return history.Page([], f"page {self.pages}".encode(), is_last=False)


def test_a_call_ends_soon_and_others_have_their_turn_meanwhile() -> None:
    context, turns = _Unfound(), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def look() -> None:
        waiting = asyncio.create_task(others())
        answer = await _looked_up(context, {})
        waiting.cancel()
        assert (answer["Events"], bool(answer["NextToken"])) == ([], True)

    asyncio.run(look())
    assert context.pages == 20
    assert turns >= 19


def _with_block(folder: Path, scenario: Callable[[Block], Coroutine[Any, Any, None]]) -> None:
    """Do something with what jobs need of a block, while none of its own jobs runs."""

    async def run() -> None:
        store = EmbeddedStore(folder, durable=False)
        await scenario(cast(Block, SimpleNamespace(store=store, clock=MovableClock())))
        await store.close()

    asyncio.run(run())


async def _ids(block: Block, account: str = ACCOUNT) -> list[str]:
    """Return the ids of an account's events, the newest first."""
    page = await block.store.transact(
        lambda tx: history.newest(tx, account, REGION, 0, b"", _NOON, attribute=None, limit=1000)
    )
    return [each.id for each in page.events]


async def _trimmed(block: Block, most: int) -> list[str]:
    """Delete what is too much of the history; return the ids of what is left, once that is all that may be."""
    trimming = asyncio.create_task(history.trim(block, most))
    while len(left := await _ids(block)) > most:
        await asyncio.sleep(0.01)
    trimming.cancel()
    await asyncio.wait([trimming])
    return left


async def _add(tx: Transaction, events: list[Event]) -> None:
    for each in events:
        await history.add(tx, each)


def test_the_oldest_go_where_an_account_has_too_many(tmp_path: Path) -> None:
    async def scenario(block: Block) -> None:
        mine = [event(f"e{number:03}") for number in range(250)]
        theirs = [event("theirs", recipientAccountId="222222222222")]
        await block.store.transact(lambda tx: _add(tx, [*mine, *theirs]))
        assert await _trimmed(block, 30) == [each.id for each in reversed(mine[-30:])]
        assert await _ids(block, "222222222222") == ["theirs"]
        # Nothing leads to what is gone, and it may come again.
        await block.store.transact(lambda tx: _add(tx, mine[:1]))
        assert len(await _ids(block)) == 31

    _with_block(tmp_path, scenario)


def test_events_from_before_there_was_an_index_are_found_counted_and_deleted(tmp_path: Path) -> None:
    async def as_before(tx: Transaction) -> None:
        events = [RARE, *(event(f"e{number:03}") for number in range(250))]
        stored = [(ACCOUNT, each.id, each.text) for each in events] + [("000000000000", "broken", "{")]
        for account, id, text in stored:
            key = Subspace("event").key(account, REGION, _NOON, id)
            tx.put(key, text.encode())
            tx.put(Subspace("event-time").key(_NOON, key), b"")

    async def found(tx: Transaction) -> list[str]:
        attribute = ("EventName", "CreateQueue")
        page = await history.newest(tx, ACCOUNT, REGION, 0, b"", _NOON, attribute=attribute, limit=10)
        return [each.id for each in page.events]

    async def scenario(block: Block) -> None:
        await block.store.transact(as_before)
        await block.store.transact(lambda tx: _add(tx, [event("new")]))
        for _ in range(2):
            await history.index(block)
            assert await block.store.transact(found) == ["rare"]
        assert await _trimmed(block, 100) == ["rare", "new", *(f"e{number:03}" for number in range(249, 151, -1))]

    _with_block(tmp_path, scenario)
