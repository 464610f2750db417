"""A disk that is full: what does not fit is refused, what was there stays, and once there is room all goes on."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server

MIB = 1 << 20


@contextmanager
def _full(server: Server) -> Iterator[None]:
    """Let no file of the server's grow beyond 4 MiB until the end of the `with` block."""
    assert server.process is not None
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4 * MIB, hard))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def _client(server: Server) -> Any:
    return Aws(server.endpoint, "111111111111").client("s3", config=Config(retries={"max_attempts": 0}))


def _failed(call: Any, **params: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500


def _files(data: Path) -> int:
    return sum(file.is_file() for file in (data / "blocks" / "s3" / "blobs").rglob("*"))


def test_what_does_not_fit_is_refused_and_loses_nothing(tmp_path: Path) -> None:
    large = os.urandom(12 * MIB)
    with Server.start("--data", str(tmp_path)) as server:
        s3 = _client(server)
        s3.create_bucket(Bucket="full")
        s3.put_object(Bucket="full", Key="k", Body=b"before")
        upload_id = s3.create_multipart_upload(Bucket="full", Key="parts")["UploadId"]
        upload = {"Bucket": "full", "Key": "parts", "UploadId": upload_id}
        first = s3.upload_part(**upload, PartNumber=1, Body=large)["ETag"]
        with _full(server):
            _failed(s3.put_object, Bucket="full", Key="k", Body=large)
            _failed(s3.put_object, Bucket="full", Key="new", Body=large)
            _failed(s3.upload_part, **upload, PartNumber=2, Body=large)
            assert s3.get_object(Bucket="full", Key="k")["Body"].read() == b"before"
            s3.put_object(Bucket="full", Key="fits", Body=large[:MIB])
        assert _files(tmp_path) == 2
        assert [each["Key"] for each in s3.list_objects_v2(Bucket="full")["Contents"]] == ["fits", "k"]
        second = s3.upload_part(**upload, PartNumber=2, Body=large)["ETag"]
        listed = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
        s3.put_object(Bucket="full", Key="k", Body=large)

    with Server.start("--data", str(tmp_path)) as server:
        s3 = _client(server)
        assert s3.get_object(Bucket="full", Key="k")["Body"].read() == large
        assert s3.get_object(Bucket="full", Key="parts")["Body"].read() == large * 2
        assert s3.head_object(Bucket="full", Key="fits")["ETag"] == f'"{hashlib.md5(large[:MIB]).hexdigest()}"'


def _fill(s3: Any, bodies: list[bytes]) -> int:
    """Write objects until one is refused; return how many were acknowledged."""
    for number in range(2000):
        try:
            s3.put_object(Bucket="full", Key=f"{number:04}", Body=bodies[number % len(bodies)])
        except ClientError:
            return number
    return 2000


def test_small_objects_are_refused_too_and_those_acknowledged_stay(tmp_path: Path) -> None:
    bodies = [os.urandom(30_000) for _ in range(8)]
    with Server.start("--data", str(tmp_path)) as server:
        s3 = _client(server)
        s3.create_bucket(Bucket="full")
        with _full(server):
            acknowledged = _fill(s3, bodies)
        assert 50 < acknowledged < 2000
        for number in range(acknowledged, acknowledged + 10):
            s3.put_object(Bucket="full", Key=f"{number:04}", Body=bodies[number % 8])
        acknowledged += 10

    with Server.start("--data", str(tmp_path)) as server:
        s3 = _client(server)
        assert s3.list_objects_v2(Bucket="full")["KeyCount"] == acknowledged
        for number in range(acknowledged):
            assert s3.get_object(Bucket="full", Key=f"{number:04}")["Body"].read() == bodies[number % 8]
