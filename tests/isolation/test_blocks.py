"""Blocks in processes of their own: each may die, be stopped and be started again alone."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import blocks, cloudlet, free_port

ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=30)


def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    """Return what a condition gives once it holds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            assert value, "it did not come about in time"
            return value
        time.sleep(0.005)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def connections(named: str) -> set[int]:
    """Return how many connections have been accepted on the Unix sockets of this name, of all folders."""
    lines = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    return set(Counter(line[-1] for line in lines if line[-1].endswith(named) and line[5] == "03").values())


def port_of(aws: Aws) -> str:
    return str(urlsplit(aws.endpoint).port)


def test_a_block_is_a_process_and_starts_when_it_is_used(isolated: Aws) -> None:
    assert blocks(isolated.endpoint)["sqs"]["state"] == "available"
    url = isolated.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    told = blocks(isolated.endpoint)
    assert told["sqs"]["state"] == "running"
    assert told["sts"]["state"] == "available"
    assert told["sqs"]["memory"] > 10_000_000
    assert told["sqs"]["data"] is not None
    assert "serve\0sqs" in Path(f"/proc/{told['sqs']['process']}/cmdline").read_text()
    assert url == f"{isolated.endpoint}/{isolated.account}/q"


def test_clients_reach_blocks_directly_with_what_env_prints(isolated: Aws) -> None:
    exports = cloudlet("env", "--port", port_of(isolated)).stdout
    line = next(line for line in exports.splitlines() if "AWS_ENDPOINT_URL_SQS=" in line)
    direct = Aws(line.partition("=")[2], isolated.account).client("sqs")
    isolated.client("sqs").create_queue(QueueName="q")
    assert direct.get_queue_url(QueueName="q")["QueueUrl"].endswith(f"{isolated.account}/q")


def test_a_large_message_passes_the_front_door_whole(isolated: Aws) -> None:
    sqs = isolated.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    body = "x" * 1_048_576
    sqs.send_message(QueueUrl=url, MessageBody=body)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == body


def test_a_killed_block_fails_only_its_own_calls_and_is_started_again(isolated: Aws) -> None:
    sqs, sts = isolated.client("sqs", config=ONCE), isolated.client("sts", config=ONCE)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sts.get_caller_identity()
    before = blocks(isolated.endpoint)
    with ThreadPoolExecutor(3) as pool:
        polls = [pool.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20) for _ in range(3)]
        # One more has asked how the block is.
        eventually(lambda: 3 + 1 in connections("/sqs-1.sock"))
        # What is sent now comes behind the polls.
        sts.get_caller_identity()
        os.kill(before["sqs"]["process"], signal.SIGKILL)
        for poll in polls:
            with pytest.raises(ClientError) as failure:
                poll.result(10)
            assert failure.value.response["Error"]["Code"] == "ServiceUnavailable"
            assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert sts.get_caller_identity()["Account"] == isolated.account

    failures = []

    def answers() -> bool:
        try:
            sqs.get_queue_url(QueueName="q")
        except ClientError as error:
            failures.append(error.response["Error"]["Code"])
            return False
        return True

    eventually(answers)
    assert set(failures) <= {"ServiceUnavailable"}
    after = blocks(isolated.endpoint)
    assert after["sqs"]["restarts"] == 1
    assert after["sqs"]["process"] != before["sqs"]["process"]
    assert after["sts"]["process"] == before["sts"]["process"]


def test_a_block_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path), "--block-timeout", "10") as server:
        aws = Aws(server.endpoint, fresh_account())
        sqs, sts = aws.client("sqs", config=ONCE), aws.client("sts", config=ONCE)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        eventually(lambda: blocks(server.endpoint)["sqs"]["state"] == "running")
        process = blocks(server.endpoint)["sqs"]["process"]
        os.kill(process, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(sqs.get_queue_url, QueueName="q")
            eventually(lambda: blocks(server.endpoint)["sqs"]["state"] == "unresponsive")
            assert sts.get_caller_identity()["Account"] == aws.account
            with pytest.raises(ClientError) as failure:
                asked.result(30)
        assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        eventually(lambda: blocks(server.endpoint)["sqs"]["state"] == "running")
        assert sqs.get_queue_url(QueueName="q")["QueueUrl"] == url
        assert blocks(server.endpoint)["sqs"]["restarts"] == 1
        ended = f"  sqs (process {process}) was killed: it did not answer for 10 seconds\n"
        assert ended in cloudlet("status", "--port", server.port).stdout


def test_a_block_that_hangs_may_be_left_alone(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path), "--block-timeout", "0") as server:
        sqs = Aws(server.endpoint, fresh_account()).client("sqs")
        sqs.create_queue(QueueName="q")
        process = blocks(server.endpoint)["sqs"]["process"]
        os.kill(process, signal.SIGSTOP)
        eventually(lambda: blocks(server.endpoint)["sqs"]["state"] == "unresponsive")
        os.kill(process, signal.SIGCONT)
        eventually(lambda: blocks(server.endpoint)["sqs"]["state"] == "running")
        assert blocks(server.endpoint)["sqs"]["process"] == process


def test_blocks_have_the_same_ports_at_each_start_unless_somebody_else_has_them(tmp_path: Path) -> None:
    def ports(server: Server) -> dict[str, int]:
        return {name: block["port"] for name, block in blocks(server.endpoint).items()}

    data = ("--isolate", "--data", str(tmp_path))
    with Server.start(*data) as server:
        before = ports(server)
    with Server.start(*data) as server:
        assert ports(server) == before
    with socket.create_server(("127.0.0.1", before["sqs"])):
        port = str(free_port())
        started = cloudlet("up", "--detach", "--port", port, *data)
        try:
            meanwhile = {name: block["port"] for name, block in blocks(f"http://127.0.0.1:{port}").items()}
        finally:
            cloudlet("down", "--port", port)
    assert meanwhile == {**before, "sqs": meanwhile["sqs"]}
    assert (
        f"  moved         sqs is at http://127.0.0.1:{meanwhile['sqs']} this time: "
        f"another program has http://127.0.0.1:{before['sqs']}\n"
    ) in started.stdout
    with Server.start(*data) as server:
        assert ports(server) == before


def test_acknowledged_messages_survive_the_kills_of_their_block(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        url = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        sent: list[str] = []
        failures: list[str] = []
        over = threading.Event()

        def send() -> None:
            sqs, number = aws.client("sqs", config=ONCE), 0
            while not over.is_set():
                number += 1
                try:
                    sqs.send_message(QueueUrl=url, MessageBody=str(number))
                except ClientError as error:
                    failures.append(error.response["Error"]["Code"])
                else:
                    sent.append(str(number))

        with ThreadPoolExecutor(1) as pool:
            sender = pool.submit(send)
            for _ in range(4):
                count = len(sent)
                eventually(lambda count=count: len(sent) > count + 20 or sender.done())
                eventually(lambda: blocks(server.endpoint)["sqs"]["state"] == "running")
                os.kill(blocks(server.endpoint)["sqs"]["process"], signal.SIGKILL)
            over.set()
            sender.result(30)
        eventually(lambda: blocks(server.endpoint)["sqs"]["state"] == "running")
        received: set[str] = set()
        while messages := aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            received |= {message["Body"] for message in messages}
    assert set(sent) <= received
    assert set(failures) <= {"ServiceUnavailable"}


def test_a_block_is_stopped_started_and_restarted_alone(isolated: Aws) -> None:
    sqs, sts = isolated.client("sqs", config=ONCE), isolated.client("sts", config=ONCE)
    sqs.create_queue(QueueName="q")
    port = port_of(isolated)
    assert cloudlet("block", "stop", "sqs", "--port", port).stdout == "sqs is stopped\n"
    assert blocks(isolated.endpoint)["sqs"]["state"] == "stopped"
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        sqs.get_queue_url(QueueName="q")
    sts.get_caller_identity()
    assert cloudlet("block", "start", "sqs", "--port", port).returncode == 0
    assert sqs.get_queue_url(QueueName="q")
    process = blocks(isolated.endpoint)["sqs"]["process"]
    assert cloudlet("block", "restart", "sqs", "--port", port).returncode == 0
    assert sqs.get_queue_url(QueueName="q")
    assert blocks(isolated.endpoint)["sqs"]["process"] != process
    refused = cloudlet("block", "stop", "nothing", "--port", port)
    assert refused.returncode == 1
    assert "there is no block nothing" in refused.stderr


def test_snapshots_of_all_blocks(isolated: Aws) -> None:
    sqs, port = isolated.client("sqs"), port_of(isolated)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="kept")
    assert cloudlet("snapshot", "save", "a", "--port", port).returncode == 0
    assert cloudlet("reset", "--yes", "--port", port).returncode == 0
    assert "QueueUrls" not in sqs.list_queues()
    assert cloudlet("snapshot", "restore", "a", "--port", port).returncode == 0
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "kept"


def test_blocks_end_with_the_process_that_supervises_them(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        aws.client("sqs").create_queue(QueueName="q")
        process = blocks(server.endpoint)["sqs"]["process"]
        server.kill()
        eventually(lambda: not is_alive(process))
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        assert Aws(server.endpoint, aws.account).client("sqs").list_queues()["QueueUrls"]


def test_only_enabled_blocks_are_served() -> None:
    with Server.start("--isolate", "--ephemeral", "--services", "sts") as server:
        aws = Aws(server.endpoint, fresh_account())
        assert list(blocks(server.endpoint)) == ["sts"]
        with pytest.raises(ClientError, match="not enabled"):
            aws.client("sqs", config=ONCE).list_queues()


def test_strict_mode_holds_at_the_front_door_and_directly() -> None:
    root = "123456789012:AKIAROOT:secret"
    with Server.start("--isolate", "--ephemeral", "--auth", "strict", "--root-key", root) as server:
        known = {"aws_access_key_id": "AKIAROOT", "aws_secret_access_key": "secret"}
        direct = f"http://localhost:{blocks(server.endpoint)['sqs']['port']}"
        for endpoint in (server.endpoint, direct):
            stranger = Aws(endpoint, fresh_account()).client("sqs", config=ONCE)
            with pytest.raises(ClientError, match="InvalidClientTokenId"):
                stranger.list_queues()
            session = Aws(endpoint, "123456789012").session
            assert session.client("sqs", endpoint_url=endpoint, **known).list_queues()
