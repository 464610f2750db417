"""An account, a bucket in it, and clients that are pointed there."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.e2e.client import MODULES, PATH, Client, installed

MakeClient = Callable[..., Client]
ONCE = {"AWS_MAX_ATTEMPTS": "1"}
"""What fails is not tried again, which would hide it."""
ACCOUNTS = 200
"""So many tests can run on one Cloudlet."""


@pytest.fixture(scope="session")
def accounts() -> Iterator[Iterator[Aws]]:
    """Accounts whose key Cloudlet knows, so that it verifies every signature of these clients."""
    known = [fresh_account() for _ in range(ACCOUNTS)]
    # The key's id is the account's number, and the secret that of all accounts in tests.
    keys = [part for account in known for part in ("--root-key", f"{account}:{account}:test")]
    # Functions run on the Node.js that is installed with the clients, and find AWS's SDK there as on AWS.
    environment = {"PATH": PATH, "NODE_PATH": str(MODULES)}
    with Server.start("--ephemeral", "--xray-daemon", "0", *keys, env=environment) as server:
        yield (Aws(server.endpoint, account) for account in known)


@pytest.fixture
def aws(accounts: Iterator[Aws], monkeypatch: pytest.MonkeyPatch) -> Aws:
    """An account that no other test has."""
    for name, value in ONCE.items():
        monkeypatch.setenv(name, value)
    return next(accounts)


@pytest.fixture
def client(aws: Aws, tmp_path: Path) -> MakeClient:
    """Makes a client on demand: `client("rclone", RCLONE_VERBOSE="1")`; it finds no configuration but its own."""
    home = tmp_path / "home"
    home.mkdir()
    own = {"HOME": str(home), "PATH": PATH, "LANG": "C.UTF-8", "TMPDIR": str(tmp_path)}

    def make(program: str, **environment: str) -> Client:
        return Client(installed(program), {**own, **ONCE, **aws.environment, **environment})

    return make


@pytest.fixture
def bucket(aws: Aws) -> str:
    """An empty bucket."""
    name = f"bucket-of-{aws.account}"
    aws.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files of all sorts of names and sizes, one of which goes in parts."""
    noise = random.Random(7)
    yesterday = time.time() - 86_400
    folder = tmp_path / "tree"
    for name, size in {
        "letter.txt": 900,
        "empty": 0,
        "a/b/c/deep.bin": 70_000,
        "a/with space & sign+plus=%41.txt": 30,
        "Grüße/日本語.txt": 40,
        "large.bin": 11 * 2**20 + 123,
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(noise.randbytes(size))
        # Objects' times are whole seconds: what was written in the second of its upload would seem newer than that.
        os.utime(file, (yesterday, yesterday))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder: the bytes of each file by its path."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def changed(tree: Path) -> None:
    """Change a folder as people do: a file is new, one is gone, one is another."""
    (tree / "a" / "new.txt").write_text("new")
    (tree / "empty").unlink()
    (tree / "letter.txt").write_text("rewritten")
