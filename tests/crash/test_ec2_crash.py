"""The whole server, killed while interfaces are made: those that were acknowledged are there again, for real."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.ec2.cloud import make_interface, make_subnet, make_vpc
from tests.services.ec2.machine import Machine
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 3
_EACH = 10
"""In each round at least so many are made before the server is killed."""


def _make_interfaces(server: Server, subnet: str, acknowledged: dict[str, str]) -> None:
    """Make interfaces until the server is gone; note what it acknowledged."""
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    ec2 = Aws(server.endpoint, _ACCOUNT).client("ec2", config=config)
    while True:
        try:
            made = make_interface(ec2, subnet)
        except (BotoCoreError, ClientError):
            return
        acknowledged[made["NetworkInterfaceId"]] = made["PrivateIpAddress"]


def test_interfaces_are_back(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    vpc = subnet = ""
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path / "data")) as server:
            ec2 = Aws(server.endpoint, _ACCOUNT).client("ec2")
            vpc = vpc or make_vpc(ec2)
            subnet = subnet or make_subnet(ec2, vpc)
            thread = threading.Thread(target=_make_interfaces, args=(server, subnet, acknowledged))
            thread.start()
            eventually(lambda turn=turn: len(acknowledged) > _EACH * (turn + 1))  # type: ignore[misc]
            server.kill()
            thread.join()

    with Server.start("--data", str(tmp_path / "data")) as server:
        host = Machine(tmp_path, server, _ACCOUNT)

        def list_interfaces() -> list[dict[str, Any]]:
            pages = host.ec2.get_paginator("describe_network_interfaces").paginate()
            return [each for page in pages for each in page["NetworkInterfaces"]]

        found = eventually(list_interfaces, lambda all_of: {each["Status"] for each in all_of} == {"available"})
        addresses = {each["NetworkInterfaceId"]: each["PrivateIpAddress"] for each in found}
        assert addresses.items() >= acknowledged.items()
        assert len(set(addresses.values())) == len(addresses)
        assert host.networks() == {vpc: addresses}
