"""Load balancers that serve requests while their block, their Envoy, or the keeper is killed, or their rules change."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import blocks
from tests.crash.test_ecs_crash import find_keeper, wait_for
from tests.services.ecs.containers import Tasks
from tests.services.elbv2.lb_cloud import LbCloud
from tests.services.elbv2.test_serving import Served, list_log_files, make_log_policy, open_group, run_task
from tests.standing import Standing, eventually

_BACK_SECONDS = 3.0


class Load:
    """Requests without end, and what became of them."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.statuses: list[int] = []
        self.errors: list[str] = []
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(3)]

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                self.statuses.append(self.served.ask("/index.html")[0])
            except OSError as error:
                self.errors.append(str(error))
                time.sleep(0.02)

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def end(self) -> None:
        self._is_over.set()
        for each in self._threads:
            if each.is_alive():
                each.join()

    def wait_for_more(self, count: int = 50) -> None:
        before = len(self.statuses)
        wait_for(lambda: len(self.statuses) > before + count)


@contextmanager
def _serve(tmp_path: Path, *options: str) -> Iterator[tuple[Server, Served, str, Load]]:
    """Yield a server with a load balancer before two tasks, and requests to it."""
    with Server.start(*options, "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        cloud, tasks = LbCloud(aws), Tasks(aws)
        group = open_group(cloud, "all")
        served = Served(cloud, SecurityGroups=[group])
        health: dict[str, Any] = {
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
        }
        targets = cloud.create_group(Port=8080, HealthCheckPath="/index.html", **health)
        listener = cloud.listen(served.arn, targets)["ListenerArn"]
        places = [{"Id": run_task(cloud, tasks, group)[1]} for _ in range(2)]
        cloud.elb.register_targets(TargetGroupArn=targets, Targets=places)
        eventually(
            lambda: [each["TargetHealth"]["State"] for each in cloud.health(targets)],
            lambda states: states == ["healthy", "healthy"],
        )
        load = Load(served)
        yield server, served, listener, load
        load.end()


def _find_envoys(data: Path) -> list[int]:
    """Return the processes of Envoy that have logs in a data folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_envoy = b"/etc/envoy.json" in (path / "cmdline").read_bytes().split(b"\0")
            if is_envoy and _is_below(find_keeper(data), int(path.name)):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def _is_running(process: int) -> bool:
    try:
        return "Z" not in (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def _is_below(ancestor: int, process: int) -> bool:
    while process > 1:
        if process == ancestor:
            return True
        process = int((Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[1])
    return False


def test_traffic_flows_while_the_block_is_killed(tmp_path: Path) -> None:
    with _serve(tmp_path, "--isolate") as (server, served, listener, load):
        load.start()
        for number in range(3):
            load.wait_for_more()
            os.kill(blocks(server.endpoint)["elbv2"]["process"], signal.SIGKILL)
            load.wait_for_more()
            # The block that comes back has the Envoy in hand.
            rule = served.cloud.add_rule(listener, number + 1, f"/{number}")
            wait_for(lambda path=f"/{number}": served.ask(path)[0] == 200)  # type: ignore[misc]
            served.cloud.elb.delete_rule(RuleArn=rule["RuleArn"])
        load.end()
        assert load.errors == []
        assert set(load.statuses) == {200}


def test_changes_drop_no_request(tmp_path: Path) -> None:
    with _serve(tmp_path) as (_, served, listener, load):
        load.start()
        for number in range(10):
            timeout = {"Key": "idle_timeout.timeout_seconds", "Value": str(60 + number)}
            served.cloud.elb.modify_load_balancer_attributes(LoadBalancerArn=served.arn, Attributes=[timeout])
            rule = served.cloud.add_rule(listener, number + 1, f"/{number}")
            wait_for(lambda path=f"/{number}": served.ask(path)[0] == 200)  # type: ignore[misc]
            served.cloud.elb.delete_rule(RuleArn=rule["RuleArn"])
        load.end()
        assert load.errors == []
        assert set(load.statuses) == {200}


@pytest.mark.parametrize("find", [_find_envoys, lambda data: [find_keeper(data)]])
def test_it_is_back_after_its_envoy_or_the_keeper_was_killed(tmp_path: Path, find: Callable[[Path], list[int]]) -> None:
    with _serve(tmp_path) as (_, served, listener, _):
        served.cloud.add_rule(listener, 1, "/fixed")
        served.eventually(200, "/fixed")
        envoys = _find_envoys(tmp_path)
        assert envoys
        for process in find(tmp_path):
            os.kill(process, signal.SIGKILL)
        began = time.monotonic()
        wait_for(lambda: not any(map(_is_running, envoys)))
        served.eventually(200, "/fixed")
        if find is _find_envoys:
            assert served.ask("/index.html")[0] == 200
            assert time.monotonic() - began < _BACK_SECONDS


def test_what_health_checks_find_while_the_block_is_down_is_known(tmp_path: Path) -> None:
    with _serve(tmp_path, "--isolate") as (server, served, _, _):
        cloud = served.cloud
        group = cloud.elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
        tasks = cloud.aws.client("ecs")
        arn = tasks.list_tasks()["taskArns"][0]
        tasks.stop_task(task=arn)
        os.kill(blocks(server.endpoint)["elbv2"]["process"], signal.SIGKILL)
        eventually(
            lambda: sorted(each["TargetHealth"]["State"] for each in cloud.health(group)),
            lambda states: states == ["healthy", "unhealthy"],
        )


def test_lines_of_access_logs_survive(tmp_path: Path) -> None:
    bucket = "logs-of-a-crash"
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        cloud = LbCloud(Aws(server.endpoint, fresh_account()))
        storage = cloud.aws.client("s3")
        storage.create_bucket(Bucket=bucket)
        storage.put_bucket_policy(Bucket=bucket, Policy=make_log_policy(bucket))
        served = Served(cloud)
        values = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": bucket}
        attributes = [{"Key": key, "Value": value} for key, value in values.items()]
        cloud.elb.modify_load_balancer_attributes(LoadBalancerArn=served.arn, Attributes=attributes)
        cloud.listen(served.arn)
        served.eventually(200)
        served.ask("/before")
        waiting = tmp_path / "work" / "elbv2" / "logs"
        wait_for(lambda: any("/before" in path.read_text() for path in waiting.glob("*.log")))
        os.kill(blocks(server.endpoint)["elbv2"]["process"], signal.SIGKILL)
        wait_for(lambda: cloud.get(served.arn))
        Standing(server).advance("6m")
        (key,) = eventually(lambda: list_log_files(storage, bucket))
        lines = gzip.decompress(storage.get_object(Bucket=bucket, Key=key)["Body"].read()).decode()
        assert lines.count("/before") == 1
        assert not list(waiting.iterdir())
