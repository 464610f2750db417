"""The whole server, killed while objects are written: what it acknowledged is there, whole, and no more is on disk.

Writers put, copy, upload in parts and delete objects of their own, of which small ones are in rows and large ones in
files.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.testing.server import Aws, Server
from tests.commands import cloudlet

ACCOUNT = "123456789012"
BUCKET = "crashing"
ROUNDS = 5
WRITERS = 4
WRITES = 8
"""So many each of them has done in each round, at least, before the server is killed."""
KEYS = 10
SIZES = (0, 700, 20_000, 100_000, 1_200_000, 2_500_000)
PART_BYTES = 5 << 20
PATIENCE_SECONDS = 30.0


def _client(server: Server) -> Any:
    config = Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=10)
    return Aws(server.endpoint, ACCOUNT).client("s3", config=config)


@dataclass(frozen=True)
class Written:
    """An object: its bytes follow from a number."""

    number: int
    size: int
    parts: int = 0

    @property
    def body(self) -> bytes:
        return random.Random(self.number).randbytes(self.size)

    @property
    def pieces(self) -> list[bytes]:
        body = self.body
        return [body[at : at + PART_BYTES] for at in range(0, self.size, PART_BYTES)]

    @property
    def etag(self) -> str:
        if not self.parts:
            return f'"{hashlib.md5(self.body).hexdigest()}"'
        digests = b"".join(hashlib.md5(piece).digest() for piece in self.pieces)
        return f'"{hashlib.md5(digests).hexdigest()}-{self.parts}"'

    @property
    def files(self) -> int:
        return self.parts or int(self.size > 32 << 10)


@dataclass
class Writer:
    """One who writes to keys that nobody else writes to, and remembers what was acknowledged."""

    name: str
    state: dict[str, Written] = field(default_factory=dict)
    """What is there; acknowledged."""
    doubtful: tuple[str, Written | None] | None = None
    """What was under way when the server went: an object, or its deletion."""
    completing: dict[str, Any] | None = None
    """The completion of an upload that was under way then."""
    written: int = 0

    def run(self, server: Server) -> None:
        """Write until the server is gone."""
        s3 = _client(server)
        chance = random.Random(f"{self.name}{self.written}")
        while True:
            self.written += 1
            key = f"{self.name}-{chance.randrange(KEYS)}"
            self.completing = None
            try:
                new = self._write(s3, chance, key)
            except (BotoCoreError, ClientError):
                return
            self._is(key, new)
            self.doubtful = None

    def _is(self, key: str, new: Written | None) -> None:
        self.state.pop(key, None)
        if new is not None:
            self.state[key] = new

    def _write(self, s3: Any, chance: random.Random, key: str) -> Written | None:
        kind = chance.randrange(10)
        number = int(self.name) * 1_000_000 + self.written
        if kind == 0:
            self.doubtful = (key, None)
            s3.delete_object(Bucket=BUCKET, Key=key)
            return None
        if kind == 1 and self.state:
            source = chance.choice(sorted(self.state))
            if source != key and not self.state[source].parts:
                new = self.state[source]
                self.doubtful = (key, new)
                s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})
                return new
        if kind == 2:
            return self._upload(s3, key, Written(number, PART_BYTES + 1000, parts=2))
        new = Written(number, chance.choice(SIZES))
        self.doubtful = (key, new)
        assert s3.put_object(Bucket=BUCKET, Key=key, Body=new.body)["ETag"] == new.etag
        return new

    def _upload(self, s3: Any, key: str, new: Written) -> Written:
        upload = {
            "Bucket": BUCKET,
            "Key": key,
            "UploadId": s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"],
        }
        listed = [
            {"PartNumber": at, "ETag": s3.upload_part(**upload, PartNumber=at, Body=piece)["ETag"]}
            for at, piece in enumerate(new.pieces, 1)
        ]
        self.doubtful = (key, new)
        self.completing = {**upload, "MultipartUpload": {"Parts": listed}}
        assert s3.complete_multipart_upload(**self.completing)["ETag"] == new.etag
        return new

    def check(self, s3: Any, found: dict[str, tuple[str, bytes]]) -> None:
        """Compare with the objects that are there; what was doubtful becomes what they say."""
        mine = {key: each for key, each in found.items() if key.startswith(f"{self.name}-")}
        if self.completing is not None:
            # Who has not heard the answer asks again.
            assert self.doubtful is not None
            key, new = self.doubtful
            assert new is not None
            assert s3.complete_multipart_upload(**self.completing)["ETag"] == new.etag
            mine[key] = _read(s3, key)
        if self.doubtful is not None:
            key, new = self.doubtful
            if mine.get(key, ("", b""))[0] == (new.etag if new is not None else ""):
                self._is(key, new)
        self.doubtful = self.completing = None
        assert mine.keys() == self.state.keys()
        for key, (etag, body) in mine.items():
            assert etag == self.state[key].etag
            assert body == self.state[key].body, f"{key} is torn"


def _objects(s3: Any) -> dict[str, tuple[str, bytes]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    return {key: _read(s3, key) for key in keys}


def _read(s3: Any, key: str) -> tuple[str, bytes]:
    read = s3.get_object(Bucket=BUCKET, Key=key)
    return read["ETag"], read["Body"].read()


def _files(data: Path) -> list[Path]:
    return [file for file in (data / "blocks" / "s3" / "blobs").rglob("*") if file.is_file()]


def _wait_for_files(data: Path, count: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while len(_files(data)) != count:
        assert time.monotonic() < end, f"{len(_files(data))} files, and there should be {count}"
        time.sleep(0.05)


def _advance(server: Server) -> None:
    """Let the time pass for which files outlive their objects."""
    moved = cloudlet("clock", "advance", "1m", "--port", server.port)
    assert moved.returncode == 0, moved.stderr


def test_acknowledged_objects_are_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    writers = [Writer(str(number)) for number in range(WRITERS)]
    for turn in range(ROUNDS + 1):
        if turn == ROUNDS:
            # What has no object is removed once it is old enough for nobody to be at work on it.
            blobs = tmp_path / "blocks" / "s3" / "blobs"
            for name in (".fresh-00112233445566778899aabbccddeeff", "00/00112233445566778899aabbccddeeff"):
                (blobs / name).parent.mkdir(exist_ok=True)
                (blobs / name).write_bytes(b"half an object")
            long_ago = time.time() - 3 * 24 * 3600
            for file in _files(tmp_path):
                os.utime(file, (long_ago, long_ago))
        with Server.start("--data", str(tmp_path)) as server:
            s3 = _client(server)
            if turn == 0:
                s3.create_bucket(Bucket=BUCKET)
            found = _objects(s3)
            for writer in writers:
                writer.check(s3, found)
            if turn == ROUNDS:
                for each in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
                    s3.abort_multipart_upload(Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"])
                _advance(server)
                state = [each for writer in writers for each in writer.state.values()]
                _wait_for_files(tmp_path, sum(each.files for each in state))
                for key in _objects(s3):
                    s3.delete_object(Bucket=BUCKET, Key=key)
                _advance(server)
                _wait_for_files(tmp_path, 0)
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
