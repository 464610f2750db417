"""The whole server, killed while users get credentials: what was acknowledged is there, and whole."""

from __future__ import annotations

import threading
import time
from base64 import b32decode
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.services.iam import totp
from cloudlet.testing.server import Aws, Server
from tests.standing import eventually

_ACCOUNT = "123456789012"
_ROUNDS = 2
_EACH = 3
"""In each round at least so many users have got credentials before the server is killed."""
_PASSWORD = "Correct-Horse-1"


def _client(server: Server) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30)
    return Aws(server.endpoint, _ACCOUNT).client("iam", config=config)


def _give(iam: Any, prefix: str, acknowledged: dict[str, tuple[str, bytes]]) -> None:
    """Give users passwords and MFA devices, until the server is gone."""
    number = 0
    while True:
        name = f"{prefix}-{number}"
        try:
            iam.create_user(UserName=name)
            iam.create_login_profile(UserName=name, Password=_PASSWORD)
            made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
            serial, seed = made["SerialNumber"], b32decode(made["Base32StringSeed"])
            iam.enable_mfa_device(UserName=name, SerialNumber=serial, **_codes(seed))
        except (BotoCoreError, ClientError):
            return
        acknowledged[name] = serial, seed
        number += 1


def _codes(seed: bytes) -> dict[str, str]:
    step = totp.get_step(time.time())
    codes = totp.make_code(seed, step - 1), totp.make_code(seed, step)
    return {"AuthenticationCode1": codes[0], "AuthenticationCode2": codes[1]}


def test_no_credential_is_lost(tmp_path: Path) -> None:
    acknowledged: dict[str, tuple[str, bytes]] = {}
    for turn in range(_ROUNDS):
        with Server.start("--data", str(tmp_path)) as server:
            before = len(acknowledged)
            thread = threading.Thread(target=_give, args=(_client(server), str(turn), acknowledged))
            thread.start()
            eventually(lambda before=before: len(acknowledged) - before, lambda count: count >= _EACH)
            server.kill()
            thread.join()
    with Server.start("--data", str(tmp_path)) as server:
        iam = _client(server)
        for name, (serial, seed) in acknowledged.items():
            assert iam.get_login_profile(UserName=name)["LoginProfile"]["UserName"] == name
            assert iam.list_mfa_devices(UserName=name)["MFADevices"][0]["SerialNumber"] == serial
            # Its seed is read under the same master key.
            iam.resync_mfa_device(UserName=name, SerialNumber=serial, **_codes(seed))
