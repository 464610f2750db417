"""FIFO queues: order within groups, groups in flight, exactly-once sending, repeated receives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cloudlet.core import AwsError, Subspace, Transaction
from tests.services.sqs.conftest import Sqs


def _send(sqs: Sqs, url: str, *bodies: str) -> None:
    """Send messages; a body's first letter is its group."""
    for body in bodies:
        sqs.send(url, body, MessageGroupId=body[0])


def test_a_group_is_delivered_in_order_and_one_batch_at_a_time(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    _send(sqs, url, "a1", "a2", "a3", "b1")
    [first] = sqs.receive(url, 1)
    assert first["Body"] == "a1"
    assert sqs.bodies(url) == ["b1"], "group a has a message in flight"
    assert sqs.receive(url) == []
    sqs.delete(url, first)
    assert sqs.bodies(url) == ["a2", "a3"]


def test_a_batch_has_as_many_messages_of_a_group_as_there_are_then_others(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    _send(sqs, url, "a1", "b1", "a2", "b2", "a3", "c1")
    assert sqs.bodies(url, 4) == ["a1", "a2", "a3", "b1"]
    assert sqs.bodies(url) == ["c1"]


def test_a_group_is_free_when_all_of_its_messages_are_deleted(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    _send(sqs, url, "a1", "a2", "a3")
    first, second = sqs.receive(url, 2)
    sqs.delete(url, first)
    assert sqs.receive(url) == []
    sqs.delete(url, second)
    assert sqs.bodies(url) == ["a3"]


def test_a_message_that_comes_back_is_delivered_before_its_successors(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1", "a2")
    sqs.receive(url, 1)
    sqs.advance(10)
    assert sqs.bodies(url) == ["a1", "a2"]


def _give_back(sqs: Sqs, url: str, message: dict[str, Any]) -> None:
    sqs.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)


def test_a_message_that_is_given_back_comes_again_while_those_behind_it_are_in_flight(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1", "a2", "a3")
    first, second = sqs.receive(url, 2)
    _give_back(sqs, url, first)
    assert sqs.counts(url) == (2, 1, 0)
    [first] = sqs.receive(url)
    assert first["Body"] == "a1", "a3 is behind a2, which is in flight"
    sqs.delete(url, first)
    assert sqs.receive(url) == []
    sqs.delete(url, second)
    assert sqs.bodies(url) == ["a3"]


def test_a_message_that_is_given_back_waits_for_those_before_it(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1", "a2")
    first, second = sqs.receive(url)
    _give_back(sqs, url, second)
    assert sqs.receive(url) == []
    sqs.restart()
    sqs.delete(url, first)
    assert sqs.bodies(url) == ["a2"]


def test_a_group_whose_messages_came_back_is_behind_the_others(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1", "b1", "c1")
    [first] = sqs.receive(url, 1)
    _give_back(sqs, url, first)
    assert sqs.bodies(url, 1) == ["b1"]
    _send(sqs, url, "d1")
    assert sqs.bodies(url, 2) == ["c1", "a1"]
    sqs.advance(10)
    assert sqs.bodies(url, 1) == ["d1"]


def test_a_group_in_flight_of_an_older_cloudlet_is_locked_until_all_of_it_has_landed(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1", "a2", "a3")
    first, second = sqs.receive(url, 2)

    async def forget_which_are_in_flight(tx: Transaction) -> None:
        space = Subspace("q", 1, "c", "g")
        ((key, value),) = await tx.range(space.begin, space.end, limit=2)
        head, in_flight, *_ = msgspec.msgpack.decode(value)
        tx.put(key, msgspec.msgpack.encode([head, in_flight]))

    sqs.transact(forget_which_are_in_flight)
    _give_back(sqs, url, first)
    assert sqs.receive(url) == []
    sqs.delete(url, second)
    assert sqs.bodies(url) == ["a1", "a3"]


def test_a_delayed_group_does_not_hold_up_one_that_came_back(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", DelaySeconds=10)
    _send(sqs, url, "a1")
    sqs.advance(10)
    [first] = sqs.receive(url)
    _send(sqs, url, *(f"{group}1" for group in "bcdefghijklmn"))
    _give_back(sqs, url, first)
    assert sqs.bodies(url) == ["a1"]


def test_a_receipt_handle_expires_with_the_visibility_timeout(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1")
    [message] = sqs.receive(url)
    sqs.advance(10)
    handle = message["ReceiptHandle"]
    for call in (
        lambda: sqs.call("DeleteMessage", QueueUrl=url, ReceiptHandle=handle),
        lambda: sqs.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=5),
    ):
        with pytest.raises(AwsError) as caught:
            call()
        assert caught.value.code == "InvalidParameterValue"
        assert caught.value.message == (
            f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
    [again] = sqs.receive(url)
    sqs.delete(url, again)
    sqs.delete(url, again)
    assert sqs.counts(url) == (0, 0, 0)


def test_an_earlier_handle_serves_until_its_own_timeout_ends(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1", "a2")
    [first] = sqs.receive(url, 1)
    _give_back(sqs, url, first)
    [again] = sqs.receive(url, 1)
    assert again["Body"] == "a1"
    _give_back(sqs, url, first)
    [_] = sqs.receive(url, 1)
    sqs.delete(url, first)
    assert sqs.bodies(url) == ["a2"]


def test_a_message_sent_again_within_five_minutes_is_stored_once(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    first = sqs.send(url, "m", MessageGroupId="g")
    [received] = sqs.receive(url)
    sqs.delete(url, received)
    sqs.advance(299)
    again = sqs.send(url, "m", MessageGroupId="g")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert sqs.receive(url) == []
    sqs.advance(1)
    assert sqs.send(url, "m", MessageGroupId="g")["MessageId"] != first["MessageId"]
    assert sqs.bodies(url) == ["m"]


def test_an_explicit_deduplication_id_counts_more_than_the_content(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    sqs.send(url, "same", MessageGroupId="g", MessageDeduplicationId="1")
    sqs.send(url, "same", MessageGroupId="g", MessageDeduplicationId="2")
    sqs.send(url, "other", MessageGroupId="g", MessageDeduplicationId="2")
    assert sqs.bodies(url) == ["same", "same"]


def test_deduplication_can_be_by_group(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
    for group in ("a", "b", "a"):
        sqs.send(url, "m", MessageGroupId=group)
    assert sqs.counts(url) == (2, 0, 0)


def test_sequence_numbers_have_twenty_digits_and_grow(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    numbers = [sqs.send(url, body, MessageGroupId="g")["SequenceNumber"] for body in "abc"]
    assert numbers == sorted(numbers)
    assert {len(number) for number in numbers} == {20}
    [*received] = sqs.receive(url)
    assert [message["Attributes"]["SequenceNumber"] for message in received] == numbers


def test_a_purge_forgets_what_was_sent(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    _send(sqs, url, "a1")
    sqs.call("PurgeQueue", QueueUrl=url)
    _send(sqs, url, "a1")
    assert sqs.bodies(url) == ["a1"]


def test_sequence_numbers_grow_across_a_purge(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    before = sqs.send(url, "a", MessageGroupId="g")["SequenceNumber"]
    sqs.call("PurgeQueue", QueueUrl=url)
    assert sqs.send(url, "b", MessageGroupId="g")["SequenceNumber"] > before
    assert sqs.bodies(url) == ["b"]


def test_the_delay_of_a_queue_is_retroactive(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", DelaySeconds=10)
    _send(sqs, url, "a1", "b1")
    assert sqs.counts(url) == (0, 0, 2)
    sqs.advance(5)
    _send(sqs, url, "a2")
    assert sqs.receive(url) == []
    sqs.advance(5)
    assert sqs.counts(url) == (2, 0, 1)
    sqs.call("SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "0"})
    assert sqs.counts(url) == (3, 0, 0)
    sqs.call("SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "6"})
    assert sqs.counts(url) == (2, 0, 1)
    received = sqs.receive(url)
    assert [message["Body"] for message in received] == ["a1", "b1"]
    sqs.advance(1)
    for message in received:
        sqs.delete(url, message)
    assert sqs.counts(url) == (1, 0, 0)
    assert sqs.bodies(url) == ["a2"]


def test_an_attempt_is_answered_again_with_the_same_handles(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=30)
    _send(sqs, url, "a1", "a2")
    first = sqs.receive(url, ReceiveRequestAttemptId="try-1")
    sqs.advance(20)
    again = sqs.receive(url, ReceiveRequestAttemptId="try-1")
    assert [message["ReceiptHandle"] for message in again] == [message["ReceiptHandle"] for message in first]
    sqs.advance(20)
    assert sqs.counts(url) == (0, 2, 0), "a repeated receive starts the visibility timeout anew"
    assert sqs.receive(url, ReceiveRequestAttemptId="try-2") == []


def test_an_attempt_is_a_new_one_once_a_message_of_it_was_changed(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    _send(sqs, url, "a1", "b1")
    first = sqs.receive(url, 1, ReceiveRequestAttemptId="try")
    sqs.delete(url, first[0])
    assert sqs.bodies(url, 1, ReceiveRequestAttemptId="try") == ["b1"]


def test_an_attempt_id_says_nothing_after_the_visibility_timeout(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", VisibilityTimeout=10)
    _send(sqs, url, "a1")
    [first] = sqs.receive(url, ReceiveRequestAttemptId="try")
    sqs.advance(10)
    [again] = sqs.receive(url, ReceiveRequestAttemptId="try")
    assert again["ReceiptHandle"] != first["ReceiptHandle"]


def test_messages_of_a_batch_are_stored_in_its_order(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo")
    entries = [{"Id": str(at), "MessageBody": f"m{at}", "MessageGroupId": "g"} for at in range(10)]
    sent = sqs.call("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in sent["Successful"]] == [str(at) for at in range(10)]
    assert sqs.bodies(url) == [f"m{at}" for at in range(10)]


def test_expired_messages_do_not_lock_their_group(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", MessageRetentionPeriod=60)
    _send(sqs, url, "a1")
    sqs.advance(30)
    _send(sqs, url, "a2")
    sqs.advance(30)
    assert sqs.bodies(url) == ["a2"]
    assert sqs.counts(url) == (0, 1, 0)


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({}, "MissingParameter", "The request must contain the parameter MessageGroupId."),
        (
            {"MessageGroupId": "a b"},
            "InvalidParameterValue",
            "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric "
            "and punctuation characters. 1 to 128 in length.",
        ),
        (
            {"MessageGroupId": "g", "DelaySeconds": 5},
            "InvalidParameterValue",
            "Value 5 for parameter DelaySeconds is invalid. Reason: "
            "The request include parameter that is not valid for this queue type.",
        ),
        (
            {"MessageGroupId": "g", "MessageDeduplicationId": "x" * 129},
            "InvalidParameterValue",
            f"Value {'x' * 129} for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can "
            "only include alphanumeric and punctuation characters. 1 to 128 in length.",
        ),
    ],
)
def test_what_a_fifo_queue_refuses(sqs: Sqs, params: dict[str, object], code: str, message: str) -> None:
    url = sqs.queue("q.fifo")
    with pytest.raises(AwsError) as caught:
        sqs.send(url, **params)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_a_batch_is_refused_as_a_whole_for_an_entry_without_its_ids(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", ContentBasedDeduplication="false")
    good = {"Id": "good", "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    for left_out, code in (("MessageGroupId", "MissingParameter"), ("MessageDeduplicationId", "InvalidParameterValue")):
        bad = {name: value for name, value in {**good, "Id": "bad"}.items() if name != left_out}
        with pytest.raises(AwsError) as caught:
            sqs.call("SendMessageBatch", QueueUrl=url, Entries=[good, bad])
        assert caught.value.code == code
    assert sqs.counts(url) == (0, 0, 0)


def test_without_content_based_deduplication_an_id_is_needed(sqs: Sqs) -> None:
    url = sqs.queue("q.fifo", ContentBasedDeduplication="false")
    with pytest.raises(AwsError) as caught:
        sqs.send(url, MessageGroupId="g")
    assert caught.value.code == "InvalidParameterValue"
    assert caught.value.message == (
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )
