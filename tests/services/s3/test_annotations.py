"""Annotations of objects: what they may be, whose they are, and where they go with their objects."""

from __future__ import annotations

import base64
import hashlib
import secrets
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.config import Config

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.services.s3.own_work import bucket as fresh_bucket
from tests.services.s3.own_work import event, queue, tell_queue
from tests.services.s3.raw import ask
from tests.services.s3.strict import DENIED, Strict, refused, strict_server
from tests.services.s3.test_replication import configure, put, rule, settled, status
from tests.standing import eventually

LARGE = "ä".encode() * (1 << 19)
"""A payload of the largest size."""


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


@pytest.fixture
def thing(s3: Any, bucket: str) -> dict[str, str]:
    """What names an object that is there."""
    s3.put_object(Bucket=bucket, Key="a/k ü", Body=b"object")
    return {"Bucket": bucket, "Key": "a/k ü"}


def annotate(s3: Any, thing: dict[str, str], name: str = "note", payload: bytes = b"text", **more: Any) -> Any:
    return s3.put_object_annotation(**thing, AnnotationName=name, AnnotationPayload=payload, **more)


def payload(s3: Any, thing: dict[str, str], name: str = "note") -> bytes:
    return bytes(s3.get_object_annotation(**thing, AnnotationName=name)["AnnotationPayload"].read())


def names(s3: Any, thing: dict[str, str], **more: Any) -> list[str]:
    return [each["AnnotationName"] for each in s3.list_object_annotations(**thing, **more).get("Annotations", [])]


@pytest.mark.parametrize("text", [b"x", b'{"label": "cat"}', LARGE], ids=["least", "some", "most"])
def test_an_annotation_is_read_as_it_was_written(s3: Any, thing: dict[str, str], text: bytes) -> None:
    etag = f'"{hashlib.md5(text).hexdigest()}"'
    crc = base64.b64encode(zlib.crc32(text).to_bytes(4, "big")).decode()
    written = annotate(s3, thing, "ml.Größe_1-a", text, ChecksumAlgorithm="CRC32")
    assert (written["Key"], written["AnnotationName"]) == (thing["Key"], "ml.Größe_1-a")
    assert (written["ETag"], written["ChecksumCRC32"], written["ChecksumType"]) == (etag, crc, "FULL_OBJECT")
    assert written["ServerSideEncryption"] == "AES256"
    assert "ObjectVersionId" not in written
    read = s3.get_object_annotation(**thing, AnnotationName="ml.Größe_1-a", ChecksumMode="ENABLED")
    assert read["AnnotationPayload"].read() == text
    assert (read["ETag"], read["ContentLength"], read["ChecksumCRC32"]) == (etag, len(text), crc)
    assert abs(datetime.now(UTC) - read["LastModified"]) < timedelta(minutes=1)
    listed = s3.list_object_annotations(**thing)
    assert (listed["Bucket"], listed["Key"], listed["AnnotationCount"]) == (thing["Bucket"], thing["Key"], 1)
    assert listed["Annotations"] == [
        {
            "AnnotationName": "ml.Größe_1-a",
            "LastModified": read["LastModified"],
            "ETag": etag,
            "ChecksumAlgorithm": ["CRC32"],
            "Size": len(text),
        }
    ]


def test_the_object_is_as_before(s3: Any, thing: dict[str, str]) -> None:
    before = s3.head_object(**thing)
    annotate(s3, thing)
    after = s3.head_object(**thing)
    assert (after["ETag"], after["LastModified"]) == (before["ETag"], before["LastModified"])
    assert s3.get_object(**thing)["Body"].read() == b"object"
    assert s3.list_objects_v2(Bucket=thing["Bucket"])["KeyCount"] == 1


def test_an_annotation_is_replaced_and_deleted(s3: Any, thing: dict[str, str]) -> None:
    for text in (b"small", LARGE, LARGE[2:], b"again"):
        annotate(s3, thing, payload=text)
        assert payload(s3, thing) == text
    annotate(s3, thing, "other")
    gone = s3.delete_object_annotation(**thing, AnnotationName="note")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert names(s3, thing) == ["other"]
    assert refused(payload, s3=s3, thing=thing) == ("NoSuchAnnotation", 404)
    # Deleting what is not there is no error.
    s3.delete_object_annotation(**thing, AnnotationName="note")
    assert payload(s3, thing, "other") == b"text"


@pytest.mark.parametrize("name", ["aws.x", "AWSx", "s3", "S3-x", "a b", "a/b", "a\nb", "a:b", "😀"])
def test_names_that_no_annotation_can_have(s3: Any, thing: dict[str, str], name: str) -> None:
    assert refused(annotate, s3=s3, thing=thing, name=name) == ("InvalidAnnotationName", 400)


def test_names_are_at_most_512_bytes_long(s3: Any, thing: dict[str, str]) -> None:
    annotate(s3, thing, "ü" * 256)
    assert names(s3, thing) == ["ü" * 256]
    assert refused(annotate, s3=s3, thing=thing, name="ü" * 256 + "x") == ("AnnotationNameTooLong", 400)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", ("InvalidRequest", 400)),
        (LARGE + b"x", ("EntityTooLarge", 400)),
        (b"\xff\xfe", ("UnsupportedMediaType", 415)),
        (LARGE[:-1], ("UnsupportedMediaType", 415)),
    ],
    ids=["empty", "large", "binary", "cut"],
)
def test_payloads_that_no_annotation_can_have(
    s3: Any, thing: dict[str, str], text: bytes, error: tuple[str, int]
) -> None:
    assert refused(annotate, s3=s3, thing=thing, payload=text) == error
    assert names(s3, thing) == []


def test_a_payload_must_be_what_its_checksum_says(s3: Any, thing: dict[str, str]) -> None:
    wrong = base64.b64encode(bytes(16)).decode()
    assert refused(annotate, s3=s3, thing=thing, ContentMD5=wrong) == ("BadDigest", 400)
    assert refused(annotate, s3=s3, thing=thing, ChecksumCRC32="AAAAAA==") == ("BadDigest", 400)
    assert annotate(s3, thing, ChecksumAlgorithm="SHA256")["ChecksumSHA256"]


def test_a_request_without_payload_is_refused(aws: Aws, thing: dict[str, str]) -> None:
    answer = ask(aws, "PUT", f"/{thing['Bucket']}/{quote(thing['Key'])}?annotation&annotationName=note", b"")
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_conditions_are_about_the_object(s3: Any, thing: dict[str, str]) -> None:
    etag = s3.head_object(**thing)["ETag"]
    annotate(s3, thing, ObjectIfMatch=etag)
    failed = ("PreconditionFailed", 412)
    assert refused(annotate, s3=s3, thing=thing, payload=b"new", ObjectIfMatch='"0"') == failed
    asked = {**thing, "AnnotationName": "note"}
    assert refused(s3.delete_object_annotation, **asked, ObjectIfMatch='"0"') == failed
    assert payload(s3, thing) == b"text"
    s3.delete_object_annotation(**asked, ObjectIfMatch=etag)
    assert names(s3, thing) == []


def test_lists_have_pages_and_prefixes(s3: Any, thing: dict[str, str]) -> None:
    all_names = sorted((f"{head}{tail}" for head in ("a", "a.", "b", "ä") for tail in "123"), key=str.encode)
    for name in all_names:
        annotate(s3, thing, name)
    pages = s3.get_paginator("list_object_annotations").paginate(**thing, PaginationConfig={"PageSize": 5})
    found = [[each["AnnotationName"] for each in page["Annotations"]] for page in pages]
    assert [len(page) for page in found] == [5, 5, 2]
    assert [name for page in found for name in page] == all_names
    assert names(s3, thing, AnnotationPrefix="a.") == ["a.1", "a.2", "a.3"]
    assert names(s3, thing, AnnotationPrefix="c") == []
    first = s3.list_object_annotations(**thing, AnnotationPrefix="a", MaxAnnotationResults=4)
    assert (first["AnnotationPrefix"], first["MaxAnnotationResults"], first["AnnotationCount"]) == ("a", 4, 4)
    token = first["NextContinuationToken"]
    assert names(s3, thing, AnnotationPrefix="a", ContinuationToken=token) == ["a2", "a3"]
    whole = s3.list_object_annotations(**thing, MaxAnnotationResults=12)
    assert "NextContinuationToken" not in whole


def test_lists_refuse_what_makes_no_sense(aws: Aws, thing: dict[str, str]) -> None:
    s3 = aws.client("s3", config=Config(parameter_validation=False))
    assert refused(s3.list_object_annotations, **thing, AnnotationPrefix="a b") == ("InvalidPrefix", 400)
    assert refused(s3.list_object_annotations, **thing, ContinuationToken="?") == ("InvalidArgument", 400)
    for number in (0, -1, 1001):
        assert refused(s3.list_object_annotations, **thing, MaxAnnotationResults=number) == ("InvalidArgument", 400)


def test_a_version_has_at_most_a_thousand(s3: Any, thing: dict[str, str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: annotate(s3, thing, f"n{number}"), range(1000)))
    assert refused(annotate, s3=s3, thing=thing, name="one-more") == ("AnnotationLimitExceeded", 400)
    annotate(s3, thing, "n7", b"replaced")
    assert names(s3, thing) == sorted(f"n{number}" for number in range(1000))
    s3.delete_object_annotation(**thing, AnnotationName="n8")
    annotate(s3, thing, "one-more")


def test_what_is_not_there_has_no_annotations(s3: Any, bucket: str) -> None:
    nothing = {"Bucket": bucket, "Key": "nothing"}
    assert refused(annotate, s3=s3, thing=nothing) == ("NoSuchKey", 404)
    assert refused(s3.list_object_annotations, **nothing) == ("NoSuchKey", 404)
    assert refused(s3.get_object_annotation, **nothing, AnnotationName="a") == ("NoSuchKey", 404)
    assert refused(s3.delete_object_annotation, **nothing, AnnotationName="a") == ("NoSuchKey", 404)
    gone = {"Bucket": f"{bucket}-no", "Key": "k"}
    assert refused(annotate, s3=s3, thing=gone) == ("NoSuchBucket", 404)


def test_an_object_under_a_customers_key_has_none(s3: Any, bucket: str) -> None:
    sealed = {"Bucket": bucket, "Key": "sealed"}
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    s3.put_object(**sealed, Body=b"x", **key)
    assert refused(annotate, s3=s3, thing=sealed) == ("InvalidRequest", 400)
    plain = {"Bucket": bucket, "Key": "plain"}
    s3.put_object(**plain, Body=b"x")
    annotate(s3, plain)
    assert refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=plain, **key) == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=plain, **key, AnnotationDirective="EXCLUDE")


def test_each_version_has_its_own(s3: Any) -> None:
    name = fresh_bucket(s3, versioned=True)
    key = {"Bucket": name, "Key": "k"}
    first, second = (
        {**key, "VersionId": s3.put_object(**key, Body=body)["VersionId"]} for body in (b"first", b"second")
    )
    assert annotate(s3, key, payload=b"of the second")["ObjectVersionId"] == second["VersionId"]
    assert annotate(s3, first, payload=LARGE)["ObjectVersionId"] == first["VersionId"]
    assert (payload(s3, first), payload(s3, second)) == (LARGE, b"of the second")
    s3.delete_object(**key)
    assert refused(s3.list_object_annotations, **key) == ("NoSuchKey", 404)
    marker = s3.list_object_versions(Bucket=name)["DeleteMarkers"][0]["VersionId"]
    assert refused(annotate, s3=s3, thing={**key, "VersionId": marker}) == ("MethodNotAllowed", 405)
    assert payload(s3, second) == b"of the second"
    s3.delete_object(**second)
    assert refused(s3.list_object_annotations, **second) == ("NoSuchVersion", 404)
    assert names(s3, first) == ["note"]


@pytest.mark.parametrize("text", [b"small", LARGE], ids=["small", "large"])
def test_they_go_with_their_object(s3: Any, thing: dict[str, str], text: bytes) -> None:
    annotate(s3, thing, payload=text)
    s3.put_object(**thing, Body=b"another")
    assert names(s3, thing) == []
    annotate(s3, thing, payload=text)
    s3.delete_object(**thing)
    s3.put_object(**thing, Body=b"a third")
    assert names(s3, thing) == []
    annotate(s3, thing)
    assert s3.list_object_annotations(**thing)["AnnotationCount"] == 1


def test_the_files_of_what_is_gone_are_removed(tmp_path: Path) -> None:
    def blobs() -> int:
        files = (each for folder in tmp_path.rglob("blobs") for each in folder.rglob("*") if each.is_file())
        return sum(each.stat().st_size >= len(LARGE) for each in files)

    with Server.start("--data", str(tmp_path)) as server:
        s3: Any = Aws(server.endpoint, fresh_account()).client("s3")
        thing = {"Bucket": fresh_bucket(s3), "Key": "k"}
        s3.put_object(**thing, Body=b"x")
        stored = blobs()
        annotate(s3, thing, payload=LARGE)
        annotate(s3, thing, "other", LARGE)
        assert blobs() - stored == 2
        s3.delete_object_annotation(**thing, AnnotationName="other")
        s3.delete_object(**thing)
        advanced = cloudlet("clock", "advance", "1m", "--port", server.port)
        assert advanced.returncode == 0, advanced.stderr
        assert eventually(lambda: blobs() - stored, lambda left: left == 0) == 0


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        s3: Any = Aws(server.endpoint, account).client("s3")
        thing = {"Bucket": fresh_bucket(s3), "Key": "k"}
        s3.put_object(**thing, Body=b"x")
        annotate(s3, thing, "small")
        annotate(s3, thing, "large", LARGE)
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        s3 = Aws(server.endpoint, account).client("s3")
        assert names(s3, thing) == ["large", "small"]
        assert (payload(s3, thing, "small"), payload(s3, thing, "large")) == (b"text", LARGE)


def test_copies_have_them_unless_they_are_excluded(s3: Any, thing: dict[str, str]) -> None:
    annotate(s3, thing, "small")
    annotate(s3, thing, "large", LARGE)
    copy = {**thing, "Key": "copy"}
    s3.copy_object(**copy, CopySource=thing)
    s3.delete_object(**thing)
    assert names(s3, copy) == ["large", "small"]
    assert (payload(s3, copy, "small"), payload(s3, copy, "large")) == (b"text", LARGE)
    bare = {**thing, "Key": "bare"}
    s3.copy_object(**bare, CopySource=copy, AnnotationDirective="EXCLUDE")
    assert names(s3, bare) == []
    # A copy onto itself has what it had.
    s3.copy_object(**copy, CopySource=copy, StorageClass="STANDARD_IA", AnnotationDirective="COPY")
    assert payload(s3, copy, "large") == LARGE
    # What was there before the copy has gone, and its annotations with it.
    s3.copy_object(**copy, CopySource=bare)
    assert names(s3, copy) == []


def test_an_unknown_directive_is_refused(s3: Any, thing: dict[str, str]) -> None:
    asked = {**thing, "Key": "copy", "CopySource": thing, "AnnotationDirective": "REPLACE"}
    assert refused(s3.copy_object, **asked) == ("InvalidArgument", 400)


def test_replicas_have_the_annotations_of_their_source(s3: Any) -> None:
    source, target = fresh_bucket(s3, versioned=True), fresh_bucket(s3, versioned=True)
    configure(s3, source, rule(target))
    version = put(s3, source, "k")
    thing, replica = {"Bucket": source, "Key": "k"}, {"Bucket": target, "Key": "k", "VersionId": version}
    annotate(s3, thing, "small")
    annotate(s3, thing, "large", LARGE)
    assert settled(s3, source, "k", version) == "COMPLETED"
    assert names(s3, replica) == ["large", "small"]
    assert (payload(s3, replica, "small"), payload(s3, replica, "large")) == (b"text", LARGE)
    listed = s3.list_object_annotations(**replica)["Annotations"]
    assert [each["ReplicationStatus"] for each in listed] == ["REPLICA", "REPLICA"]
    s3.delete_object_annotation(**thing, AnnotationName="large")
    assert settled(s3, source, "k", version) == "COMPLETED"
    assert names(s3, replica) == ["small"]
    assert status(s3, target, "k", version) == "REPLICA"
    # They come with an object that has them from the beginning, too.
    s3.copy_object(Bucket=source, Key="copy", CopySource=thing)
    copied = s3.head_object(Bucket=source, Key="copy")["VersionId"]
    settled(s3, source, "copy", copied)
    assert payload(s3, {"Bucket": target, "Key": "copy"}, "small") == b"text"


def test_subscribers_are_told(aws: Aws, s3: Any, thing: dict[str, str]) -> None:
    sqs = aws.client("sqs")
    url, arn = queue(aws, "told")
    tell_queue(s3, sqs, thing["Bucket"], url, arn, "s3:ObjectAnnotation:*")
    annotate(s3, thing)
    assert event(sqs, url)["eventName"] == "ObjectAnnotation:Put"
    s3.delete_object_annotation(**thing, AnnotationName="note")
    assert event(sqs, url)["eventName"] == "ObjectAnnotation:Delete"


def test_a_locked_version_keeps_its_annotations(aws: Aws, s3: Any) -> None:
    locked = f"locked-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    asked = {"Bucket": locked, "Key": "k"}
    s3.put_object(**asked, Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    annotate(s3, asked)
    assert refused(s3.delete_object_annotation, **asked, AnnotationName="note") == DENIED
    target = f"/{locked}/k?annotation&annotationName=note"
    assert ask(aws, "DELETE", target, x_amz_bypass_governance_retention="true").status == 204
    assert names(s3, asked) == []


def test_each_operation_has_its_permission(strict: Strict) -> None:
    name = strict.bucket()
    thing = {"Bucket": name, "Key": "k"}
    owner, other = strict.owner.s3, strict.other.s3
    owner.put_object(**thing, Body=b"x")
    annotate(owner, thing)
    asked = {**thing, "AnnotationName": "note"}
    calls = {
        "s3:PutObjectAnnotation": (annotate, {"s3": other, "thing": thing}),
        "s3:GetObjectAnnotation": (other.get_object_annotation, asked),
        "s3:ListObjectAnnotations": (other.list_object_annotations, thing),
        "s3:DeleteObjectAnnotation": (other.delete_object_annotation, asked),
    }
    for allowed in calls:
        strict.allow(name, Principal={"AWS": strict.other.number}, Action=allowed)
        for action, (call, params) in calls.items():
            if action == allowed:
                call(**params)
            else:
                assert refused(call, **params) == DENIED
    assert names(owner, thing) == []


def test_a_copy_needs_the_permissions_for_annotations(strict: Strict) -> None:
    name = strict.bucket()
    thing = {"Bucket": name, "Key": "k"}
    strict.owner.s3.put_object(**thing, Body=b"x")
    copy = {"Bucket": name, "Key": "copy", "CopySource": thing}
    needed = ["s3:GetObject", "s3:PutObject", "s3:GetObjectAnnotation", "s3:PutObjectAnnotation"]

    def allow(*actions: str) -> None:
        strict.allow(name, Principal={"AWS": strict.other.number}, Action=list(actions))

    allow(*needed[:2])
    strict.other.s3.copy_object(**copy)
    annotate(strict.owner.s3, thing)
    for missing in needed[2:]:
        allow(*(action for action in needed if action != missing))
        assert refused(strict.other.s3.copy_object, **copy) == DENIED
        strict.other.s3.copy_object(**copy, AnnotationDirective="EXCLUDE")
    allow(*needed)
    strict.other.s3.copy_object(**copy)
    assert names(strict.owner.s3, {"Bucket": name, "Key": "copy"}) == ["note"]
