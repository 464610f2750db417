"""CopyObject in its forms."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.s3.raw import ask
from tests.services.s3.strict import refused

_PART = 5 << 20


@pytest.mark.parametrize("size", [0, 100, 100_000, 2_000_000])
def test_a_copy_is_an_object_of_its_own(s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    written = s3.put_object(Bucket=bucket, Key="k", Body=data)
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert copied["CopyObjectResult"]["ETag"] == written["ETag"]
    assert copied["CopyObjectResult"]["ChecksumCRC32"] == written["ChecksumCRC32"]
    s3.delete_object(Bucket=bucket, Key="k")
    read = s3.get_object(Bucket=bucket, Key="copy")
    assert (read["Body"].read(), read["LastModified"]) == (data, copied["CopyObjectResult"]["LastModified"])


def test_a_copy_to_another_bucket_of_another_region(aws: Aws, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b+ü/c?", Body=b"x" * 50_000)
    other = f"{bucket}-eu"
    elsewhere = Aws(aws.endpoint, aws.account, "eu-west-1").client("s3")
    elsewhere.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    elsewhere.copy_object(Bucket=other, Key="copy", CopySource={"Bucket": bucket, "Key": "a b+ü/c?"})
    assert elsewhere.get_object(Bucket=other, Key="copy")["Body"].read() == b"x" * 50_000


def test_what_is_said_of_the_content_is_copied_or_replaced(s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"x",
        ContentType="text/plain",
        CacheControl="no-cache",
        Metadata={"a": "1"},
        Tagging="t=1",
        StorageClass="STANDARD_IA",
        WebsiteRedirectLocation="/x",
    )
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, ContentType="ignored/while-copying")
    copy = s3.head_object(Bucket=bucket, Key="copy")
    assert (copy["ContentType"], copy["CacheControl"], copy["Metadata"]) == ("text/plain", "no-cache", {"a": "1"})
    assert copy["TagCount"] == 1
    # These are each object's own.
    assert not {"StorageClass", "WebsiteRedirectLocation"} & copy.keys()
    s3.copy_object(
        Bucket=bucket,
        Key="copy",
        CopySource=source,
        MetadataDirective="REPLACE",
        ContentType="text/html",
        Metadata={"b": "2"},
        TaggingDirective="REPLACE",
        Tagging="u=1&v=2",
        StorageClass="GLACIER_IR",
    )
    copy = s3.head_object(Bucket=bucket, Key="copy")
    assert (copy["ContentType"], copy["Metadata"], copy["StorageClass"]) == ("text/html", {"b": "2"}, "GLACIER_IR")
    assert "CacheControl" not in copy
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [
        {"Key": "u", "Value": "1"},
        {"Key": "v", "Value": "2"},
    ]


def test_a_copy_onto_itself_changes_something(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 50_000, Metadata={"a": "1"})
    onto_itself = {"Bucket": bucket, "Key": "k", "CopySource": {"Bucket": bucket, "Key": "k"}}
    assert refused(s3.copy_object, **onto_itself) == ("InvalidRequest", 400)
    s3.copy_object(**onto_itself, MetadataDirective="REPLACE", Metadata={"b": "2"})
    read = s3.get_object(Bucket=bucket, Key="k")
    assert (read["Metadata"], read["Body"].read()) == ({"b": "2"}, b"x" * 50_000)
    s3.copy_object(**onto_itself, StorageClass="STANDARD_IA")
    assert s3.head_object(Bucket=bucket, Key="k")["StorageClass"] == "STANDARD_IA"
    s3.copy_object(**onto_itself, ServerSideEncryption="AES256")
    default = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=default)
    s3.copy_object(**onto_itself)


def test_a_version_is_copied_by_its_id(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"new")["VersionId"]
    source = {"Bucket": bucket, "Key": "k"}
    copied = s3.copy_object(Bucket=bucket, Key="k", CopySource={**source, "VersionId": old})
    assert copied["CopySourceVersionId"] == old
    assert copied["VersionId"] not in (old, new)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource=source) == ("NoSuchKey", 404)
    marked = {**source, "VersionId": marker}
    assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource=marked) == ("InvalidRequest", 400)


def test_a_copy_gets_another_checksum_where_one_is_asked_for(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    source = {"Bucket": bucket, "Key": "k"}
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, ChecksumAlgorithm="SHA256")
    expected = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    assert copied["CopyObjectResult"]["ChecksumSHA256"] == expected
    head = s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (expected, "FULL_OBJECT")


def test_the_copy_of_an_object_in_parts_is_of_one_piece(s3: Any, bucket: str) -> None:
    parts = [os.urandom(_PART), b"end"]
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    upload = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    listed = [
        {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    whole = b"".join(parts)
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(whole).hexdigest()}"'
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == whole


def test_sources_that_there_are_not(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")

    def copying(source: Any) -> tuple[str, int]:
        return refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source)

    assert copying({"Bucket": bucket, "Key": "no"}) == ("NoSuchKey", 404)
    assert copying({"Bucket": f"{bucket}-no", "Key": "k"}) == ("NoSuchBucket", 404)
    assert copying("nothing-but-a-bucket") == ("InvalidArgument", 400)
    source = f"{bucket}/k"
    refusal = refused(s3.copy_object, Bucket=bucket, Key="copy", CopySource=source, MetadataDirective="KEEP")
    assert refusal == ("InvalidArgument", 400)
    wrong_owner = {"ExpectedSourceBucketOwner": "999999999999"}
    assert refused(s3.copy_object, Bucket=bucket, Key="c", CopySource=source, **wrong_owner) == ("AccessDenied", 403)
    no_bucket = f"none-{secrets.token_hex(8)}"
    assert refused(s3.copy_object, Bucket=no_bucket, Key="c", CopySource=source) == ("NoSuchBucket", 404)


def test_a_copy_source_may_begin_with_a_slash(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a+b c", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"/{bucket}/a+b c")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"x"


def test_a_copy_source_may_be_encoded_whole(aws: Aws, s3: Any, bucket: str) -> None:
    """As AWS's examples for Java do, with URLEncoder."""
    s3.put_object(Bucket=bucket, Key="a/é", Body=b"x")
    answer = ask(aws, "PUT", f"/{bucket}/copy", x_amz_copy_source=f"{bucket}%2Fa%2F%C3%A9", Content_Length="0")
    assert answer.status == 200
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"x"
