"""Large objects whose files have gone: that is told before an answer begins, in S3's own error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account

LARGE = b"x" * 100_000
KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(data: Path) -> Any:
    with Server.start("--data", str(data)) as server:
        yield server


@pytest.fixture
def s3(server: Server) -> Any:
    return Aws(server.endpoint, fresh_account()).client("s3", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"photos-{fresh_account()}"
    s3.create_bucket(Bucket=name)
    return name


def vanish(path: Path) -> None:
    path.unlink()


def shrink(path: Path) -> None:
    path.write_bytes(LARGE[:-1])


@pytest.mark.parametrize("damage", [vanish, shrink])
@pytest.mark.parametrize("encryption", [{}, KEY], ids=["plain", "customer's key"])
def test_reading_answers_internal_error(
    s3: Any, bucket: str, data: Path, damage: Callable[[Path], None], encryption: dict[str, Any]
) -> None:
    before = set(data.glob("blocks/s3/blobs/??/*"))
    s3.put_object(Bucket=bucket, Key="desk", Body=LARGE, **encryption)
    s3.put_object(Bucket=bucket, Key="small", Body=b"small")
    [file] = set(data.glob("blocks/s3/blobs/??/*")) - before
    damage(file)
    with pytest.raises(ClientError) as failed:
        s3.get_object(Bucket=bucket, Key="desk", **encryption)
    assert failed.value.response["Error"]["Code"] == "InternalError"
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert s3.get_object(Bucket=bucket, Key="small")["Body"].read() == b"small"


def test_copying_answers_internal_error(s3: Any, bucket: str, data: Path) -> None:
    before = set(data.glob("blocks/s3/blobs/??/*"))
    s3.put_object(Bucket=bucket, Key="desk", Body=LARGE)
    [file] = set(data.glob("blocks/s3/blobs/??/*")) - before
    file.unlink()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="copy")["UploadId"]
    source = {"Bucket": bucket, "CopySource": f"{bucket}/desk", "Key": "copy"}
    for copy in (
        lambda: s3.copy_object(**source),
        lambda: s3.upload_part_copy(**source, UploadId=upload, PartNumber=1),
    ):
        with pytest.raises(ClientError) as failed:
            copy()
        assert failed.value.response["Error"]["Code"] == "InternalError"
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
