"""Large messages, whose bodies are filtered beside all else: they go where small ones go, and nobody waits for that."""

from __future__ import annotations

import json
import time
from threading import Thread

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.sns.fanout import Fanout

_BY_BODY = {"FilterPolicyScope": "MessageBody", "RawMessageDelivery": "true"}


def test_they_pass_filters_or_do_not(aws: Aws) -> None:
    fanout = Fanout(aws)
    topic = fanout.topic("orders")
    passing = fanout.subscribed_queue(topic, "passing", **_BY_BODY, FilterPolicy='{"n": [1]}')
    missing = fanout.subscribed_queue(topic, "missing", **_BY_BODY, FilterPolicy='{"n": [2]}')
    text = json.dumps({"n": 1, "text": "x" * 50_000})
    fanout.sns.publish(TopicArn=topic, Message=text)
    assert fanout.bodies(passing, 1) == [text]
    assert fanout.is_empty(missing)


def test_others_are_served_while_they_are_filtered(aws: Aws, cloudlet_server: Server) -> None:
    fanout = Fanout(aws)
    topic = fanout.topic("orders")
    for number in range(60):
        queue = f"arn:aws:sqs:us-east-1:{aws.account}:q{number}"
        policy = {**_BY_BODY, "FilterPolicy": '{"all": {"n": ["a"]}}'}
        fanout.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=policy)
    passing = fanout.subscribed_queue(topic, "passing")
    message = json.dumps({"all": [*[{}] * 60_000, 1]}, separators=(",", ":"))

    def publish() -> None:
        fanout.sns.publish(TopicArn=topic, Message=message)
        fanout.messages(passing, 1)

    publishing = Thread(target=publish)
    other = Aws(cloudlet_server.endpoint, fresh_account()).client("sqs")
    other.list_queues()
    waits = []
    publishing.start()
    while publishing.is_alive():
        begun = time.monotonic()
        other.list_queues()
        waits.append(time.monotonic() - begun)
    assert max(waits) * 3 < sum(waits)
