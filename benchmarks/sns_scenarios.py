"""What is measured of SNS on one running server; each result checked by what is in the queues in the end."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.contenders import KEY
from benchmarks.deliveries import DELIVERED_SECONDS, deliver
from benchmarks.endpoints import Endpoint, serving, wait_for
from benchmarks.scenarios import Server, Speed, Wrong
from benchmarks.sns_api import SnsApi

MESSAGE = "m" * 100
BATCH = 10
HTTP_PAUSE_SECONDS = 0.01
LATENCIES = 50
"""So many messages must have come to say anything about how long that takes."""

_numbers = itertools.count(1)


@contextmanager
def topic_with_queues(server: Server, queues: int) -> Iterator[tuple[SnsApi, str, list[str]]]:
    """A topic and the URLs of fresh queues that are subscribed to it, all deleted afterwards."""
    sns = SnsApi(server.api.host, KEY)
    number = next(_numbers)
    topic = sns.create_topic(f"topic-{number}")
    urls = []
    for index in range(queues):
        url = server.api.create_queue(f"queue-{number}-{index}")
        urls.append(url)
        sns.subscribe(topic, "sqs", server.api.arn(url))
    yield sns, topic, urls
    sns.delete_topic(topic)
    for url in urls:
        server.api.delete_queue(url)


def publish(server: Server, queues: int, seconds: int) -> Speed:
    """Publish of 100 bytes by wrk; the figure is deliveries, until the last one is in its queue."""
    with topic_with_queues(server, queues) as (sns, topic, urls):
        headers, body = sns.request("Publish", {"TopicArn": topic, "Message": MESSAGE})
        return deliver(server, headers, body, 1, urls, seconds)


def publish_batch(server: Server, queues: int, seconds: int) -> Speed:
    """PublishBatch of ten messages of 100 bytes by wrk."""
    entries = {}
    for number in range(1, BATCH + 1):
        entries[f"PublishBatchRequestEntries.member.{number}.Id"] = str(number)
        entries[f"PublishBatchRequestEntries.member.{number}.Message"] = MESSAGE
    with topic_with_queues(server, queues) as (sns, topic, urls):
        headers, body = sns.request("PublishBatch", {"TopicArn": topic, **entries})
        return deliver(server, headers, body, BATCH, urls, seconds)


def http_latency(server: Server, seconds: float, *, beside_a_dead_one: bool) -> list[float]:
    """The seconds that messages take to an HTTP endpoint, alone or beside one that never answers, in order."""
    sns = SnsApi(server.api.host, KEY)
    topic = sns.create_topic(f"topic-{next(_numbers)}")
    fast, dead = Endpoint(answers=True), Endpoint(answers=False)
    endpoints = [fast, dead] if beside_a_dead_one else [fast]
    sent: dict[str, float] = {}
    with serving(*endpoints):
        for endpoint in endpoints:
            sns.subscribe(topic, "http", endpoint.url)
            if not wait_for(lambda endpoint=endpoint: bool(endpoint.tokens), 10):  # type: ignore[misc]
                raise Wrong("an HTTP endpoint was not asked to confirm its subscription within 10 s")
            sns.confirm(topic, endpoint.tokens[0])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = f"m{len(sent)}"
            sent[text] = time.perf_counter()
            sns.publish(topic, text)
            time.sleep(HTTP_PAUSE_SECONDS)
        if not wait_for(lambda: len(fast.came) == len(sent), DELIVERED_SECONDS):
            raise Wrong(f"of {len(sent)} messages {len(fast.came)} came to an HTTP endpoint")
    sns.delete_topic(topic)
    if len(sent) < LATENCIES:
        raise Wrong(f"only {len(sent)} messages could be published in {seconds} s")
    return sorted(fast.came[text] - sent[text] for text in sent)
