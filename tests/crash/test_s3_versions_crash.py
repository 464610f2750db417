"""The whole server, killed while versions are written and deleted: each that it acknowledged is there, whole.

Writers put, copy and delete objects of their own in a bucket with versions: some deletions leave a marker behind,
others remove a version or a marker for good. After each crash all listings and all reads agree with what was
acknowledged.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server

ACCOUNT = "123456789012"
BUCKET = "versioned"
ROUNDS = 5
WRITERS = 4
WRITES = 12
"""So many each of them has done in each round, at least, before the server is killed."""
KEYS = 4
SIZES = (0, 700, 20_000, 100_000, 1_200_000)


def _client(server: Server) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=10)
    return Aws(server.endpoint, ACCOUNT).client("s3", config=config)


def _body(number: int) -> bytes:
    """Return the bytes that follow from the number of a write."""
    chance = random.Random(number)
    return chance.randbytes(chance.choice(SIZES))


MARKER = -1
"""Stands for the number of a write where a version is a delete marker."""


@dataclass
class Version:
    """A version, newest first in its key's list: its id and the number of the write that its bytes follow from."""

    id: str
    number: int


@dataclass
class Doubt:
    """What was under way when the server went: a new version of a key, or the removal of one that has an id."""

    key: str
    number: int = MARKER
    removed: str = ""


@dataclass
class Writer:
    """One who writes to keys that nobody else writes to, and remembers what was acknowledged."""

    name: str
    state: dict[str, list[Version]] = field(default_factory=dict)
    doubt: Doubt | None = None
    written: int = 0

    def run(self, server: Server) -> None:
        """Write until the server is gone."""
        s3 = _client(server)
        chance = random.Random(f"{self.name} {self.written}")
        while True:
            self.written += 1
            key = f"{self.name}-{chance.randrange(KEYS)}"
            try:
                self._write(s3, chance, key)
            except (BotoCoreError, ClientError):
                return
            self.doubt = None

    def _write(self, s3: Any, chance: random.Random, key: str) -> None:
        versions = self.state.setdefault(key, [])
        kind = chance.randrange(10)
        if kind < 3 and versions:
            gone = chance.choice(versions)
            self.doubt = Doubt(key, removed=gone.id)
            s3.delete_object(Bucket=BUCKET, Key=key, VersionId=gone.id)
            versions.remove(gone)
        elif kind == 3:
            self.doubt = Doubt(key)
            answer = s3.delete_object(Bucket=BUCKET, Key=key)
            assert answer["DeleteMarker"] is True
            versions.insert(0, Version(answer["VersionId"], MARKER))
        elif kind == 4 and (kept := [each for each in versions if each.number != MARKER]):
            source = chance.choice(kept)
            self.doubt = Doubt(key, source.number)
            named = {"Bucket": BUCKET, "Key": key, "VersionId": source.id}
            answer = s3.copy_object(Bucket=BUCKET, Key=key, CopySource=named)
            versions.insert(0, Version(answer["VersionId"], source.number))
        else:
            number = int(self.name) * 1_000_000 + self.written
            self.doubt = Doubt(key, number)
            answer = s3.put_object(Bucket=BUCKET, Key=key, Body=_body(number))
            versions.insert(0, Version(answer["VersionId"], number))

    def settle(self, found: dict[str, list[tuple[str, bool]]]) -> None:
        """Let what is there say what has become of what was under way."""
        doubt, self.doubt = self.doubt, None
        if doubt is None:
            return
        versions = self.state.setdefault(doubt.key, [])
        there = found.get(doubt.key, [])
        if doubt.removed:
            if doubt.removed not in [id for id, _ in there]:
                versions[:] = [each for each in versions if each.id != doubt.removed]
        elif len(there) > len(versions):
            versions.insert(0, Version(there[0][0], doubt.number))

    def check(self, s3: Any, found: dict[str, list[tuple[str, bool]]], current: set[str]) -> None:
        """Compare the listings, and each version's bytes, with what was acknowledged."""
        expected = {key: versions for key, versions in self.state.items() if versions}
        mine = {key: there for key, there in found.items() if key.startswith(f"{self.name}-")}
        assert mine == {
            key: [(each.id, each.number == MARKER) for each in versions] for key, versions in expected.items()
        }
        shown = {key for key, versions in expected.items() if versions[0].number != MARKER}
        assert {key for key in current if key.startswith(f"{self.name}-")} == shown
        for key, versions in expected.items():
            for each in versions:
                if each.number != MARKER:
                    body = s3.get_object(Bucket=BUCKET, Key=key, VersionId=each.id)["Body"].read()
                    assert body == _body(each.number), f"version {each.id} of {key} is torn"
            if key in shown:
                assert s3.head_object(Bucket=BUCKET, Key=key)["VersionId"] == versions[0].id
            else:
                with pytest.raises(ClientError, match="404"):
                    s3.head_object(Bucket=BUCKET, Key=key)


def _versions(s3: Any) -> dict[str, list[tuple[str, bool]]]:
    """Return the versions of each key, newest first: their ids, and whether they are delete markers."""
    found: dict[str, list[tuple[str, bool]]] = {}
    listed = s3.get_paginator("list_object_versions")
    # A page tells versions and markers apart: so that their order is seen, each page has one.
    for page in listed.paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 1}):
        for kind in ("Versions", "DeleteMarkers"):
            for each in page.get(kind, []):
                assert each["IsLatest"] is (each["Key"] not in found)
                found.setdefault(each["Key"], []).append((each["VersionId"], kind == "DeleteMarkers"))
    whole = {
        (each["Key"], each["VersionId"], kind == "DeleteMarkers")
        for page in listed.paginate(Bucket=BUCKET)
        for kind in ("Versions", "DeleteMarkers")
        for each in page.get(kind, [])
    }
    assert whole == {(key, *each) for key, versions in found.items() for each in versions}
    return found


def _current(s3: Any) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 3})
    return {each["Key"] for page in pages for each in page.get("Contents", [])}


def test_acknowledged_versions_are_there_and_listings_agree(tmp_path: Path) -> None:
    writers = [Writer(str(number)) for number in range(1, WRITERS + 1)]
    for turn in range(ROUNDS + 1):
        with Server.start("--data", str(tmp_path)) as server:
            s3 = _client(server)
            if turn == 0:
                s3.create_bucket(Bucket=BUCKET)
                s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
            found, current = _versions(s3), _current(s3)
            for writer in writers:
                writer.settle(found)
                writer.check(s3, found, current)
            if turn == ROUNDS:
                for key, versions in found.items():
                    for id, _ in versions:
                        s3.delete_object(Bucket=BUCKET, Key=key, VersionId=id)
                # Nothing is in it that no listing shows.
                s3.delete_bucket(Bucket=BUCKET)
                break
            threads = [threading.Thread(target=writer.run, args=(server,)) for writer in writers]
            for thread in threads:
                thread.start()
            while not all(writer.written >= (turn + 1) * WRITES for writer in writers):
                time.sleep(0.01)
            time.sleep(random.uniform(0, 0.3))
            server.kill()
            for thread in threads:
                thread.join()
