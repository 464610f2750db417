"""The whole server, killed while instances are registered: each that was acknowledged is found by Cloud Map and DNS."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.servicediscovery.map_cloud import MapCloud
from tests.standing import eventually

_ROUNDS = 3
_EACH = 5
"""In each round at least so many are registered before the server is killed."""


def _open(server: Server) -> MapCloud:
    return MapCloud(Aws(server.endpoint, "123456789012"))


def _register(server: Server, service: str, turn: int, acknowledged: dict[str, str]) -> None:
    """Register instances one after another, until the server is gone."""
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30, inject_host_prefix=False)
    client = Aws(server.endpoint, "123456789012").client("servicediscovery", config=config)
    for number in range(1, 250):
        name, address = f"{turn}-{number}", f"192.0.{turn}.{number}"
        try:
            client.register_instance(ServiceId=service, InstanceId=name, Attributes={"AWS_INSTANCE_IPV4": address})
        except (BotoCoreError, ClientError):
            return
        acknowledged[name] = address


def test_no_instance_is_lost(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    namespace = service = ""
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                cloud = _open(server)
                namespace = cloud.create_namespace(name="crash.example")
                service = cloud.create_service(namespace, "web", "A")
            thread = threading.Thread(target=_register, args=(server, service, turn, acknowledged))
            thread.start()
            eventually(lambda turn=turn: len(acknowledged) > _EACH * (turn + 1))  # type: ignore[misc]
            time.sleep(random.uniform(0.05, 0.3))
            server.kill()
            thread.join()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = _open(server)
        eventually(lambda: set(cloud.discover(namespace, MaxResults=1000)), lambda found: set(acknowledged) <= found)

        def read() -> dict[str, str]:
            pages = cloud.route53.get_paginator("list_resource_record_sets").paginate(
                HostedZoneId=cloud.get_zone(namespace)
            )
            records = [each for page in pages for each in page["ResourceRecordSets"] if each["Type"] == "A"]
            return {each["SetIdentifier"]: each["ResourceRecords"][0]["Value"] for each in records}

        eventually(read, lambda found: acknowledged.items() <= found.items())
        pending = [{"Name": "STATUS", "Values": ["SUBMITTED", "PENDING"], "Condition": "IN"}]
        eventually(lambda: cloud.map.list_operations(Filters=pending)["Operations"], lambda found: not found)
