"""Conditional requests. RFC 9110, 13; user guide, "Add preconditions to S3 operations"."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.raw import ask
from tests.services.s3.strict import refused

_FAILED = ("PreconditionFailed", 412)
_UNCHANGED = ("304", 304)


@pytest.fixture
def there(s3: Any, bucket: str) -> dict[str, Any]:
    """An object: its bucket, key and body, its entity tag, and when it was written."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"there")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    return {"ETag": etag, "LastModified": modified}


@pytest.mark.parametrize("method", ["get_object", "head_object"])
def test_reading(s3: Any, bucket: str, there: dict[str, Any], method: str) -> None:
    call = getattr(s3, method)
    etag, modified = there["ETag"], there["LastModified"]
    before, after = modified - timedelta(seconds=1), modified + timedelta(seconds=1)
    failed = _FAILED if method == "get_object" else ("412", 412)

    def reading(**conditions: Any) -> Any:
        try:
            return call(Bucket=bucket, Key="k", **conditions)["ETag"]
        except s3.exceptions.ClientError as error:
            return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]

    assert reading(IfMatch=etag) == etag
    assert reading(IfMatch=f'"other", {etag}') == etag
    assert reading(IfMatch="*") == etag
    assert reading(IfMatch='"other"') == failed
    assert reading(IfNoneMatch='"other"') == etag
    assert reading(IfNoneMatch=etag) == _UNCHANGED
    assert reading(IfNoneMatch="*") == _UNCHANGED
    # Who has got it from a cache that compresses knows it by a weak tag (RFC 9110, 8.8.3.2, 13.1.1 and 13.1.2).
    assert reading(IfNoneMatch=f'"other", W/{etag}') == _UNCHANGED
    assert reading(IfMatch=f"W/{etag}") == failed
    assert reading(IfModifiedSince=before) == etag
    assert reading(IfModifiedSince=modified) == _UNCHANGED
    # What is yet to come is no condition (RFC 9110, 13.1.3).
    assert reading(IfModifiedSince=datetime(2100, 1, 1, tzinfo=UTC)) == etag
    assert reading(IfUnmodifiedSince=modified) == etag
    assert reading(IfUnmodifiedSince=before) == failed
    # Entity tags are asked first.
    assert reading(IfMatch=etag, IfUnmodifiedSince=before) == etag
    assert reading(IfNoneMatch=etag, IfModifiedSince=before) == _UNCHANGED
    assert reading(IfNoneMatch='"other"', IfModifiedSince=after) == etag


def test_a_range_is_taken_of_what_is_known(aws: Aws, bucket: str, there: dict[str, Any]) -> None:
    """Or all is sent: who goes on with a download gets no piece of something else. RFC 9110, 13.1.5."""
    modified = there["LastModified"].astimezone(UTC)

    def reading(if_range: str) -> tuple[int, bytes]:
        answer = ask(aws, "GET", f"/{bucket}/k", Range="bytes=1-2", If_Range=if_range)
        return answer.status, answer.body

    assert reading(there["ETag"]) == (206, b"he")
    assert reading(format_datetime(modified, usegmt=True)) == (206, b"he")
    assert reading('"other"') == (200, b"there")
    assert reading(format_datetime(modified - timedelta(seconds=1), usegmt=True)) == (200, b"there")


def test_what_is_unchanged_is_named(s3: Any, bucket: str, there: dict[str, Any]) -> None:
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=there["ETag"])
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["etag"] == there["ETag"]
    assert headers["last-modified"] == there["LastModified"].strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_caches_are_told_how_long_what_is_unchanged_is_good(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    written = s3.put_object(Bucket=bucket, Key="k", CacheControl="max-age=60", Expires="Thu, 01 Jan 2099 00:00:00 GMT")
    answer = ask(aws, "GET", f"/{bucket}/k", If_None_Match=written["ETag"])
    assert (answer.status, answer.body) == (304, b"")
    assert (answer.headers["cache-control"], answer.headers["expires"]) == (
        "max-age=60",
        "Thu, 01 Jan 2099 00:00:00 GMT",
    )
    assert answer.headers["x-amz-version-id"] == written["VersionId"]


def test_writing_only_what_is_not_there(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"first", IfNoneMatch="*")
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"second", IfNoneMatch="*") == _FAILED
    large = b"x" * 2_000_000
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=large, IfNoneMatch="*") == _FAILED
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"", IfNoneMatch='"a"') == ("NotImplemented", 501)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=large, IfNoneMatch="*")


def test_writing_over_what_is_known(s3: Any, bucket: str, there: dict[str, Any]) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch='"other"') == _FAILED
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"new", IfMatch=there["ETag"])
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"x", IfMatch=there["ETag"]) == _FAILED
    assert s3.get_object(Bucket=bucket, Key="k")["ETag"] == written["ETag"]
    assert refused(s3.put_object, Bucket=bucket, Key="no", Body=b"x", IfMatch='"a"') == ("NoSuchKey", 404)


def test_one_of_many_writers_is_the_first(s3: Any, bucket: str) -> None:
    outcomes: list[bytes] = []

    def write(body: bytes) -> None:
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=body, IfNoneMatch="*")
        except s3.exceptions.ClientError:
            return
        outcomes.append(body)

    threads = [threading.Thread(target=write, args=(bytes([number]) * 50_000,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == outcomes[0]


def test_completing_an_upload(s3: Any, bucket: str, there: dict[str, Any]) -> None:
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    upload = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"parts")["ETag"]
    completing = {**upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
    assert refused(s3.complete_multipart_upload, **completing, IfNoneMatch="*") == _FAILED
    assert refused(s3.complete_multipart_upload, **completing, IfMatch='"other"') == _FAILED
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"there"
    s3.complete_multipart_upload(**completing, IfMatch=there["ETag"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"parts"


@pytest.mark.parametrize("condition", ["IfMatch", "IfNoneMatch"])
@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("meanwhile", ["deleted", "replaced", "written and deleted"])
def test_an_upload_whose_key_has_changed_is_to_be_begun_anew(
    s3: Any, bucket: str, meanwhile: str, *, versioned: bool, condition: str
) -> None:
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = meanwhile != "written and deleted"
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["ETag"] if first else '"none"'
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"parts")["ETag"]
    completing = {**upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part}]}}
    if meanwhile != "deleted":
        etag = s3.put_object(Bucket=bucket, Key="k", Body=b"second")["ETag"]
    if meanwhile != "replaced":
        s3.delete_object(Bucket=bucket, Key="k")
    conflict = ("ConditionalRequestConflict", 409)
    asked = {condition: etag if condition == "IfMatch" else "*"}
    assert refused(s3.complete_multipart_upload, **completing, **asked) == conflict
    # Who has no condition has no conflict.
    s3.complete_multipart_upload(**completing)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"parts"


@pytest.mark.parametrize(
    ("headers", "named", "why"),
    [
        ({"If_None_Match": '"a"'}, "If-None-Match", b"the provided value of If-None-Match header"),
        ({"If_Match": '"a"', "If_None_Match": "*"}, "If-Match,If-None-Match", b"Multiple conditional request headers"),
        ({"If_Modified_Since": "Thu, 01 Jan 2026 00:00:00 GMT"}, "If-Modified-Since", b""),
        ({"If_Unmodified_Since": "Thu, 01 Jan 2026 00:00:00 GMT"}, "If-Unmodified-Since", b""),
    ],
)
def test_conditions_that_no_write_has(
    aws: Aws, s3: Any, bucket: str, headers: dict[str, str], named: str, why: bytes
) -> None:
    answer = ask(aws, "PUT", f"/{bucket}/k", b"x", **headers)
    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert f"<Header>{named}</Header>".encode() in answer.body
    assert why in answer.body
    assert (b"<additionalMessage>" in answer.body) is bool(why)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404


def test_the_source_and_the_target_of_a_copy(s3: Any, bucket: str, there: dict[str, Any]) -> None:
    etag, modified = there["ETag"], there["LastModified"]
    before = modified - timedelta(seconds=1)
    copying = {"Bucket": bucket, "Key": "copy", "CopySource": {"Bucket": bucket, "Key": "k"}}
    for failing in (
        {"CopySourceIfMatch": '"other"'},
        {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfModifiedSince": modified},
        {"CopySourceIfUnmodifiedSince": before},
    ):
        assert refused(s3.copy_object, **copying, **failing) == _FAILED
    s3.copy_object(**copying, CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=before, IfNoneMatch="*")
    assert refused(s3.copy_object, **copying, IfNoneMatch="*") == _FAILED
    assert refused(s3.copy_object, **copying, IfMatch='"other"') == _FAILED
    s3.copy_object(**copying, CopySourceIfNoneMatch='"other"', CopySourceIfModifiedSince=modified, IfMatch=etag)


def test_deleting(s3: Any, bucket: str, there: dict[str, Any]) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)

    def deleting(**conditions: Any) -> tuple[str, int]:
        return refused(s3.delete_object, Bucket=bucket, Key="k", **conditions)

    assert deleting(IfMatch='"other"') == _FAILED
    assert deleting(IfMatchSize=4) == _FAILED
    assert deleting(IfMatchLastModifiedTime=long_ago) == _FAILED
    assert refused(s3.delete_object, Bucket=bucket, Key="no", IfMatch="*") == ("NoSuchKey", 404)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": '"other"'}]})
    assert [each["Code"] for each in answer["Errors"]] == ["PreconditionFailed"]
    s3.head_object(Bucket=bucket, Key="k")
    s3.delete_object(
        Bucket=bucket, Key="k", IfMatch=there["ETag"], IfMatchSize=5, IfMatchLastModifiedTime=there["LastModified"]
    )
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": etag, "Size": 1}]})
    assert [each["Key"] for each in answer["Deleted"]] == ["k"]
