"""Tasks in networks: what they are told there, the credentials of their role, and ports that lead to them."""

from __future__ import annotations

import json
import socket
from typing import Any

import boto3
import pytest
import urllib3

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import LOGS, Tasks

_http = urllib3.PoolManager()
MODES = ("bridge", "host")


@pytest.fixture
def tasks(aws: Aws) -> Tasks:
    return Tasks(aws)


def ask(tasks: Tasks, mode: str, *paths: str, **more: Any) -> list[Any]:
    """Return what a task is told at URLs, in which its shell replaces variables."""
    script = "; ".join(f'wget -q -O - "{path}"; echo' for path in paths)
    definition = {"command": ["sh", "-c", script], "logConfiguration": LOGS, "cpu": 64}
    arn = tasks.run(definition, mode=mode, **more)
    tasks.wait(arn, "STOPPED")
    return [json.loads(line) for line in tasks.read(arn) if line]


@pytest.mark.parametrize("mode", MODES)
def test_a_task_is_told_of_itself(tasks: Tasks, mode: str) -> None:
    base = "$ECS_CONTAINER_METADATA_URI_V4"
    run = {"tags": [{"key": "team", "value": "blue"}]}
    paths = base, f"{base}/task", f"{base}/taskWithTags", f"{base}/stats"
    container, task, tagged, stats = ask(tasks, mode, *paths, run=run)
    assert (container["Name"], container["Image"], container["ImageID"]) == ("main", tasks.image, tasks.digest)
    assert (container["KnownStatus"], container["Limits"]) == ("RUNNING", {"CPU": 64, "Memory": 128})
    assert container["LogOptions"]["awslogs-group"] == "/ecs/job"
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == task["TaskARN"]
    assert (task["Cluster"], task["Family"], task["Revision"]) == ("default", "job", "1")
    assert [each["Name"] for each in task["Containers"]] == ["main"]
    assert stats["memory_stats"]["limit"] == 128 << 20
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert tagged["TaskTags"] == {"team": "blue"}
    assert "TaskTags" not in task
    assert ("networks" in stats) == (mode == "bridge")
    if mode == "bridge":
        (counters,) = stats["networks"].values()
        assert min(counters["rx_bytes"], counters["tx_packets"]) > 0
        assert container["Networks"][0]["IPv4Addresses"][0].startswith("172.17.")


@pytest.mark.parametrize("mode", MODES)
def test_it_gets_the_credentials_of_its_role(tasks: Tasks, mode: str) -> None:
    role = f"arn:aws:iam::{tasks.aws.account}:role/worker"
    relative = "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    url = relative if mode == "bridge" else "$AWS_CONTAINER_CREDENTIALS_FULL_URI"
    (given,) = ask(tasks, mode, url, taskRoleArn=role)
    assert given["RoleArn"] == role
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["Token"], region_name="us-east-1")
    caller = session.client("sts", endpoint_url=tasks.aws.endpoint).get_caller_identity()
    assert caller["Arn"].startswith(f"arn:aws:sts::{tasks.aws.account}:assumed-role/worker/")


@pytest.mark.parametrize("mode", MODES)
def test_cloudlet_is_reached_from_within(tasks: Tasks, mode: str) -> None:
    script = (
        'wget -q -O - --post-data "Action=GetCallerIdentity&Version=2011-06-15" "$AWS_ENDPOINT_URL/"; echo; echo end'
    )
    arn = tasks.run({"command": ["sh", "-c", script], "logConfiguration": LOGS}, mode=mode)
    tasks.wait(arn, "STOPPED")
    said = "".join(tasks.read(arn))
    assert "end" in said
    assert "can't connect" not in said


def test_ports_lead_to_containers(tasks: Tasks) -> None:
    ports = [{"containerPort": 80, "hostPort": 0}]
    command = ["httpd", "-f", "-p", "80", "-h", "/srv"]
    first, second = (
        tasks.run({"command": command, "portMappings": ports, "stopTimeout": 2}, mode="bridge") for _ in range(2)
    )
    found = set()
    for arn in (first, second):
        ((binding,),) = (each["networkBindings"] for each in tasks.wait(arn, "RUNNING")["containers"])
        assert (binding["containerPort"], binding["protocol"]) == (80, "tcp")
        found.add(binding["hostPort"])
        url = f"http://127.0.0.1:{binding['hostPort']}/index.html"
        assert _http.request("GET", url, retries=urllib3.Retry(8, backoff_factor=0.1)).data == b"hello from a task\n"
    assert len(found) == 2
    for arn in (first, second):
        tasks.ecs.stop_task(task=arn)
        tasks.wait(arn, "STOPPED")
    with pytest.raises(urllib3.exceptions.HTTPError):
        _http.request("GET", url, retries=False)


def test_datagrams_are_led_to_containers(tasks: Tasks) -> None:
    ports = [{"containerPort": 53, "hostPort": 0, "protocol": "udp"}]
    # Nobody listens there, which the kernel counts in the second column.
    script = "until grep -q '^Udp: [0-9]* [1-9]' /proc/net/snmp; do sleep 0.1; done"
    arn = tasks.run({"command": ["sh", "-c", script], "portMappings": ports}, mode="bridge")
    ((binding,),) = (each["networkBindings"] for each in tasks.wait(arn, "RUNNING")["containers"])
    assert (binding["containerPort"], binding["protocol"]) == (53, "udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"hello", ("127.0.0.1", binding["hostPort"]))
    assert tasks.wait(arn, "STOPPED")["containers"][0]["exitCode"] == 0


def test_a_port_that_is_taken(tasks: Tasks) -> None:
    first = tasks.run({"portMappings": [{"containerPort": 80, "hostPort": 0}], "stopTimeout": 2}, mode="bridge")
    taken = tasks.wait(first, "RUNNING")["containers"][0]["networkBindings"][0]["hostPort"]
    ended = tasks.finish({"portMappings": [{"containerPort": 80, "hostPort": taken}]}, mode="bridge")
    assert ended["stoppedReason"].startswith("CannotStartContainerError: ")
    assert f"Bind for 127.0.0.1:{taken} failed" in ended["stoppedReason"]
    tasks.ecs.stop_task(task=first)
    tasks.wait(first, "STOPPED")


def test_a_task_without_network(tasks: Tasks) -> None:
    arn = tasks.run({"command": ["sh", "-c", "cat /proc/net/dev | wc -l"], "logConfiguration": LOGS}, mode="none")
    tasks.wait(arn, "STOPPED")
    # Two lines of headings, and loopback.
    assert tasks.read(arn) == ["3"]


def test_names_are_asked_of_the_machine(tasks: Tasks) -> None:
    """What that answers is not ours: but where somebody does, containers hear it, too."""
    script = "cat /etc/resolv.conf; nslookup none.invalid 2>&1; cat /etc/hosts"
    arn = tasks.run({"command": ["sh", "-c", script], "logConfiguration": LOGS}, mode="bridge")
    tasks.wait(arn, "STOPPED")
    said = tasks.read(arn)
    assert said[0] == "nameserver 172.17.0.2"
    assert "169.254.170.2 localhost.localstack.cloud" in said
    try:
        socket.getaddrinfo("none.invalid", 80)
    except socket.gaierror as error:
        if error.errno == socket.EAI_NONAME:
            assert not [line for line in said if "could be reached" in line or "timed out" in line], said


def test_its_network_has_its_kernel_parameters(tasks: Tasks) -> None:
    control = {"namespace": "net.ipv4.tcp_keepalive_time", "value": "321"}
    definition = {
        "command": ["cat", "/proc/sys/net/ipv4/tcp_keepalive_time"],
        "systemControls": [control],
        "logConfiguration": LOGS,
    }
    arn = tasks.run(definition, mode="bridge")
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["321"]


def test_a_kernel_parameter_that_is_not_there_fails_the_task(tasks: Tasks) -> None:
    definition = {"command": ["true"], "systemControls": [{"namespace": "net.ipv4.none", "value": "1"}]}
    stopped = tasks.wait(tasks.run(definition, mode="bridge"), "STOPPED")
    assert "net/ipv4/none" in stopped["stoppedReason"] + str(stopped["containers"])


def test_kernel_parameters_of_other_things_are_refused(tasks: Tasks) -> None:
    def run(name: str, mode: str) -> str:
        return tasks.run({"command": ["true"], "systemControls": [{"namespace": name, "value": "1"}]}, mode=mode)

    with pytest.raises(tasks.ecs.exceptions.ClientException, match=r"kernel parameter kernel\.shmmax"):
        run("kernel.shmmax", "bridge")
    with pytest.raises(tasks.ecs.exceptions.ClientException, match="networkMode=host"):
        run("net.core.somaxconn", "host")
