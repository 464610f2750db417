"""The whole server, killed while keys are rotated and deleted: what was acknowledged decrypts ever after."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 4
_EACH = 20
"""In each round at least so many are encrypted before the server is killed."""


def _make_client(server: Server, region: str = "us-east-1") -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    return Aws(server.endpoint, _ACCOUNT).client("kms", config=config, region_name=region)


@dataclass
class _Acknowledged:
    """The changes that were acknowledged to clients."""

    ciphertexts: dict[bytes, bytes] = field(default_factory=dict)
    """The plaintexts, by what they were encrypted to."""
    disabled: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)


def _encrypt(server: Server, key: str, done: _Acknowledged) -> None:
    """Encrypt with keys of this round and with that of all rounds, which are rotated, until the server is gone."""
    kms = _make_client(server)
    number = 0
    try:
        while True:
            own = kms.create_key(MultiRegion=number % 2 == 0)["KeyMetadata"]["KeyId"]
            for each in (key, own):
                plaintext = f"{each} {number}".encode()
                done.ciphertexts[kms.encrypt(KeyId=each, Plaintext=plaintext)["CiphertextBlob"]] = plaintext
                if sum(1 for _ in kms.list_key_rotations(KeyId=each)["Rotations"]) < 25:
                    kms.rotate_key_on_demand(KeyId=each)
            if number % 2 == 0:
                kms.replicate_key(KeyId=own, ReplicaRegion="eu-west-1")
            number += 1
    except (BotoCoreError, ClientError):
        return


def _retire(server: Server, done: _Acknowledged) -> None:
    """Disable keys, and schedule their deletion, until the server is gone."""
    kms = _make_client(server)
    try:
        while True:
            one, other = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
            kms.disable_key(KeyId=one)
            done.disabled.append(one)
            kms.schedule_key_deletion(KeyId=other, PendingWindowInDays=7)
            done.deleted.append(other)
    except (BotoCoreError, ClientError):
        return


def test_what_was_encrypted_decrypts_after_each_crash(tmp_path: Path) -> None:
    done, key = _Acknowledged(), ""
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            key = _make_client(server).create_key()["KeyMetadata"]["KeyId"]
            threads = [
                threading.Thread(target=_encrypt, args=(server, key, done)),
                threading.Thread(target=_retire, args=(server, done)),
            ]
            for thread in threads:
                thread.start()
            eventually(lambda turn=turn: len(done.ciphertexts) > _EACH * (turn + 1) and len(done.deleted) > turn)  # type: ignore[misc]
            time.sleep(random.uniform(0.1, 0.5))
            server.kill()
            for thread in threads:
                thread.join()

    with Server.start("--data", str(tmp_path)) as server:
        kms = _make_client(server)
        for blob, plaintext in done.ciphertexts.items():
            assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext
        states = {each: kms.describe_key(KeyId=each)["KeyMetadata"]["KeyState"] for each in done.disabled}
        assert set(states.values()) == {"Disabled"}
        states = {each: kms.describe_key(KeyId=each)["KeyMetadata"]["KeyState"] for each in done.deleted}
        assert set(states.values()) == {"PendingDeletion"}
