"""Large messages, and many filters: they are matched beside all else; all go where small ones go, and nobody waits."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.sns import filter_policy
from cloudlet.services.sns.filter_policy import FilterPolicy
from cloudlet.services.sns.message import Message
from cloudlet.testing.server import Aws
from tests.services.sns.cloud import ACCOUNT, OTHER, OWNER, REGION, STRANGER, LocalSns, local_sns
from tests.services.sns.fanout import Fanout

_BY_BODY = {"FilterPolicyScope": "MessageBody", "RawMessageDelivery": "true"}
_PATIENCE_SECONDS = 120


def test_they_pass_filters_or_do_not(aws: Aws) -> None:
    fanout = Fanout(aws)
    topic = fanout.topic("orders")
    passing = fanout.subscribed_queue(topic, "passing", **_BY_BODY, FilterPolicy='{"n": [1]}')
    missing = fanout.subscribed_queue(topic, "missing", **_BY_BODY, FilterPolicy='{"n": [2]}')
    text = json.dumps({"n": 1, "text": "x" * 50_000})
    fanout.sns.publish(TopicArn=topic, Message=text)
    assert fanout.bodies(passing, 1) == [text]
    assert fanout.is_empty(missing)


@pytest.fixture
def sns(tmp_path: Path) -> Iterator[LocalSns]:
    with local_sns(tmp_path) as local:
        yield local


class _Watched:
    """Filters that wait until another request was answered."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.answered = threading.Event()
        self.waited = True
        """Whether each of them could wait for that."""


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> _Watched:
    watched = _Watched()
    matches = FilterPolicy.matches

    def waiting(filter: FilterPolicy, message: Message) -> bool:
        watched.begun.set()
        watched.waited &= watched.answered.wait(_PATIENCE_SECONDS)
        return matches(filter, message)

    monkeypatch.setattr(FilterPolicy, "matches", waiting)
    monkeypatch.setattr(filter_policy, "_compiled", SizedCache(1 << 20))
    return watched


def _subscribe(sns: LocalSns, topic: str, name: str, **attributes: str) -> None:
    endpoint = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    raw = {"RawMessageDelivery": "true", **attributes}
    sns.call("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=raw)


def _publish_while_another_is_served(sns: LocalSns, watched: _Watched, **message: Any) -> None:
    """Publish a message, and ask for something else when the first filter has begun to look at it."""

    async def call(operation: str, **params: Any) -> None:
        await sns.cloud.call("sns", operation, params, principal=OWNER, account=ACCOUNT, region=REGION)

    async def both() -> None:
        publishing = asyncio.create_task(call("Publish", **message))
        while not watched.begun.is_set():
            await asyncio.sleep(0.001)
        await call("ListTopics")
        watched.answered.set()
        await publishing

    sns.run(both())
    assert watched.waited, "the filters had the event loop"


def _received(sns: LocalSns, name: str) -> list[str]:
    """Return the bodies of a queue's messages, of which there is one at least."""
    url = sns.call("GetQueueUrl", service="sqs", QueueName=name)["QueueUrl"]
    found: list[str] = []

    def comes() -> bool:
        found.extend(
            each["Body"] for each in sns.call("ReceiveMessage", service="sqs", QueueUrl=url).get("Messages", ())
        )
        return bool(found)

    sns.until(comes)
    return found


_LONG = {"text": "x" * 40_000}
_MANY_VALUES = json.dumps([str(number) for number in range(1_000)])
_MANY_TESTS = json.dumps({"n": [{"anything-but": {"prefix": [f"{number}"]}} for number in range(150)]})


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        pytest.param(["{}", '{"n": [1]}'], {"Message": json.dumps({"n": 1, **_LONG})}, id="a long body"),
        pytest.param(
            [_MANY_TESTS],
            {
                "Message": "m",
                "MessageAttributes": {"n": {"DataType": "String.Array", "StringValue": _MANY_VALUES}},
            },
            id="many values of an attribute",
        ),
        pytest.param(
            [json.dumps({"n": [{"anything-but": ["x" * 40_000]}]})],
            {"Message": "m", "MessageAttributes": {"n": {"DataType": "String", "StringValue": "1"}}},
            id="a filter that is compiled first",
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_others_are_served_while_they_are_filtered(
    sns: LocalSns, watched: _Watched, suffix: str, filters: list[str], message: dict[str, Any]
) -> None:
    fifo = bool(suffix)
    kind = {"FifoTopic": "true", "ContentBasedDeduplication": "true"} if fifo else {}
    topic = str(sns.call("CreateTopic", Name=f"t{suffix}", Attributes=kind)["TopicArn"])
    scope = {"FilterPolicyScope": "MessageAttributes" if "MessageAttributes" in message else "MessageBody"}
    for number, policy in enumerate(filters):
        name = f"q{number}{suffix}"
        sns.call("CreateQueue", service="sqs", QueueName=name, Attributes={"FifoQueue": "true"} if fifo else {})
        _subscribe(sns, topic, name, FilterPolicy=policy, **scope)
    order = {"MessageGroupId": "g"} if fifo else {}
    _publish_while_another_is_served(sns, watched, TopicArn=topic, **message, **order)
    for number in range(len(filters)):
        assert _received(sns, f"q{number}{suffix}") == [message["Message"]]


def _topic_with_pages(sns: LocalSns) -> str:
    """Return a topic with more subscribers than a page, of which some have filters; one of them, q0, is there."""
    topic = str(sns.call("CreateTopic", Name="t")["TopicArn"])
    sns.call("CreateQueue", service="sqs", QueueName="q0")
    for number in range(501):
        filter = {"FilterPolicy": '{"n": [1]}', "FilterPolicyScope": "MessageBody"} if number < 3 else {}
        _subscribe(sns, topic, f"q{number}", **filter)
    return topic


def test_others_are_served_while_the_outbox_filters_for_pages_of_subscribers(sns: LocalSns, watched: _Watched) -> None:
    topic = _topic_with_pages(sns)
    body = json.dumps({"n": 1, **_LONG})
    _publish_while_another_is_served(sns, watched, TopicArn=topic, Message=body)
    assert _received(sns, "q0") == [body]


def test_an_account_whose_filters_take_long_leaves_others_their_turns(sns: LocalSns, watched: _Watched) -> None:
    fifo = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    slow = str(sns.call("CreateTopic", Name="slow.fifo", Attributes=fifo)["TopicArn"])
    body = json.dumps({"n": 1, **_LONG})
    for number in range(70):
        _subscribe(sns, slow, f"q{number}.fifo", FilterPolicy='{"n": [1]}', FilterPolicyScope="MessageBody")
    sns.call("Publish", TopicArn=slow, Message=body, MessageGroupId="g")
    sns.until(watched.begun.is_set)

    topic = str(sns.call("CreateTopic", by=STRANGER, Name="t.fifo", Attributes=fifo)["TopicArn"])
    queue = sns.call("CreateQueue", by=STRANGER, service="sqs", QueueName="q.fifo", Attributes={"FifoQueue": "true"})
    sns.call("Subscribe", by=STRANGER, TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{OTHER}:q.fifo")
    sns.call("Publish", by=STRANGER, TopicArn=topic, Message="m", MessageGroupId="g")
    url = queue["QueueUrl"]
    sns.until(lambda: "Messages" in sns.call("ReceiveMessage", by=STRANGER, service="sqs", QueueUrl=url))
    watched.answered.set()
    assert watched.waited


def test_the_outbox_of_one_account_holds_up_no_other(sns: LocalSns, watched: _Watched) -> None:
    topic = _topic_with_pages(sns)
    sns.call("Publish", TopicArn=topic, Message=json.dumps({"n": 1, **_LONG}))
    sns.until(watched.begun.is_set)

    other = str(sns.call("CreateTopic", by=STRANGER, Name="t")["TopicArn"])
    url = sns.call("CreateQueue", by=STRANGER, service="sqs", QueueName="q0")["QueueUrl"]
    for number in range(21):
        endpoint = f"arn:aws:sqs:{REGION}:{OTHER}:q{number}"
        sns.call("Subscribe", by=STRANGER, TopicArn=other, Protocol="sqs", Endpoint=endpoint)
    sns.call("Publish", by=STRANGER, TopicArn=other, Message="m")
    sns.until(lambda: "Messages" in sns.call("ReceiveMessage", by=STRANGER, service="sqs", QueueUrl=url))
    watched.answered.set()
    assert watched.waited
