"""What time does to messages: all of it follows the cloud's clock, exactly."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloudlet.core import AwsError, Transaction
from cloudlet.services.sqs import contents, jobs, retention
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.walking import queues_with_messages
from tests.services.sqs.conftest import Sqs


def test_a_received_message_comes_back_after_the_visibility_timeout(sqs: Sqs) -> None:
    url = sqs.queue(VisibilityTimeout=30)
    sqs.send(url)
    [first] = sqs.receive(url)
    assert sqs.counts(url) == (0, 1, 0)
    sqs.advance(29.999)
    assert sqs.receive(url) == []
    sqs.advance(0.001)
    assert sqs.counts(url) == (1, 0, 0)
    [second] = sqs.receive(url)
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert (
        second["Attributes"]["ApproximateFirstReceiveTimestamp"]
        == first["Attributes"]["ApproximateFirstReceiveTimestamp"]
    )


def test_a_message_that_comes_back_is_in_its_old_place(sqs: Sqs) -> None:
    url = sqs.queue(VisibilityTimeout=5)
    for body in ("a", "b", "c"):
        sqs.send(url, body)
    assert sqs.bodies(url, 1) == ["a"]
    sqs.advance(5)
    assert sqs.bodies(url) == ["a", "b", "c"]


def test_a_receive_can_ask_for_its_own_visibility_timeout(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url)
    assert sqs.receive(url, VisibilityTimeout=0)
    assert sqs.receive(url, VisibilityTimeout=7)
    sqs.advance(6)
    assert sqs.receive(url) == []
    sqs.advance(1)
    assert sqs.receive(url)


def test_change_visibility_counts_from_now(sqs: Sqs) -> None:
    url = sqs.queue(VisibilityTimeout=60)
    sqs.send(url)
    [message] = sqs.receive(url)
    sqs.advance(15)
    sqs.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=10)
    sqs.advance(9)
    assert sqs.receive(url) == []
    sqs.advance(1)
    assert sqs.receive(url)


def test_a_delivery_lasts_twelve_hours_at_most(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url)
    [message] = sqs.receive(url)
    sqs.advance(10)
    with pytest.raises(AwsError) as caught:
        sqs.call(
            "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=43200
        )
    assert caught.value.code == "InvalidParameterValue"
    assert caught.value.message == (
        "Value 43200 for parameter VisibilityTimeout is invalid. Reason: "
        "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    )
    sqs.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=43190)
    sqs.advance(43189)
    assert sqs.counts(url) == (0, 1, 0)


def test_a_delayed_message_is_counted_as_such_until_its_delay_ends(sqs: Sqs) -> None:
    url = sqs.queue(DelaySeconds=10)
    sqs.send(url, "of the queue")
    sqs.send(url, "of its own", DelaySeconds=20)
    sqs.send(url, "not delayed", DelaySeconds=0)
    assert sqs.counts(url) == (1, 0, 2)
    assert sqs.bodies(url, VisibilityTimeout=100) == ["not delayed"]
    sqs.advance(10)
    assert sqs.counts(url) == (1, 1, 1)
    assert sqs.bodies(url, VisibilityTimeout=100) == ["of the queue"]
    sqs.advance(10)
    assert sqs.bodies(url) == ["of its own"]


def test_messages_expire_whatever_state_they_are_in(sqs: Sqs) -> None:
    url = sqs.queue(MessageRetentionPeriod=60)
    sqs.send(url, "in flight")
    sqs.receive(url, VisibilityTimeout=600)
    sqs.send(url, "visible")
    sqs.send(url, "delayed", DelaySeconds=300)
    assert sqs.counts(url) == (1, 1, 1)
    sqs.advance(59.999)
    assert sqs.counts(url) == (1, 1, 1)
    sqs.advance(0.001)
    assert sqs.receive(url) == []
    assert sqs.counts(url) == (0, 0, 0)
    sqs.advance(600)
    assert sqs.counts(url) == (0, 0, 0)


@pytest.mark.interpreted
def test_many_that_expire_are_deleted_each_minute_though_that_takes_long(
    sqs: Sqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqs.queue(MessageRetentionPeriod=60)
    expire, elapsed = retention.expire, 0.0

    async def slowly(tx: Transaction, queue: Queue, now: int) -> bool:
        nonlocal elapsed
        elapsed += 1
        return await expire(tx, queue, now)

    async def holding() -> list[str]:
        return [record.name async for record in queues_with_messages(sqs.cloud.block("sqs"))]

    monkeypatch.setattr(jobs, "perf_counter", lambda: elapsed)
    monkeypatch.setattr(retention, "expire", slowly)
    for _ in range(2):
        _send_many(sqs, url, 11)
        assert sqs.run(holding()) == ["orders"]
        sqs.advance(61)
        sqs.advance(61)
        sqs.until(lambda: not sqs.run(holding()))


def _send_many(sqs: Sqs, url: str, tens: int, **more: str) -> None:
    for _ in range(tens):
        entries = [{"Id": str(number), "MessageBody": "x", **more} for number in range(10)]
        sqs.call("SendMessageBatch", QueueUrl=url, Entries=entries)


@pytest.mark.interpreted
@pytest.mark.parametrize("wait", [0, 20])
@pytest.mark.parametrize("more", [{}, {"MessageGroupId": "tenant"}])
def test_what_is_behind_many_expired_messages_is_received_and_no_transaction_moves_them_all(
    sqs: Sqs, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], wait: int
) -> None:
    url = sqs.queue(MessageRetentionPeriod=60)
    _send_many(sqs, url, 30, **more)
    # By itself the clock wakes no job: the receive is the first to meet them.
    sqs.clock.time += 61
    sqs.send(url, "fresh", **more)
    removed: list[Transaction] = []
    remove = contents.remove_taken

    async def noting(tx: Transaction, *args: Any) -> None:
        removed.append(tx)
        await remove(tx, *args)

    monkeypatch.setattr(contents, "remove_taken", noting)
    assert sqs.bodies(url, WaitTimeSeconds=wait) == ["fresh"]
    assert sqs.counts(url) == (0, 1, 0)
    assert max(removed.count(tx) for tx in removed) < 100


def test_a_shorter_retention_period_applies_to_messages_already_there(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url)
    sqs.advance(100)
    sqs.call("SetQueueAttributes", QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    assert sqs.receive(url) == []
    assert sqs.counts(url) == (0, 0, 0)


def test_a_queue_is_purged_once_a_minute(sqs: Sqs) -> None:
    url = sqs.queue()
    for delay in (0, 0, 5):
        sqs.send(url, DelaySeconds=delay)
    sqs.receive(url, 1)
    sqs.call("PurgeQueue", QueueUrl=url)
    assert sqs.counts(url) == (0, 0, 0)
    sqs.advance(59)
    with pytest.raises(AwsError) as caught:
        sqs.call("PurgeQueue", QueueUrl=url)
    assert caught.value.code == "PurgeQueueInProgress"
    assert caught.value.message == "Only one PurgeQueue operation on orders is allowed every 60 seconds."
    sqs.advance(1)
    sqs.call("PurgeQueue", QueueUrl=url)
    sqs.send(url, "after")
    assert sqs.bodies(url) == ["after"]


def test_a_name_can_be_used_again_a_minute_after_its_queue_was_deleted(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, "old")
    sqs.call("DeleteQueue", QueueUrl=url)
    with pytest.raises(AwsError, match="QueueDoesNotExist"):
        sqs.send(url)
    sqs.advance(59)
    with pytest.raises(AwsError) as caught:
        sqs.queue()
    assert caught.value.code == "QueueDeletedRecently"
    assert caught.value.message == (
        "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    )
    sqs.advance(1)
    assert sqs.counts(sqs.queue()) == (0, 0, 0)


def test_a_waiting_receiver_gets_a_message_when_its_delay_ends(sqs: Sqs) -> None:
    url = sqs.queue()

    async def poll() -> None:
        receiver = asyncio.create_task(sqs.calling("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await sqs.settle()
        await sqs.calling("SendMessage", QueueUrl=url, MessageBody="late", DelaySeconds=5)
        await sqs.settle()
        sqs.clock.advance(4)
        await sqs.settle()
        assert not receiver.done()
        sqs.clock.advance(1)
        await sqs.settle()
        assert receiver.result()["Messages"][0]["Body"] == "late"

    sqs.run(poll())


def test_a_waiting_receiver_gives_up_in_time(sqs: Sqs) -> None:
    url = sqs.queue()

    async def poll() -> None:
        receiver = asyncio.create_task(sqs.calling("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await sqs.settle()
        sqs.clock.advance(19.9)
        await sqs.settle()
        assert not receiver.done()
        sqs.clock.advance(0.1)
        await sqs.settle()
        assert receiver.result() == {}

    sqs.run(poll())


def test_a_waiting_receiver_gets_what_another_did_not_delete(sqs: Sqs) -> None:
    url = sqs.queue()

    async def poll() -> None:
        first = asyncio.create_task(sqs.calling("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        second = asyncio.create_task(sqs.calling("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        await sqs.settle()
        await sqs.calling("SendMessage", QueueUrl=url, MessageBody="m")
        await sqs.settle()
        assert first.done()
        assert not second.done()
        handle = first.result()["Messages"][0]["ReceiptHandle"]
        await sqs.calling("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        await sqs.settle()
        assert second.result()["Messages"][0]["Body"] == "m"

    sqs.run(poll())


_DAY = 86_400


def test_a_clock_set_back_holds_up_no_fifo_queue(sqs: Sqs) -> None:
    url = sqs.queue("orders.fifo")
    sqs.send(url, "before", MessageGroupId="a")
    sqs.advance(-_DAY)
    sqs.send(url, "after", MessageGroupId="b")
    assert sqs.bodies(url) == ["before", "after"]


def test_what_was_sent_before_the_clock_was_set_back_makes_nothing_a_duplicate(sqs: Sqs) -> None:
    url = sqs.queue("orders.fifo")
    sqs.send(url, "same", MessageGroupId="a")
    sqs.advance(-_DAY)
    sqs.send(url, "same", MessageGroupId="a")
    sqs.send(url, "same", MessageGroupId="a")
    assert sqs.bodies(url) == ["same", "same"]


def test_a_queue_deleted_or_purged_before_the_clock_was_set_back_was_not_so_recently(sqs: Sqs) -> None:
    sqs.call("DeleteQueue", QueueUrl=sqs.queue("gone"))
    purged = sqs.queue("purged")
    sqs.call("PurgeQueue", QueueUrl=purged)
    sqs.advance(-_DAY)
    assert sqs.queue("gone")
    sqs.call("PurgeQueue", QueueUrl=purged)
