"""The whole server, killed while load balancers come and go: each has its network interfaces afterwards, or none."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.elbv2.lb_cloud import LbCloud
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 3


def _come_and_go(server: Server, turn: int, subnets: list[str], kept: list[str], seen: list[str]) -> None:
    """Create load balancers one after another, and delete every other one, until the server is gone."""
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    elb: Any = Aws(server.endpoint, _ACCOUNT).client("elbv2", config=config)
    for number in range(12):
        try:
            made = elb.create_load_balancer(Name=f"b{turn}-{number}", Subnets=subnets, Scheme="internal")
            arn = made["LoadBalancers"][0]["LoadBalancerArn"]
            seen.append(arn)
            if number % 2:
                elb.delete_load_balancer(LoadBalancerArn=arn)
            else:
                kept.append(arn)
        except (BotoCoreError, ClientError):
            return


def test_no_network_interface_is_lost_or_left(tmp_path: Path) -> None:
    kept: list[str] = []
    seen: list[str] = []
    subnets: list[str] = []
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                subnets = LbCloud(Aws(server.endpoint, _ACCOUNT)).subnets[:2]
            known = len(seen)
            thread = threading.Thread(target=_come_and_go, args=(server, turn, subnets, kept, seen))
            thread.start()
            eventually(lambda known=known: len(seen) > known + 2)  # type: ignore[misc]
            time.sleep(random.uniform(0.02, 0.3))
            server.kill()
            thread.join()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, _ACCOUNT)
        elb: Any = aws.client("elbv2")
        ec2: Any = aws.client("ec2")
        there = [each["LoadBalancerArn"] for each in elb.describe_load_balancers()["LoadBalancers"]]
        assert set(kept) <= set(there)

        def list_interfaces() -> list[str]:
            found = ec2.describe_network_interfaces()["NetworkInterfaces"]
            return sorted(each["Description"] for each in found if each["Status"] == "in-use")

        wanted = sorted(f"ELB {arn.partition(':loadbalancer/')[2]}" for arn in there for _ in subnets)
        eventually(list_interfaces, lambda found: found == wanted)
