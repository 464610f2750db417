"""What becomes of invocations while something dies."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from cloudlet.services.lambda_.asynchronous import serving
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.services.lambda_.cloud import FunctionCloud
from tests.services.lambda_.programs import invoke, module, python, sandboxed
from tests.standing import eventually


@pytest.fixture
def isolated(tmp_path: Path) -> Iterator[FunctionCloud]:
    """An account on a Cloudlet whose blocks are processes of their own, which this test may break."""
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        yield FunctionCloud(Aws(server.endpoint, fresh_account()))


def block(cloud: FunctionCloud, action: str, name: str) -> None:
    port = cloud.aws.endpoint.rpartition(":")[2]
    done = cloudlet("block", action, name, "--port", port)
    assert done.returncode == 0, done.stderr


def test_a_sandbox_that_is_killed_is_an_error_and_the_next_invocation_is_served(cloud: FunctionCloud) -> None:
    python(cloud, f"import subprocess\nsubprocess.run(['sleep', '30.{cloud.account}'])\nreturn 1", Timeout=60)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(invoke, cloud)
        (sleeping,) = eventually(lambda: sandboxed(f"30.{cloud.account}"))
        # The interpreter has started it, and the sandbox the interpreter.
        os.kill(_parent(_parent(sleeping)), signal.SIGKILL)
        answer = running.result()
    assert answer.value["errorType"] == "Runtime.ExitError"
    assert answer.value["errorMessage"].endswith("signal: killed")
    python(cloud, "return 'alive'", "g")
    assert invoke(cloud, name="g").value == "alive"


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_functions_run_while_cloudwatch_logs_is_down_and_what_they_logged_arrives(isolated: FunctionCloud) -> None:
    python(isolated, "print('said meanwhile')\nreturn 1")
    assert invoke(isolated).value == 1
    block(isolated, "stop", "logs")
    assert invoke(isolated).value == 1
    block(isolated, "start", "logs")

    def said() -> int:
        return [event["message"] for event in isolated.logged()].count("said meanwhile")

    eventually(said, lambda count: count == 2)


def test_what_was_logged_before_a_kill_arrives_after_it(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        python(cloud, "print('said', event)\nreturn event")
        invoke(cloud, 0)
        eventually(lambda: cloud.answers() == 1)
        for number in range(1, 4):
            invoke(cloud, number)
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))

        def said() -> set[str]:
            return {event["message"].strip() for event in cloud.logged() if event["message"].startswith("said")}

        eventually(said, lambda lines: lines >= {f"said {number}" for number in range(4)})
        eventually(lambda: cloud.answers() >= 4)
        eventually(lambda: not list(tmp_path.glob("unsent/lambda/*.log")))


def test_what_was_logged_while_cloudwatch_logs_is_down_arrives_after_a_restart(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        python(cloud, "print('said', event)\nreturn event")
        block(cloud, "stop", "logs")
        assert invoke(cloud, 1).value == 1
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, account))
        eventually(lambda: [event["message"].strip() for event in cloud.logged()].count("said 1") == 1)


def test_what_needs_a_neighbour_that_is_down_may_be_asked_again(isolated: FunctionCloud) -> None:
    isolated.aws.client("sqs").create_queue(QueueName="q")
    isolated.function()
    given = {"FunctionName": "f", "EventSourceArn": f"arn:aws:sqs:{isolated.aws.region}:{isolated.account}:q"}
    made = isolated.client.create_event_source_mapping(**given)["UUID"]

    def state() -> str:
        return str(isolated.client.get_event_source_mapping(UUID=made)["State"])

    eventually(state, lambda found: found == "Enabled")
    block(isolated, "stop", "sqs")
    block(isolated, "stop", "s3")
    code = {"S3Bucket": "packages", "S3Key": "k"}
    assert isolated.refused("update_function_code", FunctionName="f", **code)[2] == 503
    assert isolated.refused("create_event_source_mapping", **given)[2] == 503
    # To stop one needs nobody else.
    isolated.client.update_event_source_mapping(UUID=made, Enabled=False)
    eventually(state, lambda found: found == "Disabled")
    block(isolated, "start", "sqs")
    isolated.client.update_event_source_mapping(UUID=made, Enabled=True)


def test_events_are_served_while_who_is_to_be_told_of_others_is_down(isolated: FunctionCloud) -> None:
    queues = isolated.aws.client("sqs")
    url = queues.create_queue(QueueName="told")["QueueUrl"]
    told = {"Destination": f"arn:aws:sqs:{isolated.aws.region}:{isolated.account}:told"}
    for name in ("g", "h"):
        python(isolated, "return 1", name)
        isolated.client.put_function_event_invoke_config(FunctionName=name, DestinationConfig={"OnSuccess": told})
    python(isolated, "print('served')")
    block(isolated, "stop", "sqs")
    for name in ("g", "h"):
        # As many as are served at once.
        for number in range(serving.OF_ONE_FUNCTION):
            isolated.client.invoke(FunctionName=name, InvocationType="Event", Payload=str(number))
    isolated.client.invoke(FunctionName="f", InvocationType="Event", Payload="{}")
    eventually(lambda: "served" in [event["message"] for event in isolated.logged()])
    block(isolated, "stop", "lambda")
    block(isolated, "start", "lambda")
    block(isolated, "start", "sqs")

    def count() -> int:
        name = "ApproximateNumberOfMessages"
        return int(queues.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    # A crash may have come between what a function has done and the note of it.
    eventually(count, lambda count: count >= 2 * serving.OF_ONE_FUNCTION)


def test_the_block_of_functions_may_die_alone(isolated: FunctionCloud) -> None:
    sqs = isolated.aws.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    python(
        isolated,
        "import boto3\nboto3.client('sqs').send_message(QueueUrl=event['queue'], MessageBody=str(event['n']))",
        Timeout=60,
    )
    for number in range(5):
        isolated.client.invoke(
            FunctionName="f", InvocationType="Event", Payload=json.dumps({"queue": url, "n": number})
        )
    block(isolated, "restart", "lambda")
    assert sqs.list_queues()["QueueUrls"] == [url]
    seen: set[str] = set()
    while len(seen) < 5:
        got: list[Any] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10).get(
            "Messages", []
        )
        assert got, f"only {seen} came"
        seen |= {message["Body"] for message in got}
    assert isolated.client.get_function(FunctionName="f")["Configuration"]["State"] == "Active"


@pytest.mark.parametrize("while_it", ["starts", "serves"])
def test_who_waits_is_told_when_all_functions_are_ended(tmp_path: Path, while_it: str) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, fresh_account()))
        cloud.client = cloud.aws.client("lambda", config=Config(retries={"max_attempts": 0}))
        sleeping = f"import subprocess\nsubprocess.run(['sleep', '300.{cloud.account}'])\n"
        if while_it == "starts":
            module(cloud, f"{sleeping}def handler(event, context):\n    pass\n", Timeout=900)
        else:
            python(cloud, sleeping, Timeout=900)
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(cloud.refused, "invoke", FunctionName="f")
            eventually(lambda: sandboxed(f"300.{cloud.account}"))
            assert cloudlet("reset", "--yes", "--port", server.port).returncode == 0
            assert running.result()[::2] == ("ServiceUnavailable", 503)
        eventually(lambda: sandboxed(f"300.{cloud.account}"), lambda left: not left)
