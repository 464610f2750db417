"""The whole server, killed while parameters are put: each version that was acknowledged is there afterwards."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 3
_EACH = 5
"""In each round at least so many are put before the server is killed."""


def _put(server: Server, kind: str, acknowledged: dict[str, str]) -> None:
    """Put versions of parameters until the server is gone; note what it acknowledged."""
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    ssm = Aws(server.endpoint, _ACCOUNT).client("ssm", config=config)
    while True:
        name, value = f"/{kind}/{random.randrange(20)}", f"{time.monotonic()}"
        try:
            version = ssm.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)["Version"]
        except (BotoCoreError, ClientError):
            return
        acknowledged[f"{name}:{version}"] = value


def test_no_version_is_lost(tmp_path: Path) -> None:
    acknowledged: dict[str, dict[str, str]] = {"String": {}, "SecureString": {}}
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            threads = [threading.Thread(target=_put, args=(server, *each)) for each in acknowledged.items()]
            for thread in threads:
                thread.start()
            eventually(lambda turn=turn: min(map(len, acknowledged.values())) > _EACH * (turn + 1))  # type: ignore[misc]
            server.kill()
            for thread in threads:
                thread.join()

    with Server.start("--data", str(tmp_path)) as server:
        ssm = Aws(server.endpoint, _ACCOUNT).client("ssm")
        for versions in acknowledged.values():
            for name, value in versions.items():
                latest = ssm.get_parameter(Name=name.partition(":")[0])["Parameter"]["Version"]
                if int(name.partition(":")[2]) > latest - 100:
                    assert ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"] == value
