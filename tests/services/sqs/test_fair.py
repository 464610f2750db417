"""Fair queues: a noisy neighbour on a standard queue does not hold up the others."""

from __future__ import annotations

from tests.services.sqs.conftest import Sqs


def _send(sqs: Sqs, url: str, group: str | None, count: int) -> None:
    for at in range(0, count, 10):
        size = min(10, count - at)
        entries = [{"Id": str(number), "MessageBody": group or "free"} for number in range(size)]
        if group is not None:
            entries = [{**entry, "MessageGroupId": group} for entry in entries]
        sqs.call("SendMessageBatch", QueueUrl=url, Entries=entries)


def test_messages_of_quiet_tenants_come_in_the_order_of_arrival(sqs: Sqs) -> None:
    url = sqs.queue()
    for body, group in (("1", "a"), ("2", None), ("3", "b"), ("4", "a"), ("5", None), ("6", "a")):
        sqs.send(url, body, **({} if group is None else {"MessageGroupId": group}))
    assert sqs.bodies(url) == ["1", "2", "3", "4", "5", "6"]


def test_messages_of_a_group_are_received_in_parallel(sqs: Sqs) -> None:
    url = sqs.queue()
    _send(sqs, url, "a", 5)
    assert [len(sqs.receive(url, 1)) for _ in range(5)] == [1] * 5
    assert sqs.counts(url) == (0, 5, 0)


def test_quiet_tenants_overtake_one_with_much_in_flight(sqs: Sqs) -> None:
    url = sqs.queue()
    _send(sqs, url, "noisy", 200)
    for _ in range(4):
        sqs.receive(url)
    _send(sqs, url, "quiet", 3)
    _send(sqs, url, None, 2)
    assert sqs.bodies(url) == ["quiet"] * 3 + ["free"] * 2 + ["noisy"] * 5
    assert sqs.bodies(url, 3) == ["noisy"] * 3, "nothing is held back when nobody else waits"


def test_less_than_thirty_in_flight_are_no_noise(sqs: Sqs) -> None:
    url = sqs.queue()
    _send(sqs, url, "busy", 100)
    for _ in range(2):
        sqs.receive(url)
    _send(sqs, url, "other", 1)
    assert sqs.bodies(url) == ["busy"] * 10


def test_of_several_noisy_tenants_the_one_with_least_in_flight_comes_first(sqs: Sqs) -> None:
    url = sqs.queue()
    _send(sqs, url, "loud", 100)
    for _ in range(6):
        sqs.receive(url)
    _send(sqs, url, "louder", 100)
    for _ in range(4):
        assert set(sqs.bodies(url)) == {"louder"}
    assert sqs.bodies(url) == ["louder"] * 10, "40 in flight against 60"
    for _ in range(1):
        assert sqs.bodies(url) == ["louder"] * 10
    assert sorted(sqs.bodies(url)) == ["loud"] * 5 + ["louder"] * 5


def test_a_tenant_that_sent_nothing_for_five_minutes_is_quiet_again(sqs: Sqs) -> None:
    url = sqs.queue(VisibilityTimeout=3600)
    _send(sqs, url, "noisy", 100)
    for _ in range(4):
        sqs.receive(url)
    _send(sqs, url, "quiet", 1)
    sqs.advance(301)
    assert sqs.bodies(url, 1) == ["noisy"]


def test_a_tenant_with_slow_messages_is_noisy(sqs: Sqs) -> None:
    url = sqs.queue(VisibilityTimeout=60)
    _send(sqs, url, "slow", 5)
    [message] = sqs.receive(url, 1)
    sqs.advance(40)
    sqs.delete(url, message)
    _send(sqs, url, "fast", 1)
    assert sqs.bodies(url, 1) == ["fast"]


def test_a_delayed_message_keeps_its_group(sqs: Sqs) -> None:
    url = sqs.queue()
    sqs.send(url, "m", MessageGroupId="g", DelaySeconds=5)
    assert sqs.counts(url) == (0, 0, 1)
    sqs.advance(5)
    [message] = sqs.receive(url)
    assert message["Attributes"]["MessageGroupId"] == "g"
    sqs.delete(url, message)
    assert sqs.counts(url) == (0, 0, 0)
