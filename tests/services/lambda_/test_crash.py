"""The whole server, killed: functions that were acknowledged are there, with their code, and mappings go on."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.ec2.cloud import make_group, make_subnet, make_vpc
from tests.services.lambda_.cloud import FunctionCloud, package, role_of
from tests.services.lambda_.programs import invoke as invoke_once
from tests.services.lambda_.programs import module, python, sandboxed
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 2


def _create(server: Server, prefix: str, acknowledged: set[str]) -> None:
    """Create functions and publish them until the server is gone."""
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5)
    client = Aws(server.endpoint, _ACCOUNT).client("lambda", config=config)
    number = 0
    while True:
        name = f"{prefix}-{number}"
        try:
            client.create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=role_of(_ACCOUNT),
                Handler="index.handler",
                Code={"ZipFile": package({"index.py": name})},
                Publish=True,
            )
        except (BotoCoreError, ClientError):
            return
        acknowledged.add(name)
        number += 1


def test_no_function_is_lost(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            thread = threading.Thread(target=_create, args=(server, str(turn), acknowledged))
            thread.start()
            already = len(acknowledged)
            eventually(lambda already=already: len(acknowledged) > already)  # type: ignore[misc]
            time.sleep(random.uniform(0.0, 0.3))
            server.kill()
            thread.join()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
        pages = cloud.client.get_paginator("list_functions").paginate()
        there = {each["FunctionName"] for page in pages for each in page["Functions"]}
        # The one that was under way when the server was killed may be there or not.
        assert acknowledged <= there
        assert len(there - acknowledged) <= _ROUNDS
        for name in there:
            cloud.wait(name)
        unpacked = {path.read_text() for path in tmp_path.glob("unpacked/lambda/*/*/index.py")}
        assert there <= unpacked
        used = cloud.client.get_account_settings()["AccountUsage"]
        assert used["FunctionCount"] == len(there)


def test_a_mapping_goes_on(tmp_path: Path) -> None:
    """Messages that were in flight come again when they are visible again."""
    queue = f"arn:aws:sqs:us-east-1:{_ACCOUNT}:q"
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
        python(cloud, "time.sleep(0.05)", Timeout=1)
        sqs = cloud.aws.client("sqs")
        url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
        cloud.client.create_event_source_mapping(EventSourceArn=queue, FunctionName="f", BatchSize=1)
        for number in range(12):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
        sqs = cloud.aws.client("sqs")
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]

        def left() -> int:
            shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            return int(shown["ApproximateNumberOfMessages"]) + int(shown["ApproximateNumberOfMessagesNotVisible"])

        eventually(left, lambda found: found == 0)
        (mapping,) = cloud.client.list_event_source_mappings()["EventSourceMappings"]
        assert mapping["State"] == "Enabled"


def test_nothing_that_ran_outlives_a_killed_server(tmp_path: Path) -> None:
    """Neither processes nor folders nor control groups, while clients wait for answers.

    What is halted, as a function is that has answered, may die when Cloudlet is started again.
    """
    marker, halted = f"30.{_ACCOUNT}", f"31.{_ACCOUNT}"
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=60)
    failed: list[Exception] = []
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
        python(cloud, f"import subprocess\nsubprocess.run(['sleep', '{marker}'])", Timeout=60)
        module(cloud, f"import subprocess\nsubprocess.run(['sleep', '{marker}'])", "starting", Timeout=60)

        def invoke(name: str) -> None:
            client = cloud.aws.client("lambda", config=config)
            try:
                client.invoke(FunctionName=name)
            except (BotoCoreError, ClientError) as error:
                failed.append(error)

        threads = [threading.Thread(target=invoke, args=(name,)) for name in ("f", "f", "starting")]
        for thread in threads:
            thread.start()
        eventually(lambda: sandboxed(marker), lambda found: len(found) == 3)
        module(cloud, f"import subprocess\nsubprocess.Popen(['sleep', '{halted}'])\ndef handler(e, c): pass", "resting")
        assert invoke_once(cloud, name="resting").error is None
        (resting,) = sandboxed(halted)
        eventually(lambda: _is_frozen(resting))
        assert server.process is not None
        groups = f"cloudlet-{server.process.pid}"
        server.kill()
        for thread in threads:
            thread.join()
    assert len(failed) == 3
    eventually(lambda: not sandboxed(marker))
    (left,) = tmp_path.glob("sandboxes/lambda/*")
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
        python(cloud, "return 'alive'", "g")
        assert invoke_once(cloud, name="g").value == "alive"
        eventually(lambda: not left.exists())
        eventually(lambda: not sandboxed(halted))
        eventually(lambda: not list(Path("/sys/fs/cgroup").rglob(groups)))


def _is_frozen(process: int) -> bool:
    """Whether a process is halted with its control group, of whichever version."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, kind, path = line.split(":", 2)
        state = Path(
            "/sys/fs/cgroup", kind, path.lstrip("/"), "freezer.state" if kind == "freezer" else "cgroup.freeze"
        )
        if kind in ("freezer", "") and state.exists() and state.read_text().strip() in ("FROZEN", "1"):
            return True
    return False


def test_functions_in_vpcs_have_their_interfaces_again(tmp_path: Path) -> None:
    config: dict[str, list[str]] = {}
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
            ec2 = cloud.aws.client("ec2")
            if not config:
                vpc = make_vpc(ec2)
                config = {"SubnetIds": [make_subnet(ec2, vpc)], "SecurityGroupIds": [make_group(ec2, vpc, "web")]}
            python(cloud, "return 1", f"f{turn}", VpcConfig=config, wait=False)
            server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
        for turn in range(_ROUNDS):
            cloud.wait(f"f{turn}")
            assert invoke_once(cloud, name=f"f{turn}").value == 1
        assert len(cloud.aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"]) == 1
    with Server.start("--data", str(tmp_path)) as server:
        assert invoke_once(FunctionCloud(Aws(server.endpoint, _ACCOUNT)), name="f0").value == 1
