"""The whole server, killed while functions are created: each that was acknowledged is there, with its code."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.lambda_.cloud import ROLE, FunctionCloud, package

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
                Role=ROLE,
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
            time.sleep(random.uniform(0.3, 0.8))
            server.kill()
            thread.join()
    with Server.start("--data", str(tmp_path)) as server:
        cloud = FunctionCloud(Aws(server.endpoint, _ACCOUNT))
        pages = cloud.client.get_paginator("list_functions").paginate()
        there = {each["FunctionName"] for page in pages for each in page["Functions"]}
        # The one that was under way when the server was killed may be there or not.
        assert acknowledged <= there
        assert len(there - acknowledged) <= _ROUNDS
        assert acknowledged
        for name in there:
            cloud.wait(name)
        unpacked = {path.read_text() for path in tmp_path.glob("unpacked/lambda/*/*/index.py")}
        assert there <= unpacked
        used = cloud.client.get_account_settings()["AccountUsage"]
        assert used["FunctionCount"] == len(there)
