"""Celery, whose broker is SQS: run by tests/e2e/test_python.py with the clients' Python."""

from __future__ import annotations

import time
from collections.abc import Iterator
from queue import Empty, Queue
from typing import Any

import boto3
import pytest
from celery import Celery, Task
from celery.contrib.testing.worker import start_worker

APP = Celery("shop", broker="sqs://", task_ignore_result=True)
APP.conf.broker_transport_options = {"region": "us-east-1", "queue_name_prefix": "shop-", "polling_interval": 0}
APP.conf.task_acks_late = True
DONE: Queue[Any] = Queue()


@APP.task
def note(what: str) -> None:
    DONE.put((what, time.monotonic()))


@APP.task(bind=True, max_retries=2, default_retry_delay=0.2)
def stumble(self: Task) -> None:
    if self.request.retries < 2:
        raise self.retry()
    DONE.put(("after retries", self.request.retries))


@pytest.fixture(autouse=True, scope="module")
def worker() -> Iterator[None]:
    with start_worker(APP, pool="solo", perform_ping_check=False, loglevel="ERROR"):
        yield


def test_tasks_are_done_once() -> None:
    sent = {f"order {number}" for number in range(20)}
    for what in sent:
        note.delay(what)
    assert {DONE.get(timeout=10)[0] for _ in sent} == sent
    with pytest.raises(Empty):
        DONE.get(timeout=0.2)


def test_a_task_waits_for_its_time() -> None:
    sent = time.monotonic()
    note.apply_async(("later",), countdown=1)
    what, done = DONE.get(timeout=10)
    assert what == "later"
    assert done - sent >= 0.9


def test_a_task_is_tried_again() -> None:
    stumble.delay()
    assert DONE.get(timeout=10) == ("after retries", 2)


def test_nothing_is_left_in_the_queue() -> None:
    sqs = boto3.client("sqs")
    (url,) = sqs.list_queues(QueueNamePrefix="shop-")["QueueUrls"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + 10
    while set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) != {"0"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
