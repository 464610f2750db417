"""Versions of objects and delete markers. User guide, "How S3 Versioning works"."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.s3.strict import refused


def _set(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """A bucket with versioning."""
    _set(s3, bucket, "Enabled")
    return bucket


def _put(s3: Any, bucket: str, body: bytes, key: str = "k") -> str:
    version: str = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    return version


def _versions(s3: Any, bucket: str) -> list[tuple[str, str, bool]]:
    """Return keys, version ids and whether each is a delete marker, as they are listed."""
    listed = s3.list_object_versions(Bucket=bucket)
    markers = {(each["Key"], each["VersionId"]) for each in listed.get("DeleteMarkers", [])}
    both = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
    both.sort(key=lambda each: (each["Key"], not each["IsLatest"]))
    return [(each["Key"], each["VersionId"], (each["Key"], each["VersionId"]) in markers) for each in both]


@pytest.mark.parametrize("size", [10, 100_000])
def test_each_write_is_a_version(s3: Any, versioned: str, size: int) -> None:
    bodies = [bytes([number]) * size for number in range(3)]
    ids = [_put(s3, versioned, body) for body in bodies]
    assert len(set(ids)) == 3
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == bodies[2]
    for version, body in zip(ids, bodies, strict=True):
        read = s3.get_object(Bucket=versioned, Key="k", VersionId=version)
        assert (read["Body"].read(), read["VersionId"]) == (body, version)
    listed = s3.list_object_versions(Bucket=versioned)["Versions"]
    assert [each["VersionId"] for each in listed] == ids[::-1]
    assert [each["IsLatest"] for each in listed] == [True, False, False]


def test_a_delete_leaves_a_marker_behind(s3: Any, versioned: str) -> None:
    version = _put(s3, versioned, b"x")
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert deleted["DeleteMarker"] is True
    marker = deleted["VersionId"]
    assert refused(s3.get_object, Bucket=versioned, Key="k") == ("NoSuchKey", 404)
    assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId=marker) == ("MethodNotAllowed", 405)
    assert s3.list_objects_v2(Bucket=versioned)["KeyCount"] == 0
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=version)["Body"].read() == b"x"
    undone = s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    assert (undone["DeleteMarker"], undone["VersionId"]) == (True, marker)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"x"


def test_the_answer_about_a_deleted_object_says_so(s3: Any, versioned: str) -> None:
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.get_object(Bucket=versioned, Key="k")
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    assert "last-modified" not in headers
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.head_object(Bucket=versioned, Key="k", VersionId=marker)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    listed = s3.list_object_versions(Bucket=versioned)["DeleteMarkers"][0]["LastModified"]
    assert headers["last-modified"] == listed.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert headers["allow"] == "DELETE"


def test_a_version_is_deleted_for_good(s3: Any, versioned: str) -> None:
    first, second = _put(s3, versioned, b"1"), _put(s3, versioned, b"2")
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"
    assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId=second) == ("NoSuchVersion", 404)
    assert s3.delete_object(Bucket=versioned, Key="k", VersionId=second)["VersionId"] == second
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    assert _versions(s3, versioned) == []
    assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId="no-version") == ("InvalidArgument", 400)


def test_what_was_there_before_versioning_is_the_null_version(s3: Any, bucket: str) -> None:
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    _set(s3, bucket, "Enabled")
    version = _put(s3, bucket, b"after")
    read = s3.get_object(Bucket=bucket, Key="k", VersionId="null")
    assert (read["Body"].read(), read["VersionId"]) == (b"before", "null")
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert _versions(s3, bucket) == [("k", version, False)]


def test_while_suspended_the_null_version_is_overwritten(s3: Any, versioned: str) -> None:
    kept = _put(s3, versioned, b"kept")
    _set(s3, versioned, "Suspended")
    for body in (b"one", b"two"):
        assert "VersionId" not in s3.put_object(Bucket=versioned, Key="k", Body=body)
    read = s3.get_object(Bucket=versioned, Key="k")
    assert (read["Body"].read(), read["VersionId"]) == (b"two", "null")
    assert _versions(s3, versioned) == [("k", "null", False), ("k", kept, False)]
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert _versions(s3, versioned) == [("k", "null", True), ("k", kept, False)]
    _set(s3, versioned, "Enabled")
    newest = _put(s3, versioned, b"newest")
    assert _versions(s3, versioned)[0] == ("k", newest, False)
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=kept)["Body"].read() == b"kept"


def test_versions_have_tags_of_their_own(s3: Any, versioned: str) -> None:
    first, second = _put(s3, versioned, b"1"), _put(s3, versioned, b"2")
    tags = [{"Key": "a", "Value": "1"}]
    answer = s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=first, Tagging={"TagSet": tags})
    assert answer["VersionId"] == first
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == []
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == tags
    assert s3.get_object_attributes(Bucket=versioned, Key="k", ObjectAttributes=["ETag"])["VersionId"] == second


def test_many_versions_and_markers_are_deleted_at_once(s3: Any, versioned: str) -> None:
    first, second = _put(s3, versioned, b"1"), _put(s3, versioned, b"2")
    answer = s3.delete_objects(
        Bucket=versioned, Delete={"Objects": [{"Key": "k", "VersionId": first}, {"Key": "k"}, {"Key": "new"}]}
    )
    by_version, marked, new = answer["Deleted"]
    assert by_version == {"Key": "k", "VersionId": first}
    assert (marked["DeleteMarker"], new["DeleteMarker"]) == (True, True)
    marker = marked["DeleteMarkerVersionId"]
    assert sorted(_versions(s3, versioned)) == sorted(
        [("k", marker, True), ("k", second, False), ("new", new["DeleteMarkerVersionId"], True)]
    )
    answer = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "k", "VersionId": marker}]})
    (removed,) = answer["Deleted"]
    assert (removed["DeleteMarker"], removed["DeleteMarkerVersionId"]) == (True, marker)
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"2"


def test_an_upload_in_parts_is_a_version(s3: Any, versioned: str) -> None:
    before = _put(s3, versioned, b"before")
    upload_id = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    upload = {"Bucket": versioned, "Key": "k", "UploadId": upload_id}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"after")["ETag"]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=done["VersionId"])["Body"].read() == b"after"
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=before)["Body"].read() == b"before"


def test_a_bucket_with_versions_is_not_empty(s3: Any, versioned: str) -> None:
    version = _put(s3, versioned, b"x")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert refused(s3.delete_bucket, Bucket=versioned) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
    assert refused(s3.delete_bucket, Bucket=versioned) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=versioned)
