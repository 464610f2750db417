"""What waits in lanes: each delivery once, and nothing is left of what has gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.sns import backlog, http_delivery, lanes, outbox, outward
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.backlog import Lane, Waiting
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.outbox import Row
from cloudlet.services.sns.undeliverable import Undeliverable
from tests.services.sns.cloud import OWNER, STRANGER, LocalSns, local_sns

_PHONE = "+431234567"


@pytest.fixture
def sns(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path) as local:
        yield local


class _Phone:
    """A subscriber who is called, and whose answer the test gives."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.answers = asyncio.Event()

    async def deliver(self, block: Block, topic: Any, subscribed: Any, message: Message) -> None:
        self.called.append(message.bodies["default"])
        await self.answers.wait()
        raise Undeliverable("no answer", permanent=False)


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> _Phone:
    phone = _Phone()
    monkeypatch.setattr(outward, "deliver", phone.deliver)
    return phone


def _subscribed(sns: LocalSns) -> str:
    topic = str(sns.call("CreateTopic", Name="t")["TopicArn"])
    sns.call("Subscribe", TopicArn=topic, Protocol="sms", Endpoint=_PHONE)
    return topic


def _scheduled(sns: LocalSns) -> list[tuple[int, str, str]]:
    async def both(tx: Transaction) -> list[tuple[int, str, str]]:
        return [row for failing in (False, True) for row in await backlog.scheduled(tx, 10, failing=failing)]

    return sns.transact(both)


def _of_first_topic(sns: LocalSns) -> list[bytes]:
    """Return the keys of what is kept of the topic that was made first."""
    below = Subspace("t", 1)

    async def keys(tx: Transaction) -> list[bytes]:
        return [key for key, _ in await tx.range(below.begin, below.end, limit=100)]

    return sns.transact(keys)


@pytest.mark.parametrize("subscribed_anew", [False, True])
def test_a_topic_that_is_made_anew_has_nothing_to_do_for_the_old_one(
    sns: LocalSns, phone: _Phone, subscribed_anew: bool
) -> None:
    topic = _subscribed(sns)
    phone.answers.set()
    sns.call("Publish", TopicArn=topic, Message="m")
    sns.until(lambda: phone.called == ["m"] and bool(_scheduled(sns)))
    sns.call("DeleteTopic", TopicArn=topic)
    sns.call("CreateTopic", Name="t")
    if subscribed_anew:
        sns.call("Subscribe", TopicArn=topic, Protocol="sms", Endpoint=_PHONE)
    sns.advance(3600)
    sns.until(lambda: not _scheduled(sns))
    assert phone.called == ["m"]
    assert not _of_first_topic(sns)


def test_what_fails_once_its_topic_was_made_anew_leaves_nothing(sns: LocalSns, phone: _Phone) -> None:
    topic = _subscribed(sns)
    sns.call("Publish", TopicArn=topic, Message="m")
    sns.until(lambda: phone.called == ["m"])
    sns.call("DeleteTopic", TopicArn=topic)
    sns.call("CreateTopic", Name="t")
    phone.answers.set()
    sns.advance(3600)
    sns.until(lambda: not _scheduled(sns))
    assert not _of_first_topic(sns)


def test_a_delivery_that_another_process_has_made_is_not_counted_off_twice(sns: LocalSns) -> None:
    arn = str(sns.call("CreateTopic", Name="t")["TopicArn"])
    message = Message("id", arn, 0, None, {"default": "m"}, {})
    far = sns.now + 3600
    waiting = Waiting("id", int(far * 1000))

    async def fill(tx: Transaction) -> None:
        topic = await topics.get(tx, arn)
        for subscriber in "ab":
            await Lane(topic, f"{arn}:{subscriber}").add(tx, message, waiting)

    async def remove_twice(tx: Transaction) -> list[tuple[Waiting, Message]]:
        topic = await topics.get(tx, arn)
        done = Lane(topic, f"{arn}:a")
        await done.remove(tx, waiting)
        await done.remove(tx, waiting)
        await done.put_off(tx, waiting, waiting)
        assert not await done.first(tx, waiting.due, 10, 1_000)
        return await Lane(topic, f"{arn}:b").first(tx, waiting.due, 10, 1_000)

    sns.transact(fill)
    assert sns.transact(remove_twice) == [(waiting, message)]


def test_an_endpoint_gets_no_more_a_second_than_its_policy_admits(
    sns: LocalSns, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens: list[str] = []
    done: list[str] = []

    async def notify(block: Block, topic: Any, subscribed: Any, *_: Any) -> None:
        tokens.append(subscribed.token)

    async def deliver(block: Block, topic: Any, subscribed: Any, message: Message) -> None:
        done.append("delivery")

    async def rest(block: Block, seconds: float) -> None:
        assert seconds <= 1
        done.append("rest")

    monkeypatch.setattr(outward, "notify", notify)
    monkeypatch.setattr(outward, "deliver", deliver)
    monkeypatch.setattr(lanes, "back_off", rest)
    topic = sns.call("CreateTopic", Name="t")["TopicArn"]
    policy = {"DeliveryPolicy": json.dumps({"throttlePolicy": {"maxReceivesPerSecond": 4}})}
    sns.call("Subscribe", TopicArn=topic, Protocol="http", Endpoint="http://localhost:1/", Attributes=policy)
    sns.until(lambda: bool(tokens))
    sns.call("ConfirmSubscription", TopicArn=topic, Token=tokens[0])
    entries = [{"Id": str(number), "Message": str(number)} for number in range(10)]
    sns.call("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    sns.until(lambda: done.count("delivery") == 10 and done[-1] == "rest")
    assert "delivery" * 5 not in "".join(done)
    assert done.count("rest") >= 3


def test_endpoints_of_one_account_that_never_answer_leave_others_half_of_the_connections(
    sns: LocalSns, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []
    tokens: dict[str, str] = {}

    async def notify(block: Block, topic: Any, subscribed: Any, *_: Any) -> None:
        tokens[subscribed.endpoint] = subscribed.token

    async def post(client: Any, url: str, body: str, **_: Any) -> None:
        reached.append(url)
        if "silent" in url:
            await asyncio.Event().wait()

    monkeypatch.setattr(outward, "notify", notify)
    monkeypatch.setattr(http_delivery, "post", post)
    monkeypatch.setattr(outward, "_MOST_AT_ONCE", 4)

    def subscribed(by: Principal, *endpoints: str) -> str:
        topic = str(sns.call("CreateTopic", by=by, Name="t")["TopicArn"])
        for endpoint in endpoints:
            sns.call("Subscribe", by=by, TopicArn=topic, Protocol="http", Endpoint=endpoint)
            sns.until(lambda endpoint=endpoint: endpoint in tokens)  # type: ignore[misc]
            sns.call("ConfirmSubscription", by=by, TopicArn=topic, Token=tokens[endpoint])
        return topic

    silent = subscribed(OWNER, *[f"http://silent/{number}" for number in range(5)])
    other = subscribed(STRANGER, "http://other/")
    sns.call("Publish", TopicArn=silent, Message="m")
    sns.until(lambda: len(reached) == 2)
    sns.call("Publish", by=STRANGER, TopicArn=other, Message="m")
    sns.until(lambda: "http://other/" in reached)
    assert len(reached) == 3


def test_what_an_earlier_cloudlet_has_put_into_its_one_outbox_is_delivered(
    sns: LocalSns, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def deliver(block: Block, topic: Any, subscribed: Any, message: Message) -> None:
        done.append(message.bodies["default"])

    topic = _subscribed(sns)
    monkeypatch.setattr(outward, "deliver", deliver)

    async def put(tx: Transaction) -> None:
        row = Row(Message("id", topic, int(sns.now * 1000), None, {"default": "m"}, {}))
        tx.put(Subspace("outbox", "others").key(row.message.published, row.message.id), outbox._encode(row))

    sns.transact(put)
    sns.restart()
    sns.until(lambda: done == ["m"])
