"""Messages that were received together part ways: each is deleted, put off, expires or comes back by itself."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core import AwsError
from tests.services.sqs.conftest import Sqs


def filled(sqs: Sqs, count: int, **attributes: Any) -> str:
    url = sqs.queue(**attributes)
    for number in range(count):
        sqs.send(url, str(number))
    return url


def delete_all(sqs: Sqs, url: str, messages: list[dict[str, Any]]) -> Any:
    entries = [{"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]} for at, each in enumerate(messages)]
    return sqs.call("DeleteMessageBatch", QueueUrl=url, Entries=entries)


def test_those_that_are_not_deleted_come_back(sqs: Sqs) -> None:
    url = filled(sqs, 6, VisibilityTimeout=30)
    received = sqs.receive(url)
    sqs.delete(url, received[0])
    answer = delete_all(sqs, url, [received[2], received[4], received[2]])
    assert len(answer["Successful"]) == 3
    assert sqs.counts(url) == (0, 3, 0)
    sqs.restart()
    sqs.delete(url, received[5])
    sqs.advance(29)
    assert sqs.counts(url) == (0, 2, 0)
    sqs.advance(1)
    assert sqs.counts(url) == (2, 0, 0)
    assert sqs.bodies(url) == ["1", "3"]


def test_one_whose_visibility_is_changed_goes_on_alone(sqs: Sqs) -> None:
    url = filled(sqs, 3, VisibilityTimeout=30)
    first, second, third = sqs.receive(url)
    for message, seconds in ((first, 0), (second, 60), (second, 30)):
        handle = message["ReceiptHandle"]
        sqs.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=seconds)
    assert sqs.counts(url) == (1, 2, 0)
    [again] = sqs.receive(url, VisibilityTimeout=30)
    delete_all(sqs, url, [again, third])
    sqs.advance(30)
    assert sqs.bodies(url) == ["1"]


def test_the_handle_of_an_earlier_delivery_finds_the_message_among_those_received_with_it(sqs: Sqs) -> None:
    url = filled(sqs, 4)
    first, second, *_ = sqs.receive(url, VisibilityTimeout=0)
    again = sqs.receive(url, VisibilityTimeout=30)
    sqs.delete(url, first)
    handle = second["ReceiptHandle"]
    sqs.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=60)
    assert sqs.counts(url) == (0, 3, 0)
    sqs.delete(url, again[2])
    sqs.advance(30)
    assert sqs.bodies(url, VisibilityTimeout=60) == ["3"]
    sqs.advance(30)
    assert sqs.bodies(url) == ["1"]


def test_one_that_expires_leaves_the_others(sqs: Sqs) -> None:
    url = sqs.queue(MessageRetentionPeriod=100)
    sqs.send(url, "old")
    sqs.advance(50)
    sqs.send(url, "young")
    old, _ = sqs.receive(url, VisibilityTimeout=80)
    sqs.advance(51)
    assert sqs.counts(url) == (0, 1, 0)
    sqs.delete(url, old)
    with pytest.raises(AwsError, match="not available for visibility timeout change"):
        sqs.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=old["ReceiptHandle"], VisibilityTimeout=90)
    assert sqs.counts(url) == (0, 1, 0)
    sqs.advance(29)
    assert sqs.counts(url) == (1, 0, 0)
    assert sqs.bodies(url) == ["young"]


def test_many_come_back_at_once(sqs: Sqs) -> None:
    url = filled(sqs, 250, VisibilityTimeout=30)
    while sqs.receive(url):
        pass
    assert sqs.counts(url) == (0, 250, 0)
    sqs.advance(30)
    assert len(sqs.receive(url)) == 10
    assert sqs.counts(url) == (240, 10, 0)


def test_a_group_is_free_once_all_that_were_received_together_are_deleted(sqs: Sqs) -> None:
    url = sqs.queue("orders.fifo")
    for number in range(4):
        sqs.send(url, str(number), MessageGroupId="customer")
    received = sqs.receive(url, 3)
    delete_all(sqs, url, received[:2])
    assert sqs.receive(url) == []
    delete_all(sqs, url, received[2:])
    assert sqs.bodies(url) == ["3"]
