"""UpdateObjectEncryption: another key for what is there, all else as it was, and what cannot have one."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.own_work import event, queue, tell_queue
from tests.services.s3.raw import ask
from tests.services.s3.strict import DENIED, Strict, policy, refused, strict_server

_ANYBODY = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
_INVALID = ("InvalidRequest", 400)


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


def _make_key(aws: Aws) -> str:
    """Return the ARN of a new key."""
    return str(aws.client("kms").create_key()["KeyMetadata"]["Arn"])


def _kms(arn: str, **more: bool) -> dict[str, Any]:
    return {"SSEKMS": {"KMSKeyArn": arn, **more}}


def _key(head: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(head.get(name) for name in ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"))


def _rest(head: dict[str, Any]) -> dict[str, Any]:
    changes = ("ResponseMetadata", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
    return {name: value for name, value in head.items() if name not in changes}


def test_nothing_but_the_key_is_another(aws: Aws, s3: Any, bucket: str) -> None:
    data = os.urandom(70_000)
    kept = {"Metadata": {"a": "b"}, "Tagging": "c=d", "StorageClass": "STANDARD_IA", "ChecksumAlgorithm": "SHA256"}
    s3.put_object(Bucket=bucket, Key="k", Body=data, ContentType="text/x", **kept)
    before = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert _key(before) == ("AES256", None, None)
    first, second = _make_key(aws), _make_key(aws)
    for encryption, shown in (
        (_kms(first), ("aws:kms", first, None)),
        (_kms(first, BucketKeyEnabled=True), ("aws:kms", first, True)),
        (_kms(second, BucketKeyEnabled=False), ("aws:kms", second, None)),
    ):
        s3.update_object_encryption(Bucket=bucket, Key="k", ObjectEncryption=encryption)
        after = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert _key(after) == shown
        assert _rest(after) == _rest(before)
    assert after["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_a_version_is_named(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = {"Bucket": bucket, "Key": "k", "VersionId": s3.put_object(Bucket=bucket, Key="k")["VersionId"]}
    s3.put_object(Bucket=bucket, Key="k")
    wanted = _kms(_make_key(aws))
    s3.update_object_encryption(**old, ObjectEncryption=wanted)
    assert s3.head_object(**old)["ServerSideEncryption"] == "aws:kms"
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"
    marker = {**old, "VersionId": s3.delete_object(Bucket=bucket, Key="k")["VersionId"]}
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    update = s3.update_object_encryption
    assert refused(update, Bucket=bucket, Key="k", ObjectEncryption=wanted) == ("NoSuchKey", 404)
    assert refused(update, **marker, ObjectEncryption=wanted) == ("MethodNotAllowed", 405)
    assert refused(update, Bucket=bucket, Key="none", ObjectEncryption=wanted) == ("NoSuchKey", 404)


def test_archived_and_multipart_objects_are_updated_as_they_are(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="archived", Body=b"x", StorageClass="DEEP_ARCHIVE")
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]}
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    for key in ("archived", "parts"):
        s3.update_object_encryption(Bucket=bucket, Key=key, ObjectEncryption=_kms(_make_key(aws)))
        assert s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"] == "aws:kms"
    assert s3.head_object(Bucket=bucket, Key="archived")["StorageClass"] == "DEEP_ARCHIVE"
    assert refused(s3.get_object, Bucket=bucket, Key="archived") == ("InvalidObjectState", 403)
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"part"


@pytest.mark.parametrize(
    "encrypted",
    [
        {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)},
        {"ServerSideEncryption": "aws:kms:dsse"},
    ],
)
def test_what_cannot_be_updated(aws: Aws, s3: Any, bucket: str, encrypted: dict[str, Any]) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **encrypted)
    update = s3.update_object_encryption
    assert refused(update, Bucket=bucket, Key="k", ObjectEncryption=_kms(_make_key(aws))) == _INVALID


@pytest.mark.parametrize(
    ("inner", "says"),
    [
        ("", "require a valid new encryption type"),
        ("<SSE-S3/>", "require a valid new encryption type"),
        ("<SSE-KMS/>", "require an AWS KMS key"),
        ("<SSE-KMS><KMSKeyArn>1234</KMSKeyArn></SSE-KMS>", "require a valid AWS KMS key"),
        (
            "<SSE-KMS><KMSKeyArn>arn:aws:kms:us-east-1:111111111111:alias/mine</KMSKeyArn></SSE-KMS>",
            "require a valid AWS KMS key",
        ),
    ],
)
def test_what_is_no_encryption(aws: Aws, s3: Any, bucket: str, inner: str, says: str) -> None:
    s3.put_object(Bucket=bucket, Key="k")
    body = f"<ObjectEncryption>{inner}</ObjectEncryption>"
    answer = ask(aws, "PUT", f"/{bucket}/k?encryption", body)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert says in answer.body.decode()
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


def test_the_key_is_of_the_buckets_account(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k")
    update = s3.update_object_encryption
    assert (
        refused(update, Bucket=bucket, Key="k", ObjectEncryption=_kms("arn:aws:kms:us-east-1:999999999999:key/1234"))
        == DENIED
    )
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE", "hold"])
def test_what_is_locked_keeps_its_encryption(aws: Aws, mode: str) -> None:
    s3, bucket = aws.client("s3"), f"locked-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    retention = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}
    s3.put_object(Bucket=bucket, Key="k", **({"ObjectLockLegalHoldStatus": "ON"} if mode == "hold" else retention))
    call = {"Bucket": bucket, "Key": "k", "ObjectEncryption": _kms(_make_key(aws))}
    assert refused(s3.update_object_encryption, **call) == DENIED
    if mode == "hold":
        s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
        s3.update_object_encryption(**call)
    if mode == "GOVERNANCE":
        s3.put_object_retention(Bucket=bucket, Key="k", Retention={}, BypassGovernanceRetention=True)
        s3.update_object_encryption(**call)


def test_nobody_is_notified(aws: Aws, s3: Any, bucket: str) -> None:
    sqs = aws.client("sqs")
    url, arn = queue(aws, "q")
    tell_queue(s3, sqs, bucket, url, arn, "s3:ObjectCreated:*")
    s3.put_object(Bucket=bucket, Key="k")
    assert event(sqs, url)["s3"]["object"]["key"] == "k"
    s3.update_object_encryption(Bucket=bucket, Key="k", ObjectEncryption=_kms(_make_key(aws)))
    s3.put_object(Bucket=bucket, Key="next")
    assert event(sqs, url)["s3"]["object"]["key"] == "next"


def test_who_may_update(strict: Strict) -> None:
    bucket = strict.open_bucket("BucketOwnerEnforced")
    strict.owner.s3.put_object(Bucket=bucket, Key="k")
    kms = strict.root(strict.owner.number, "kms")
    key = kms.create_key(Policy=policy(_ANYBODY))["KeyMetadata"]["Arn"]
    call = {"Bucket": bucket, "Key": "k", "ObjectEncryption": _kms(key)}
    strict.allow(bucket, Action=["s3:PutObject", "s3:GetObject"])
    assert refused(strict.other.s3.update_object_encryption, **call) == DENIED
    strict.allow(bucket, Action="s3:UpdateObjectEncryption")
    strict.other.s3.update_object_encryption(**call)
    assert strict.owner.s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "aws:kms"
    # It has to be signed.
    assert refused(strict.nobody.s3.update_object_encryption, **call) == _INVALID
