"""Multipart uploads: parts that become one object."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.own_work import bucket as new_bucket
from tests.services.s3.raw import ask
from tests.services.s3.strict import refused
from tests.standing import Standing, eventually

_PART = 5 << 20
_BIG = os.urandom(_PART)


def _etag(*parts: bytes) -> str:
    """The entity tag of an object in parts, as S3 computes it."""
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(parts)}"'


def _begin(s3: Any, bucket: str, **more: Any) -> dict[str, str]:
    """Begin an upload; return what names it."""
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k", **more)["UploadId"]
    return {"Bucket": bucket, "Key": "k", "UploadId": upload_id}


def _upload(s3: Any, upload: dict[str, str], parts: Sequence[bytes], first: int = 1) -> dict[str, Any]:
    """Upload parts; return the MultipartUpload that completes it."""
    listed = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, first)
    ]
    return {"Parts": listed}


def test_parts_become_an_object(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket, ContentType="text/plain", Metadata={"a": "b"}, Tagging="t=1")
    parts = (_BIG, _BIG[::-1], b"the end")
    listed = _upload(s3, upload, parts)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404
    done = s3.complete_multipart_upload(**upload, MultipartUpload=listed)
    assert (done["ETag"], done["Bucket"], done["Key"]) == (_etag(*parts), bucket, "k")
    read = s3.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == b"".join(parts)
    assert (read["ETag"], read["ContentType"], read["Metadata"]) == (done["ETag"], "text/plain", {"a": "b"})
    assert read["TagCount"] == 1
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_an_object_in_parts_is_read_by_ranges_and_by_parts(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    parts = {2: _BIG, 5: _BIG[::-1], 9: b"the end"}
    listed = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in parts.items()
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
    whole = b"".join(parts.values())
    for start, end in ((0, 10), (_PART - 5, _PART + 5), (_PART * 2 - 3, len(whole)), (7, len(whole) - 1)):
        read = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={start}-{end - 1}")
        assert read["Body"].read() == whole[start:end]
    begin = 0
    for number, part in parts.items():
        read = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert read["Body"].read() == part
        assert read["PartsCount"] == 3
        assert read["ContentRange"] == f"bytes {begin}-{begin + len(part) - 1}/{len(whole)}"
        head = s3.head_object(Bucket=bucket, Key="k", PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (len(part), 3)
        begin += len(part)
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=1) == ("InvalidPartNumber", 416)
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts", "ObjectSize"])
    assert (told["ObjectParts"], told["ObjectSize"]) == ({"TotalPartsCount": 3}, len(whole))


def test_parts_with_checksums_of_their_own_are_told_page_by_page(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket, ChecksumAlgorithm="SHA256")
    parts = {1: _BIG, 2: _BIG[::-1], 3: b"the end"}
    listed = []
    for number, part in parts.items():
        sent = s3.upload_part(**upload, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256")
        listed.append({"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
    asked = {"Bucket": bucket, "Key": "k", "ObjectAttributes": ["ObjectParts"]}
    shown = s3.get_object_attributes(**asked, MaxParts=2)["ObjectParts"]
    assert (shown["TotalPartsCount"], shown["IsTruncated"], shown["NextPartNumberMarker"]) == (3, True, 2)
    assert [(each["PartNumber"], each["Size"]) for each in shown["Parts"]] == [(1, _PART), (2, _PART)]
    shown = s3.get_object_attributes(**asked, PartNumberMarker=2)["ObjectParts"]
    assert [each["PartNumber"] for each in shown["Parts"]] == [3]
    assert refused(s3.get_object_attributes, **asked, PartNumberMarker=-1) == ("InvalidArgument", 400)


def test_parts_may_come_at_once_in_any_order(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    parts = [bytes([number]) * _PART for number in range(6)]
    etags: dict[int, str] = {}

    def send(number: int) -> None:
        etags[number] = s3.upload_part(**upload, PartNumber=number + 1, Body=parts[number])["ETag"]

    threads = [threading.Thread(target=send, args=(number,)) for number in reversed(range(6))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed = [{"PartNumber": number + 1, "ETag": etags[number]} for number in range(6)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(parts)


def test_a_part_replaces_the_one_of_its_number(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    before = _upload(s3, upload, [b"before"])
    after = _upload(s3, upload, [b"after"])
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload=before) == ("InvalidPart", 400)
    s3.complete_multipart_upload(**upload, MultipartUpload=after)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"after"


def test_only_the_parts_that_are_listed_become_the_object(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    listed = _upload(s3, upload, [_BIG, _BIG[::-1], b"c"])["Parts"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [listed[0], listed[2]]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == _BIG + b"c"


def test_a_completion_that_was_not_heard_of_is_asked_for_again(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    listed = _upload(s3, upload, [b"x"])
    first = s3.complete_multipart_upload(**upload, MultipartUpload=listed)
    again = s3.complete_multipart_upload(**upload, MultipartUpload=listed)
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    others = {"Parts": [{"PartNumber": 2, "ETag": listed["Parts"][0]["ETag"]}]}
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload=others) == ("NoSuchUpload", 404)
    s3.put_object(Bucket=bucket, Key="k", Body=b"another")
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload=listed) == ("NoSuchUpload", 404)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"another"


def test_what_cannot_be_completed(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    listed = _upload(s3, upload, [b"small", b"last"])["Parts"]

    def completing(*parts: dict[str, Any], **more: Any) -> tuple[str, int]:
        return refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": list(parts)}, **more)

    assert completing(*listed) == ("EntityTooSmall", 400)
    assert completing(*reversed(listed)) == ("InvalidPartOrder", 400)
    assert completing(listed[0], listed[0]) == ("InvalidPartOrder", 400)
    assert completing() == ("MalformedXML", 400)
    assert completing({"PartNumber": 3, "ETag": listed[0]["ETag"]}) == ("InvalidPart", 400)
    assert completing({"PartNumber": 1, "ETag": listed[1]["ETag"]}) == ("InvalidPart", 400)
    assert completing(listed[0], MpuObjectSize=6) == ("InvalidRequest", 400)
    assert refused(s3.head_object, Bucket=bucket, Key="k")[1] == 404
    assert len(s3.list_parts(**upload)["Parts"]) == 2
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed[:1]}, MpuObjectSize=5)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_parts_with_checksums_of_their_own_are_numbered_without_gaps(s3: Any, bucket: str, kind: str) -> None:
    upload = _begin(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType=kind)

    def listed(number: int, data: bytes) -> dict[str, Any]:
        part = s3.upload_part(**upload, PartNumber=number, Body=data, ChecksumAlgorithm="CRC32")
        return {"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}

    first, second, third = listed(1, _BIG), listed(2, b"second"), listed(3, b"third")
    if kind == "COMPOSITE":
        for parts in ([first, third], [second]):
            completing = {**upload, "MultipartUpload": {"Parts": parts}}
            assert refused(s3.complete_multipart_upload, **completing) == ("InvalidPartOrder", 400)
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [first, second]})
    else:
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [first, third]})


def test_a_part_may_be_empty(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    s3.complete_multipart_upload(**upload, MultipartUpload=_upload(s3, upload, [b""]))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b""
    read = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert (read["Body"].read(), read["PartsCount"], read["ContentLength"]) == (b"", 1, 0)
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert found == {"TotalPartsCount": 1}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b""
    s3.delete_object(Bucket=bucket, Key="k")
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=1) == ("NoSuchKey", 404)


def test_uploads_and_part_numbers_that_there_are_not(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    for number in (0, 10_001, -1):
        assert refused(s3.upload_part, **upload, PartNumber=number, Body=b"x") == ("InvalidArgument", 400)
    nowhere = {**upload, "UploadId": "nothing"}
    assert refused(s3.upload_part, **nowhere, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)
    assert refused(s3.upload_part, **{**upload, "Key": "other"}, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)
    assert refused(s3.list_parts, **nowhere) == ("NoSuchUpload", 404)
    assert refused(s3.abort_multipart_upload, **nowhere) == ("NoSuchUpload", 404)
    parts = {"Parts": [{"PartNumber": 1, "ETag": "x"}]}
    assert refused(s3.complete_multipart_upload, **nowhere, MultipartUpload=parts) == ("NoSuchUpload", 404)


def test_an_aborted_upload_is_gone(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    listed = _upload(s3, upload, [b"x"])
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert refused(s3.abort_multipart_upload, **upload, IfMatchInitiatedTime=long_ago) == ("PreconditionFailed", 412)
    s3.abort_multipart_upload(**upload)
    assert refused(s3.upload_part, **upload, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)
    assert refused(s3.complete_multipart_upload, **upload, MultipartUpload=listed) == ("NoSuchUpload", 404)
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_parts_are_listed_page_by_page(s3: Any, bucket: str) -> None:
    upload = _begin(s3, bucket)
    _upload(s3, upload, [bytes([number]) for number in range(5)])
    page = s3.list_parts(**upload, MaxParts=2)
    assert [(each["PartNumber"], each["Size"]) for each in page["Parts"]] == [(1, 1), (2, 1)]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]) == (True, 2, 2)
    assert page["StorageClass"] == "STANDARD"
    assert page["Owner"] == {"ID": page["Initiator"]["ID"]}
    assert refused(s3.list_parts, **upload, PartNumberMarker=-2) == ("InvalidArgument", 400)
    pages = s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2})
    listed = [each for page in pages for each in page["Parts"]]
    assert [each["PartNumber"] for each in listed] == [1, 2, 3, 4, 5]
    assert listed[0]["ETag"] == f'"{hashlib.md5(bytes([0])).hexdigest()}"'


def test_uploads_are_listed_page_by_page(s3: Any, bucket: str) -> None:
    keys = ["a/1", "a/2", *["b"] * 20, "c"]
    begun = [(key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]) for key in keys]
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    assert [(each["Key"], each["UploadId"]) for page in pages for each in page["Uploads"]] == begun
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [each["Prefix"] for each in page["CommonPrefixes"]] == ["a/"]
    assert [each["Key"] for each in page["Uploads"]] == keys[2:]
    page = s3.list_multipart_uploads(Bucket=bucket, Prefix="a/")
    assert [each["Key"] for each in page["Uploads"]] == ["a/1", "a/2"]


def test_a_bucket_is_deleted_with_the_uploads_under_way(s3: Any, bucket: str) -> None:
    _upload(s3, _begin(s3, bucket), [b"x"])
    s3.delete_bucket(Bucket=bucket)


# -- parts of objects that are there


def test_parts_are_copied_from_objects(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=_BIG + b"tail")
    upload = _begin(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    whole = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)
    some = s3.upload_part_copy(**upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=100-199")
    assert some["CopyPartResult"]["ETag"] == f'"{hashlib.md5(_BIG[100:200]).hexdigest()}"'
    listed = [
        {"PartNumber": number, "ETag": each["CopyPartResult"]["ETag"]} for number, each in enumerate((whole, some), 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == _BIG + b"tail" + _BIG[100:200]


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ("bytes=0-", ("InvalidArgument", 400)),
        ("bytes=5-3", ("InvalidArgument", 400)),
        ("0-3", ("InvalidArgument", 400)),
        ("bytes=0-5", ("InvalidArgument", 400)),
        ("bytes=5-9", ("InvalidRange", 416)),
    ],
)
def test_ranges_of_a_source_that_cannot_be(s3: Any, bucket: str, asked: str, refusal: tuple[str, int]) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"12345")
    upload = _begin(s3, bucket)
    source = {"Bucket": bucket, "Key": "source"}
    assert refused(s3.upload_part_copy, **upload, PartNumber=1, CopySource=source, CopySourceRange=asked) == refusal
    assert refused(s3.upload_part_copy, **upload, PartNumber=1, CopySource={**source, "Key": "no"}) == (
        "NoSuchKey",
        404,
    )
    assert "Parts" not in s3.list_parts(**upload)


def test_boto3_uploads_and_downloads_large_files_in_parts(s3: Any, bucket: str, tmp_path: Any) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(_BIG * 3 + b"end")
    s3.upload_file(str(there), bucket, "k")
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"].endswith('-2"')
    s3.download_file(bucket, "k", str(back))
    assert back.read_bytes() == there.read_bytes()
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == there.read_bytes()


# -- as time goes by


def test_for_a_day_a_completion_may_be_asked_for_again(standing: Standing) -> None:
    s3 = standing.account().client("s3")
    bucket = new_bucket(s3)
    upload = _begin(s3, bucket)
    completing = {**upload, "MultipartUpload": _upload(s3, upload, [b"x"])}
    done = s3.complete_multipart_upload(**completing)
    standing.advance("23h")
    assert s3.complete_multipart_upload(**completing)["ETag"] == done["ETag"]
    standing.advance("2h")

    def again() -> Any:
        try:
            return s3.complete_multipart_upload(**completing)
        except s3.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    eventually(again, lambda answer: answer == "NoSuchUpload")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_what_is_not_quite_a_part_takes_no_objects_place(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"there")
    s3.put_object(Bucket=bucket, Key="other", Body=b"other")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for source in ({}, {"x_amz_copy_source": f"{bucket}/other"}):
        without_number = ask(aws, "PUT", f"/{bucket}/k?uploadId={upload}", b"x", **source)
        assert (without_number.status, without_number.code) == (405, "MethodNotAllowed")
        assert b"<Method>PUT</Method><ResourceType>UPLOAD</ResourceType>" in without_number.body
        without_upload = ask(aws, "PUT", f"/{bucket}/k?partNumber=1", b"x", **source)
        assert (without_upload.status, without_upload.code) == (400, "InvalidArgument")
        assert b"This operation does not accept partNumber without uploadId" in without_upload.body
    no_number = ask(aws, "PUT", f"/{bucket}/k?partNumber=one&uploadId={upload}", b"x")
    assert (no_number.status, no_number.code) == (400, "InvalidArgument")
    assert b"Part number must be an integer between 1 and 10000, inclusive" in no_number.body
    nothing = ask(aws, "POST", f"/{bucket}/k", b"x")
    assert (nothing.status, nothing.code) == (405, "MethodNotAllowed")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"there"
