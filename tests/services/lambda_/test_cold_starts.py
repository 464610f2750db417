"""Many invocations at once of functions that take long to be initialised."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config

from tests.modes import meaningless_in
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import module, python, sandboxed
from tests.standing import eventually

_BUSY = """
import time
began, wanted = time.time(), time.process_time() + {seconds}
while time.process_time() < wanted:
    pass
initialised = [began, time.time()]

def handler(event, context):
    return initialised
"""
of_one = meaningless_in("replicas", because="each replica has processes of its own for a function")
_CORES = len(os.sched_getaffinity(0))


def answers(cloud: FunctionCloud, count: int, name: str = "f") -> list[Any]:
    """Invoke a function so many times at once; return the answers, none of which is an error."""
    client = cloud.aws.client(
        "lambda", config=Config(max_pool_connections=count, retries={"max_attempts": 0}, read_timeout=120)
    )

    def answer(_: int) -> tuple[int, str | None, Any]:
        raw = client.invoke(FunctionName=name)
        return raw["StatusCode"], raw.get("FunctionError"), json.loads(raw["Payload"].read())

    with ThreadPoolExecutor(count) as threads:
        given = list(threads.map(answer, range(count)))
    assert [each for each in given if each[:2] != (200, None)] == []
    return [value for _, _, value in given]


@of_one
@pytest.mark.parametrize("count", [16, 64])
def test_a_burst_is_served_and_no_more_are_initialised_at_once_than_there_are_cores(
    cloud: FunctionCloud, count: int
) -> None:
    module(cloud, _BUSY.format(seconds=1.5))
    spans = {tuple(span) for span in answers(cloud, count)}
    for began, _ in spans:
        assert sum(other <= began < ended for other, ended in spans) <= _CORES
    # Who waited took what had become free.
    assert len(spans) < count


def test_messages_drain_though_all_come_to_a_cold_function(cloud: FunctionCloud) -> None:
    queues = cloud.aws.client("sqs")
    url = queues.create_queue(QueueName="q")["QueueUrl"]
    for number in range(9):
        queues.send_message(QueueUrl=url, MessageBody=str(number))
    module(cloud, _BUSY.format(seconds=1.5))
    source = f"arn:aws:sqs:{cloud.aws.region}:{cloud.account}:q"
    cloud.client.create_event_source_mapping(FunctionName="f", EventSourceArn=source, BatchSize=1)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left() -> list[int]:
        found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [int(found[name]) for name in names]

    eventually(left, lambda counts: counts == [0, 0])
    assert not [event for event in cloud.logged() if "Status: " in event["message"]]


def test_who_only_waits_while_it_is_initialised_holds_up_nobody(cloud: FunctionCloud) -> None:
    module(cloud, f"import subprocess\nsubprocess.run(['sleep', '60.{cloud.account}'])\n", "g", Timeout=60)
    python(cloud, "return 'served'")
    client = cloud.aws.client("lambda", config=Config(max_pool_connections=2 * _CORES, retries={"max_attempts": 0}))
    with ThreadPoolExecutor(2 * _CORES) as threads:
        waiting = [threads.submit(client.invoke, FunctionName="g") for _ in range(2 * _CORES)]
        eventually(lambda: sandboxed(f"60.{cloud.account}"))
        assert answers(cloud, 1) == ["served"]
        assert not any(each.done() for each in waiting)
        for process in eventually(lambda: sandboxed(f"60.{cloud.account}"), lambda found: len(found) == 2 * _CORES):
            os.kill(process, 9)


@of_one
def test_what_has_answered_is_halted_though_another_one_rests(cloud: FunctionCloud) -> None:
    ticking = """
import threading, time
ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        time.sleep(0.01)

threading.Thread(target=tick, daemon=True).start()

def handler(event, context):
    return max([0, *(later - earlier for earlier, later in zip(ticks, ticks[1:]))])
"""
    module(cloud, ticking)
    module(cloud, ticking, "g")
    answers(cloud, 1, "g")
    time.sleep(1)
    answers(cloud, 1)
    # Nothing tells of what does not happen meanwhile.
    time.sleep(1)
    (gap,) = answers(cloud, 1)
    assert gap > 0.8


def test_a_functions_processes_end_when_it_is_deleted(cloud: FunctionCloud) -> None:
    marker = f"300.{cloud.account}"
    python(cloud, f"import subprocess\nsubprocess.Popen(['sleep', '{marker}'])")
    # Where there are several processes of Cloudlet, each of them has some.
    answers(cloud, 2)
    assert sandboxed(marker)
    cloud.client.delete_function(FunctionName="f")
    eventually(lambda: sandboxed(marker), lambda left: not left)


def test_what_a_deleted_function_still_serves_is_finished(cloud: FunctionCloud) -> None:
    marker = f"2.{cloud.account}"
    python(cloud, f"import subprocess\nsubprocess.run(['sleep', '{marker}'])\nreturn 'done'", Timeout=60)
    cloud.client.publish_version(FunctionName="f")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(answers, cloud, 1)
        eventually(lambda: sandboxed(marker))
        cloud.client.delete_function(FunctionName="f")
        assert running.result() == ["done"]


def test_processes_of_former_code_end_when_the_function_is_changed(cloud: FunctionCloud) -> None:
    marker = f"300.{cloud.account}"
    python(cloud, f"import subprocess\nsubprocess.Popen(['sleep', '{marker}'])")
    answers(cloud, 1)
    cloud.client.update_function_configuration(FunctionName="f", Timeout=5)
    eventually(lambda: sandboxed(marker), lambda left: not left)
