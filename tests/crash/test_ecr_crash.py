"""The whole server, killed while images are pushed: an acknowledged one is whole, and nothing else stays on disk."""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from cloudlet.testing.server import Aws, Server
from tests.commands import cloudlet
from tests.services.ecr.registry import Made, Registry, digest_of, get_password, make_image

ACCOUNT = "123456789012"
NAME = "crashing"
ROUNDS = 4
PUSHERS = 3
PUSHES = 4
"""Images that each of them has pushed in each round, at least, before the server is killed."""
SIZES = (0, 700, 50_000, 2_000_000)
PATIENCE_SECONDS = 30.0
_FAILURES = (urllib3.exceptions.HTTPError, ConnectionError, AssertionError)


@dataclass
class Pusher:
    """One who pushes images under tags of its own, and remembers those that were acknowledged."""

    name: str
    pushed: dict[str, Made] = field(default_factory=dict)
    begun: int = 0

    def run(self, registry: Registry) -> None:
        """Push until the server is gone."""
        chance = random.Random(f"{self.name}{self.begun}")
        while True:
            self.begun += 1
            tag = f"{self.name}-{self.begun}"
            layers = [chance.randbytes(chance.choice(SIZES)) for _ in range(2)]
            # One layer is the same for all, and for all times.
            image = make_image(b"shared" * 10_000, *layers)
            try:
                registry.push(image, tag)
            except _FAILURES:
                return
            self.pushed[tag] = image


def _check(registry: Registry, pushers: list[Pusher]) -> None:
    """Pull all that was acknowledged."""
    for pusher in pushers:
        for tag, image in pusher.pushed.items():
            assert registry.pull(tag) == image.manifest, tag
            for blob in image.blobs:
                found = registry.ask("GET", f"blobs/{digest_of(blob)}")
                assert (found.status, hashlib.sha256(found.data).digest()) == (200, hashlib.sha256(blob).digest()), tag


def _list_files(data: Path) -> list[Path]:
    return [file for file in (data / "blocks" / "ecr" / "blobs").rglob("*") if file.is_file()]


def _age_files(data: Path) -> None:
    """Make files so old that nobody can be at work on them: their age is the machine's, not the cloud's."""
    long_ago = time.time() - 3 * 24 * 3600
    for file in _list_files(data):
        os.utime(file, (long_ago, long_ago))


def test_acknowledged_images_survive_kills(tmp_path: Path) -> None:
    pushers = [Pusher(str(number)) for number in range(PUSHERS)]
    options = "--data", str(tmp_path)
    for round_number in range(ROUNDS):
        with Server.start(*options) as server:
            aws = Aws(server.endpoint, ACCOUNT)
            if not round_number:
                aws.client("ecr").create_repository(repositoryName=NAME)
            registry = Registry(server.endpoint, NAME, get_password(aws))
            _check(registry, pushers)
            wanted = {pusher.name: len(pusher.pushed) + PUSHES for pusher in pushers}
            threads = [threading.Thread(target=pusher.run, args=(registry,)) for pusher in pushers]
            for thread in threads:
                thread.start()
            end = time.monotonic() + PATIENCE_SECONDS
            while any(len(pusher.pushed) < wanted[pusher.name] for pusher in pushers):
                assert time.monotonic() < end, "too little was pushed"
                time.sleep(0.01)
            server.kill()
            for thread in threads:
                thread.join()
    _age_files(tmp_path)
    with Server.start(*options) as server:
        aws = Aws(server.endpoint, ACCOUNT)
        _check(Registry(server.endpoint, NAME, get_password(aws)), pushers)
        # Whatever was half pushed goes in time: uploads after a day, and what no row names with the sweep.
        ecr = aws.client("ecr")
        ecr.delete_repository(repositoryName=NAME, force=True)
        assert json.loads(_describe(server)) == {"repositories": []}
        cloudlet("clock", "advance", "3d", "--port", server.port)
        end = time.monotonic() + PATIENCE_SECONDS
        while files := _list_files(tmp_path):
            assert time.monotonic() < end, f"{len(files)} files stay"
            time.sleep(0.05)


def _describe(server: Server) -> bytes:
    registry = Registry(server.endpoint, NAME, get_password(Aws(server.endpoint, ACCOUNT)))
    return registry.send("GET", "/v2/_catalog").data
