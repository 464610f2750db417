"""Encryption: whose key, what is shown of it, and that a customer's really is needed."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server
from tests.services.s3.strict import refused

_PART = 5 << 20
_KEY, _OTHER = os.urandom(32), os.urandom(32)


def _sse(key: bytes, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}SSECustomerAlgorithm": "AES256", f"{prefix}SSECustomerKey": key}


def _as_sent(key: bytes, md5: str) -> dict[str, str]:
    """A key and an MD5 that boto3 leaves as they are."""
    text = base64.b64encode(key).decode()
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": text, "SSECustomerKeyMD5": md5}


def _md5(key: bytes) -> str:
    return base64.b64encode(hashlib.md5(key).digest()).decode()


def test_every_object_is_encrypted_by_s3(s3: Any, bucket: str) -> None:
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256")
    assert written["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"'
    assert refused(s3.put_object, Bucket=bucket, Key="k", ServerSideEncryption="DES") == ("InvalidArgument", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", SSEKMSKeyId="key") == ("InvalidArgument", 400)


# -- keys of customers (SSE-C)


@pytest.mark.parametrize("size", [0, 1, 100, 100_000, 2_000_001])
def test_a_customers_key_is_needed_to_read(s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    written = s3.put_object(Bucket=bucket, Key="k", Body=data, **_sse(_KEY))
    assert (written["SSECustomerAlgorithm"], written["SSECustomerKeyMD5"]) == ("AES256", _md5(_KEY))
    assert "ServerSideEncryption" not in written
    assert written["ETag"] != f'"{hashlib.md5(data).hexdigest()}"'
    read = s3.get_object(Bucket=bucket, Key="k", **_sse(_KEY))
    assert (read["Body"].read(), read["ContentLength"], read["ETag"]) == (data, size, written["ETag"])
    for start, end in ((0, 1), (size // 3, size // 2 + 1), (size - 1, size)):
        if size:
            ranged = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={start}-{end - 1}", **_sse(_KEY))
            assert ranged["Body"].read() == data[start:end]
    for call in (s3.get_object, s3.head_object):
        assert refused(call, Bucket=bucket, Key="k")[1] == 400
        assert refused(call, Bucket=bucket, Key="k", **_sse(_OTHER))[1] == 403
    names = ["ETag"]
    assert refused(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=names)[1] == 400
    s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=names, **_as_sent(_KEY, _md5(_KEY)))


def test_a_key_is_not_for_objects_that_need_none(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.get_object, Bucket=bucket, Key="k", **_sse(_KEY)) == ("InvalidRequest", 400)


def test_keys_that_cannot_be(s3: Any, bucket: str) -> None:
    def putting(**more: Any) -> tuple[str, int]:
        return refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **more)

    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", SSECustomerAlgorithm="AES256")
    error: Any = caught.value.response["Error"]
    assert (error["ArgumentName"], error["ArgumentValue"]) == ("x-amz-server-side-encryption", "null")
    assert putting(**_sse(b"short")) == ("InvalidArgument", 400)
    assert putting(**_as_sent(_KEY, _md5(_OTHER))) == ("InvalidArgument", 400)
    assert putting(SSECustomerAlgorithm="AES256") == ("InvalidArgument", 400)
    assert putting(SSECustomerKey=_KEY) == ("InvalidArgument", 400)
    assert putting(**_sse(_KEY) | {"SSECustomerAlgorithm": "DES"}) == ("InvalidEncryptionAlgorithmError", 400)
    assert putting(**_sse(_KEY), ServerSideEncryption="AES256") == ("InvalidArgument", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


def test_an_upload_in_parts_has_one_key(s3: Any, bucket: str) -> None:
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", **_sse(_KEY))["UploadId"]
    upload = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    assert refused(s3.upload_part, **upload, PartNumber=1, Body=b"x") == ("InvalidRequest", 400)
    assert refused(s3.upload_part, **upload, PartNumber=1, Body=b"x", **_sse(_OTHER)) == ("InvalidRequest", 400)
    parts = [os.urandom(_PART), os.urandom(1000)]
    listed = []
    for number, part in enumerate(parts, 1):
        answer = s3.upload_part(**upload, PartNumber=number, Body=part, **_sse(_KEY))
        listed.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
    completing = {**upload, "MultipartUpload": {"Parts": listed}}
    assert refused(s3.list_parts, **upload, **_as_sent(_OTHER, _md5(_OTHER))) == ("InvalidRequest", 400)
    assert s3.list_parts(**upload)["Parts"] == s3.list_parts(**upload, **_as_sent(_KEY, _md5(_KEY)))["Parts"]
    assert refused(s3.complete_multipart_upload, **completing, **_sse(_OTHER))[1] == 400
    s3.complete_multipart_upload(**completing, **_sse(_KEY))
    whole = b"".join(parts)
    assert s3.get_object(Bucket=bucket, Key="k", **_sse(_KEY))["Body"].read() == whole
    asked = f"bytes={_PART - 7}-{_PART + 7}"
    read = s3.get_object(Bucket=bucket, Key="k", Range=asked, **_sse(_KEY))
    assert read["Body"].read() == whole[_PART - 7 : _PART + 8]
    assert s3.get_object(Bucket=bucket, Key="k", PartNumber=2, **_sse(_KEY))["Body"].read() == parts[1]


@pytest.mark.parametrize("size", [100, 100_000])
def test_copies_change_keys(s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data, **_sse(_KEY))
    source = {"Bucket": bucket, "Key": "k"}
    unlocked = _sse(_KEY, "CopySource")
    assert refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source)[1] == 400
    assert refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source, **_sse(_OTHER, "CopySource"))[1] == 403
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=source, **unlocked)
    read = s3.get_object(Bucket=bucket, Key="plain")
    assert (read["Body"].read(), read["ETag"]) == (data, f'"{hashlib.md5(data).hexdigest()}"')
    s3.copy_object(Bucket=bucket, Key="other", CopySource=source, **unlocked, **_sse(_OTHER))
    assert s3.get_object(Bucket=bucket, Key="other", **_sse(_OTHER))["Body"].read() == data
    assert refused(s3.get_object, Bucket=bucket, Key="other", **_sse(_KEY))[1] == 403


@pytest.mark.parametrize("size", [1000, 100_000])
def test_what_is_on_disk_cannot_be_read_without_the_key(tmp_path: Path, size: int) -> None:
    secret = b"a secret that is said again and again. " * (size // 39)
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, "111111111111").client("s3")
        s3.create_bucket(Bucket="secrets")
        s3.put_object(Bucket="secrets", Key="plain", Body=secret.replace(b"secret", b"riddle"))
        s3.put_object(Bucket="secrets", Key="k", Body=secret, **_sse(_KEY))
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"a riddle that is said" in written
    assert b"a secret that is said" not in written
    assert _KEY not in written
    assert base64.b64encode(_KEY) not in written
