"""What is kept in memory of queues and of their URLs is small."""

from __future__ import annotations

from cloudlet.services.sqs import directory, queue
from cloudlet.services.sqs.queue_record import QueueRecord, encode
from tests.services.sqs.conftest import ACCOUNT, REGION, Sqs


def test_a_large_record_is_decoded_each_time() -> None:
    for size, is_kept in ((10, True), (100_000, False)):
        raw = encode(QueueRecord(1, ACCOUNT, REGION, "orders", 0, 0, {"Policy": "x" * size}, {}))
        assert queue.decode(raw).record == queue.decode(raw).record
        assert (queue.decode(raw) is queue.decode(raw)) == is_kept


def test_a_long_url_is_of_its_queue_and_is_not_kept(sqs: Sqs) -> None:
    url = sqs.queue()
    long = f"http://{'x' * 100_000}/{ACCOUNT}/orders"
    sqs.send(long, "body")
    assert sqs.bodies(url) == ["body"]
    assert (REGION, url) in directory._keys
    assert (REGION, long) not in directory._keys
