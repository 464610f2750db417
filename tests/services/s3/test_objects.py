"""Objects of one piece: writing, reading, ranges, what is kept with them, deleting."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.testing.server import Aws, Server
from tests.in_process import InProcess
from tests.modes import meaningless_in
from tests.services.s3.raw import fetch
from tests.services.s3.strict import refused

_INLINE = 32 << 10


@pytest.mark.parametrize("size", [0, 1, _INLINE, _INLINE + 1, 200_000, (1536 << 10) + 1, 5_000_001])
def test_what_is_written_is_read_again(s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    written = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert written["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    read = s3.get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == data
    assert (read["ETag"], read["ContentLength"], read["AcceptRanges"]) == (written["ETag"], size, "bytes")
    assert read["ContentType"] == "binary/octet-stream"
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ETag"], head["ContentLength"], head["LastModified"]) == (written["ETag"], size, read["LastModified"])
    assert "VersionId" not in head


def test_a_write_replaces_what_was_there(s3: Any, bucket: str) -> None:
    for data in (b"large" * 20_000, b"small", b"", b"large again" * 20_000):
        s3.put_object(Bucket=bucket, Key="k", Body=data)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize(
    "key",
    ["a/b//c", "/leading", "trailing/", "ü ñ 日本 😀", "a+b&c=d?e#f%25;:@", "a..", "a/../b", "\x01\n", "x" * 1024],
)
def test_any_text_is_a_key(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    listed = s3.list_objects_v2(Bucket=bucket, EncodingType="url")["Contents"]
    assert [each["Key"] for each in listed] == [
        quote(key, safe="/") if key != "a+b&c=d?e#f%25;:@" else listed[0]["Key"]
    ]
    s3.delete_object(Bucket=bucket, Key=key)
    assert refused(s3.get_object, Bucket=bucket, Key=key) == ("NoSuchKey", 404)


def test_keys_of_more_than_1024_bytes_are_too_long(s3: Any, bucket: str) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key="ü" * 513, Body=b"") == ("KeyTooLongError", 400)
    too_long = {"Bucket": bucket, "Key": "x" * 1025}
    for call in (s3.create_multipart_upload, s3.get_object, s3.delete_object, s3.get_object_tagging, s3.get_object_acl):
        assert refused(call, **too_long) == ("KeyTooLongError", 400)
    assert refused(s3.head_object, **too_long)[1] == 400
    assert refused(s3.list_parts, **too_long, UploadId="none") == ("KeyTooLongError", 400)
    assert refused(s3.copy_object, Bucket=bucket, Key="k", CopySource=too_long) == ("KeyTooLongError", 400)
    (failed,) = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "x" * 1025}]})["Errors"]
    assert failed["Code"] == "KeyTooLongError"
    assert refused(s3.get_object, Bucket=bucket, Key="ü" * 512) == ("NoSuchKey", 404)


@pytest.mark.parametrize("key", ["..", "../k", "a/../../k", "a/./../../b/c"])
def test_keys_do_not_lead_out_of_their_bucket(s3: Any, bucket: str, key: str) -> None:
    for call in (s3.put_object, s3.get_object, s3.delete_object, s3.create_multipart_upload):
        assert refused(call, Bucket=bucket, Key=key) == ("InvalidURI", 400)


def test_what_is_not_there(s3: Any, bucket: str) -> None:
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    assert refused(s3.head_object, Bucket=bucket, Key="k") == ("404", 404)
    assert refused(s3.get_object_tagging, Bucket=bucket, Key="k") == ("NoSuchKey", 404)
    for call in (s3.get_object, s3.delete_object):
        assert refused(call, Bucket=f"{bucket}-not", Key="k") == ("NoSuchBucket", 404)
    assert refused(s3.put_object, Bucket=f"{bucket}-not", Key="k", Body=b"x" * 3_000_000) == ("NoSuchBucket", 404)
    s3.delete_object(Bucket=bucket, Key="k")


# -- what is kept with an object


def test_headers_and_metadata_are_kept(s3: Any, bucket: str) -> None:
    kept = {
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/plain; charset=utf-8",
        "Metadata": {"colour": "red", "size": "very large"},
        "StorageClass": "STANDARD_IA",
        "WebsiteRedirectLocation": "/elsewhere",
    }
    expires = datetime(2040, 1, 2, 3, 4, 5, tzinfo=UTC)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=expires, **kept)
    for call in (s3.get_object, s3.head_object):
        read = call(Bucket=bucket, Key="k")
        assert {name: read[name] for name in kept} == kept
        assert read["ExpiresString"] == "Mon, 02 Jan 2040 03:04:05 GMT"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    read = s3.head_object(Bucket=bucket, Key="k")
    assert read["Metadata"] == {}
    assert not {"CacheControl", "StorageClass", "WebsiteRedirectLocation"} & read.keys()


def test_a_reader_may_ask_for_other_headers(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain")
    read = s3.get_object(
        Bucket=bucket,
        Key="k",
        ResponseContentType="text/html",
        ResponseContentDisposition="inline",
        ResponseCacheControl="no-store",
    )
    assert (read["ContentType"], read["ContentDisposition"], read["CacheControl"]) == (
        "text/html",
        "inline",
        "no-store",
    )


def test_metadata_of_more_than_2_kib_is_too_large(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2047})
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"", Metadata={"a": "x" * 2048}) == (
        "MetadataTooLarge",
        400,
    )


def test_storage_classes_and_redirects_that_cannot_be(s3: Any, bucket: str) -> None:
    assert refused(s3.put_object, Bucket=bucket, Key="k", StorageClass="COLD") == ("InvalidStorageClass", 400)
    refusal = refused(s3.put_object, Bucket=bucket, Key="k", WebsiteRedirectLocation="nowhere")
    assert refusal == ("InvalidRedirectLocation", 400)


def test_tags(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=two%20words&c=")
    there = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}, {"Key": "c", "Value": ""}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == there
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 3
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": there[:1]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == there[:1]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert "TagCount" not in s3.head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([(str(number), "") for number in range(11)], "BadRequest"),
        ([("a", "1"), ("a", "2")], "InvalidTag"),
        ([("aws:a", "1")], "InvalidTag"),
        ([("k" * 129, "1")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("a*b", "1")], "InvalidTag"),
        ([("k", "<v>")], "InvalidTag"),
    ],
)
def test_tags_that_cannot_be(s3: Any, bucket: str, tags: list[tuple[str, str]], code: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    tag_set = [{"Key": key, "Value": value} for key, value in tags]
    assert refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": tag_set}) == (code, 400)
    header = "&".join(f"{key}={value}" for key, value in tags)
    expected = "InvalidArgument" if len({key for key, _ in tags}) < len(tags) else code
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"y", Tagging=header) == (expected, 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Body=b"y", Tagging="a=1,b=2") == ("InvalidArgument", 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


# -- ranges


@pytest.mark.parametrize("size", [1000, 300_000])
def test_ranges(s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    for asked, start, end in [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=990-", 990, size),
        (f"bytes=10-{size * 2}", 10, size),
        ("bytes=-7", size - 7, size),
        (f"bytes=-{size * 2}", 0, size),
    ]:
        read = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert read["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert read["ContentRange"] == f"bytes {start}-{end - 1}/{size}"
        assert (read["ContentLength"], read["Body"].read()) == (end - start, data[start:end])
        assert s3.head_object(Bucket=bucket, Key="k", Range=asked)["ContentLength"] == end - start
    for ignored in ("bytes=5-3", "lines=1-2", "bytes=0-1,5-6", "bytes=-"):
        read = s3.get_object(Bucket=bucket, Key="k", Range=ignored)
        assert (read["ResponseMetadata"]["HTTPStatusCode"], read["Body"].read()) == (200, data)
    for beyond in (f"bytes={size}-", "bytes=-0"):
        assert refused(s3.get_object, Bucket=bucket, Key="k", Range=beyond) == ("InvalidRange", 416)


def test_a_range_of_all_has_the_checksum_of_all(s3: Any, bucket: str) -> None:
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    asked = {"Bucket": bucket, "Key": "k", "ChecksumMode": "ENABLED"}
    for whole in ({"Range": "bytes=0-"}, {"Range": "bytes=0-4"}, {"Range": "bytes=-9"}, {"PartNumber": 1}):
        assert s3.get_object(**asked, **whole)["ChecksumSHA256"] == written["ChecksumSHA256"]
    assert "ChecksumSHA256" not in s3.get_object(**asked, Range="bytes=0-3")


def test_an_empty_object_has_no_range(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=0-") == ("InvalidRange", 416)
    assert refused(s3.get_object, Bucket=bucket, Key="k", Range="bytes=-1") == ("InvalidRange", 416)


def test_an_object_of_one_piece_is_its_first_part(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    read = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert (read["Body"].read(), read["ContentRange"]) == (b"hello", "bytes 0-4/5")
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=2) == ("InvalidPartNumber", 416)
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=0)[1] == 400
    assert refused(s3.get_object, Bucket=bucket, Key="k", PartNumber=1, Range="bytes=0-1") == ("InvalidRequest", 400)


# -- attributes


def test_attributes(s3: Any, bucket: str) -> None:
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    names = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=names)
    assert (told["ETag"], told["ObjectSize"], told["StorageClass"]) == (written["ETag"].strip('"'), 5, "STANDARD")
    assert told["Checksum"] == {"ChecksumSHA256": written["ChecksumSHA256"], "ChecksumType": "FULL_OBJECT"}
    assert "ObjectParts" not in told
    told = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert (told["ObjectSize"], "ETag" in told, "Checksum" in told) == (5, False, False)
    assert refused(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=["Weight"])[1] == 400
    assert refused(s3.get_object_attributes, Bucket=bucket, Key="no", ObjectAttributes=["ETag"]) == ("NoSuchKey", 404)


# -- deleting many


def test_deleting_many(s3: Any, bucket: str) -> None:
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode() * 40_000)
    named = [{"Key": "a"}, {"Key": "b"}, {"Key": "not-there"}, {"Key": "x" * 1025}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    assert [each["Key"] for each in answer["Deleted"]] == ["a", "b", "not-there"]
    assert [(each["Key"], each["Code"]) for each in answer["Errors"]] == [("x" * 1025, "KeyTooLongError")]
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "c"}], "Quiet": True})
    assert not {"Deleted", "Errors"} & quiet.keys()
    many = {"Objects": [{"Key": str(number)} for number in range(1001)]}
    assert refused(s3.delete_objects, Bucket=bucket, Delete=many) == ("MalformedXML", 400)


def test_deleting_with_mfa_is_refused_in_so_many_words(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(s3.delete_object, Bucket=bucket, Key="k", MFA="serial 123456") == ("NotImplemented", 501)
    s3.get_object(Bucket=bucket, Key="k")


# -- archives


def test_an_archived_object_is_restored_before_it_is_read(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"cold", StorageClass="GLACIER")
    assert s3.head_object(Bucket=bucket, Key="k")["StorageClass"] == "GLACIER"
    assert refused(s3.get_object, Bucket=bucket, Key="k") == ("InvalidObjectState", 403)
    source = {"Bucket": bucket, "Key": "k"}
    assert refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source) == ("ObjectNotInActiveTierError", 403)
    wanted = {"Days": 2, "GlacierJobParameters": {"Tier": "Expedited"}}
    answer = s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=wanted)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert s3.head_object(Bucket=bucket, Key="k")["Restore"] == 'ongoing-request="true"'
    again = refused(s3.restore_object, Bucket=bucket, Key="k", RestoreRequest=wanted)
    assert again == ("RestoreAlreadyInProgress", 409)
    s3.put_object(Bucket=bucket, Key="warm", Body=b"x")
    assert refused(s3.restore_object, Bucket=bucket, Key="warm", RestoreRequest=wanted) == ("InvalidObjectState", 403)


def test_objects_are_never_held_in_memory() -> None:
    """Many large bodies at once, in and out, and the server stays small."""
    size, count = 48 << 20, 6
    with Server.start("--ephemeral") as server:
        assert server.process is not None
        status = Path(f"/proc/{server.process.pid}/status")
        s3 = Aws(server.endpoint, "111111111111").client("s3")
        s3.create_bucket(Bucket="large")
        data = os.urandom(size)

        def there_and_back(key: str) -> None:
            s3.put_object(Bucket="large", Key=key, Body=data)
            body = s3.get_object(Bucket="large", Key=key)["Body"]
            assert hashlib.file_digest(body, "md5").digest() == hashlib.md5(data).digest()

        threads = [threading.Thread(target=there_and_back, args=(str(number),)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert s3.list_objects_v2(Bucket="large")["KeyCount"] == count
        peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    assert peak < 200 << 10, f"{peak} KiB were resident at its peak"


@meaningless_in("strict", because="there, nothing can be added to what was signed")
def test_a_presigned_url_has_metadata_in_its_query(s3: Any, bucket: str) -> None:
    """So boto3 makes them by default, and the SDK for JavaScript (aws-sdk-ruby #1808, aws-sdk-js-v3 #4694)."""
    metadata = {"colour": "deep blue", "place": "caf%C3%A9"}
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k", "Metadata": metadata})
    assert "x-amz-meta-colour=deep%20blue" in url
    assert fetch(f"{url}&x-amz-meta-town=K%C3%B6ln", "PUT", b"x").status == 200
    answer = fetch(s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}))
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-amz-meta-")}
    assert told == {
        "x-amz-meta-colour": "deep blue",
        "x-amz-meta-place": "caf%C3%A9",
        "x-amz-meta-town": "Köln".encode().decode("latin-1"),
    }


def test_others_have_their_turn_within_a_large_deletion(tmp_path: Path) -> None:
    local = InProcess(Config(data=tmp_path, durable=False))

    async def call(operation: str, **params: Any) -> Any:
        owner = root("111111111111")
        asked = {"Bucket": "large-deletion", **params}
        return await local.cloud.call(
            "s3", operation, asked, principal=owner, account=owner.account, region="us-east-1"
        )

    names = [str(number) for number in range(800)]

    async def counts_while_deleting() -> set[int]:
        await call("CreateBucket")
        for name in names:
            await call("PutObject", Key=name, Body=b"x")
        deleting = asyncio.ensure_future(call("DeleteObjects", Delete={"Objects": [{"Key": name} for name in names]}))
        counts = set()
        while not deleting.done():
            counts.add((await call("ListObjectsV2"))["KeyCount"])
            await asyncio.sleep(0)
        assert [each["Key"] for each in (await deleting)["Deleted"]] == names
        return counts

    try:
        assert len(local.run(counts_while_deleting()) - {0, len(names)}) > 1
    finally:
        local.close()
