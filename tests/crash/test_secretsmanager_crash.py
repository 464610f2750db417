"""The whole server, killed while secrets are written and rotated: no acknowledged value is lost, one is current."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.core.kernel.ids import uuid4
from cloudlet.testing.server import Aws, Server
from tests.services.secretsmanager.cloud import SecretCloud
from tests.services.secretsmanager.rotator import RotationCloud
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 4
_EACH = 5
"""In each round at least so many values are acknowledged before the server is killed."""
_WRITTEN, _ROTATED = "written", ("rotated-0", "rotated-1")


def _impatient(server: Server) -> SecretCloud:
    """Return clients that do not try again."""
    cloud = SecretCloud(Aws(server.endpoint, _ACCOUNT))
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    cloud.client = cloud.aws.client("secretsmanager", config=config)
    return cloud


def _write(server: Server, acknowledged: dict[str, str]) -> None:
    """Put values until the server is gone."""
    cloud = _impatient(server)
    while True:
        token = uuid4()
        try:
            cloud.client.put_secret_value(SecretId=_WRITTEN, SecretString=f"v-{token}", ClientRequestToken=token)
        except (BotoCoreError, ClientError):
            return
        acknowledged[token] = f"v-{token}"


def _rotate(server: Server, name: str, acknowledged: list[str]) -> None:
    """Rotate a secret again and again until the server is gone."""
    cloud = _impatient(server)
    while True:
        try:
            acknowledged.append(cloud.client.rotate_secret(SecretId=name)["VersionId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidRequestException":
                return
            time.sleep(0.02)
        except BotoCoreError:
            return


def test_no_value_is_lost_and_one_is_current(tmp_path: Path) -> None:
    written: dict[str, str] = {}
    rotated: dict[str, list[str]] = defaultdict(list)
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            if turn == 0:
                rotating = RotationCloud(Aws(server.endpoint, _ACCOUNT))
                rotating.create(_WRITTEN)
                for name in _ROTATED:
                    rotating.create(name)
                    rotated[name].append(rotating.rotate(name))
            threads = [threading.Thread(target=_write, args=(server, written))]
            threads += [threading.Thread(target=_rotate, args=(server, name, rotated[name])) for name in _ROTATED]
            for thread in threads:
                thread.start()
            eventually(
                lambda turn=turn: len(written) > _EACH * (turn + 1) and min(map(len, rotated.values())) > turn  # type: ignore[misc]
            )
            time.sleep(random.uniform(0.1, 1.0))
            server.kill()
            for thread in threads:
                thread.join()

    with Server.start("--data", str(tmp_path)) as server:
        cloud = SecretCloud(Aws(server.endpoint, _ACCOUNT))
        for token, value in written.items():
            assert cloud.value(_WRITTEN, VersionId=token) == value
        assert cloud.value(_WRITTEN)
        for name in _ROTATED:
            # What had begun ends.
            stages = eventually(
                lambda name=name: cloud.stages(name),  # type: ignore[misc]
                lambda stages: stages["AWSPENDING"] == stages["AWSCURRENT"],
            )
            assert cloud.value(name, VersionId=stages["AWSCURRENT"]) == cloud.value(name)
            for version in rotated[name]:
                assert cloud.value(name, VersionId=version)
