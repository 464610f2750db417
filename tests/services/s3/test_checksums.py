"""Checksums: verified, kept, shown. User guide, "Checking object integrity"."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import pytest
from awscrt import checksums as crt
from botocore.config import Config

from cloudlet.testing.server import Aws
from tests.modes import meaningless_in
from tests.services.s3.raw import ask
from tests.services.s3.strict import refused

_PART = 5 << 20


def _crc(function: Callable[[bytes], int], size: int) -> Callable[[bytes], bytes]:
    return lambda data: function(data).to_bytes(size, "big")


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": _crc(zlib.crc32, 4),
    "CRC32C": _crc(crt.crc32c, 4),
    "CRC64NVME": _crc(crt.crc64nvme, 8),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}
_CRCS = ("CRC32", "CRC32C", "CRC64NVME")


def _sum(algorithm: str, data: bytes) -> str:
    return base64.b64encode(_DIGESTS[algorithm](data)).decode()


def _shown(answer: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in answer.items() if name.startswith("Checksum")}


def _as(algorithm: str, data: bytes) -> dict[str, str]:
    return {f"Checksum{algorithm}": _sum(algorithm, data), "ChecksumType": "FULL_OBJECT"}


@pytest.fixture
def plain(aws: Aws) -> Any:
    """A client that adds no checksums by itself."""
    config = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
    return aws.client("s3", config=config)


@pytest.mark.parametrize("size", [100, 100_000, 2_000_000])
@pytest.mark.parametrize("algorithm", _DIGESTS)
def test_a_checksum_is_verified_kept_and_shown(plain: Any, bucket: str, algorithm: str, size: int) -> None:
    data = os.urandom(size)
    right, wrong = _sum(algorithm, data), _sum(algorithm, data + b"x")
    written = plain.put_object(Bucket=bucket, Key="k", Body=data, **{f"Checksum{algorithm}": right})
    assert _shown(written) == _as(algorithm, data)
    for call in (plain.get_object, plain.head_object):
        assert _shown(call(Bucket=bucket, Key="k", ChecksumMode="ENABLED")) == _as(algorithm, data)
        assert _shown(call(Bucket=bucket, Key="k")) == {}
    refusal = refused(plain.put_object, Bucket=bucket, Key="k", Body=data, **{f"Checksum{algorithm}": wrong})
    assert refusal == ("BadDigest", 400)
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_an_object_without_a_checksum_gets_one(plain: Any, bucket: str) -> None:
    assert _shown(plain.put_object(Bucket=bucket, Key="k", Body=b"hello")) == _as("CRC64NVME", b"hello")
    told = plain.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum"])
    assert told["Checksum"] == _as("CRC64NVME", b"hello")


def test_the_mode_may_be_in_small_letters(plain: Any, bucket: str) -> None:
    """So the SDK for C++ sends it."""
    written = plain.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    read = plain.head_object(Bucket=bucket, Key="k", ChecksumMode="enabled")
    assert read["ChecksumSHA256"] == written["ChecksumSHA256"]


@meaningless_in("strict", because="there, nothing can be added to what was signed")
def test_the_query_of_a_presigned_url_has_no_checksums(plain: Any, bucket: str) -> None:
    """So it is with S3; the SDK for JavaScript puts that of an empty body there."""
    url = plain.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"})
    url += "&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32"
    with urlopen(Request(url, b"hello", method="PUT")) as answer:
        assert answer.status == 200
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_content_md5_is_verified(plain: Any, bucket: str) -> None:
    for data in (b"hello", b"hello" * 500_000):
        right = base64.b64encode(hashlib.md5(data).digest()).decode()
        wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
        plain.put_object(Bucket=bucket, Key="k", Body=data, ContentMD5=right)
        assert refused(plain.put_object, Bucket=bucket, Key="k", Body=b"y" + data, ContentMD5=wrong) == (
            "BadDigest",
            400,
        )
        assert refused(plain.put_object, Bucket=bucket, Key="k", Body=b"y", ContentMD5="no") == ("InvalidDigest", 400)
        assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_checksums_that_cannot_be(plain: Any, bucket: str) -> None:
    def putting(**more: str) -> tuple[str, int]:
        return refused(plain.put_object, Bucket=bucket, Key="k", Body=b"hello", **more)

    assert putting(ChecksumCRC32="short") == ("InvalidRequest", 400)
    assert putting(ChecksumSHA256=_sum("SHA1", b"hello")) == ("InvalidRequest", 400)
    two = {"ChecksumCRC32": _sum("CRC32", b"hello"), "ChecksumSHA1": _sum("SHA1", b"hello")}
    assert putting(**two) == ("InvalidRequest", 400)
    assert refused(plain.head_object, Bucket=bucket, Key="k")[1] == 404


def test_a_checksum_of_no_known_algorithm_is_refused(aws: Aws, plain: Any, bucket: str) -> None:
    answer = ask(aws, "PUT", f"/{bucket}/k", b"hello", x_amz_checksum_sha256a="x")
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert b"The algorithm type you specified in x-amz-checksum- header is invalid." in answer.body
    for header in ({"x_amz_checksum_algorithm": "CRC99"}, {"x_amz_checksum_type": "WHOLE"}):
        answer = ask(aws, "POST", f"/{bucket}/k?uploads", **header)
        assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert refused(plain.head_object, Bucket=bucket, Key="k")[1] == 404


_DELETION = b"<Delete><Object><Key>k</Key></Object></Delete>"
_CORS = (
    b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>"
    b"</CORSConfiguration>"
)


@pytest.mark.parametrize(("method", "target", "body"), [("POST", "delete", _DELETION), ("PUT", "cors", _CORS)])
def test_documents_are_verified_too(aws: Aws, plain: Any, bucket: str, method: str, target: str, body: bytes) -> None:
    plain.put_object(Bucket=bucket, Key="k", Body=b"hello")

    def sending(**headers: str) -> tuple[int, str]:
        answer = ask(aws, method, f"/{bucket}?{target}", body, **headers)
        return answer.status, answer.code

    for algorithm in _DIGESTS:
        name = f"x_amz_checksum_{algorithm.lower()}"
        assert sending(**{name: _sum(algorithm, body + b" ")}) == (400, "BadDigest")
        assert sending(**{name: "short"}) == (400, "InvalidRequest")
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    assert sending(x_amz_sdk_checksum_algorithm="CRC32", Content_MD5=digest) == (400, "InvalidRequest")
    assert sending(Content_MD5=base64.b64encode(b"other" + bytes(11)).decode()) == (400, "BadDigest")
    assert sending(Content_MD5="short") == (400, "InvalidDigest")
    assert plain.head_object(Bucket=bucket, Key="k")["ContentLength"] == 5
    assert refused(plain.get_bucket_cors, Bucket=bucket) == ("NoSuchCORSConfiguration", 404)
    assert sending(x_amz_checksum_crc32=_sum("CRC32", body)) == (200, "")
    assert sending(Content_MD5=digest) == (200, "")


def test_a_deletion_of_many_has_a_checksum(aws: Aws, bucket: str) -> None:
    """API reference, "DeleteObjects": Content-MD5, or another checksum, is required."""
    answer = ask(aws, "POST", f"/{bucket}?delete", _DELETION)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert b"Missing required header for this request: Content-MD5 OR x-amz-checksum-*" in answer.body


def test_ranges_have_no_checksum(plain: Any, bucket: str) -> None:
    plain.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA1")
    assert _shown(plain.get_object(Bucket=bucket, Key="k", Range="bytes=0-1", ChecksumMode="ENABLED")) == {}


# -- of objects in parts


def _parts(s3: Any, bucket: str, algorithm: str, parts: list[bytes], **more: str) -> tuple[dict[str, str], list[Any]]:
    begun = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, **more)
    assert begun["ChecksumAlgorithm"] == algorithm
    upload = {"Bucket": bucket, "Key": "k", "UploadId": begun["UploadId"]}
    listed = []
    for number, part in enumerate(parts, 1):
        stated = {f"Checksum{algorithm}": _sum(algorithm, part)}
        answer = s3.upload_part(**upload, PartNumber=number, Body=part, **stated)
        assert {name: answer[name] for name in stated} == stated
        listed.append({"PartNumber": number, "ETag": answer["ETag"], **stated})
    return upload, listed


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_a_composite_checksum_is_one_of_the_parts_checksums(plain: Any, bucket: str, algorithm: str) -> None:
    parts = [os.urandom(_PART), b"end"]
    upload, listed = _parts(plain, bucket, algorithm, parts)
    shown = plain.list_parts(**upload)
    assert [each[f"Checksum{algorithm}"] for each in shown["Parts"]] == [_sum(algorithm, part) for part in parts]
    assert (shown["ChecksumAlgorithm"], shown["ChecksumType"]) == (algorithm, "COMPOSITE")
    expected = _sum(algorithm, b"".join(_DIGESTS[algorithm](part) for part in parts)) + "-2"
    wrong = {f"Checksum{algorithm}": _sum(algorithm, b"other") + "-2"}
    completing = {**upload, "MultipartUpload": {"Parts": listed}}
    assert refused(plain.complete_multipart_upload, **completing, **wrong) == ("BadDigest", 400)
    done = plain.complete_multipart_upload(**completing, **{f"Checksum{algorithm}": expected})
    assert _shown(done) == {f"Checksum{algorithm}": expected, "ChecksumType": "COMPOSITE"}
    assert _shown(plain.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")) == _shown(done)
    part = plain.get_object(Bucket=bucket, Key="k", PartNumber=2, ChecksumMode="ENABLED")
    assert part[f"Checksum{algorithm}"] == _sum(algorithm, b"end")
    told = plain.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectParts"])
    # Here it is not told of how many parts it is.
    assert told["Checksum"] == _shown(done) | {f"Checksum{algorithm}": expected.removesuffix("-2")}
    sums = [each[f"Checksum{algorithm}"] for each in told["ObjectParts"]["Parts"]]
    assert sums == [_sum(algorithm, part) for part in parts]


@pytest.mark.parametrize("algorithm", _CRCS)
def test_a_full_object_checksum_is_that_of_all_bytes(plain: Any, bucket: str, algorithm: str) -> None:
    parts = [os.urandom(_PART), os.urandom(_PART + 1), b"end"]
    upload, listed = _parts(plain, bucket, algorithm, parts, ChecksumType="FULL_OBJECT")
    completing = {**upload, "MultipartUpload": {"Parts": listed}, "ChecksumType": "FULL_OBJECT"}
    wrong = {f"Checksum{algorithm}": _sum(algorithm, b"other")}
    assert refused(plain.complete_multipart_upload, **completing, **wrong) == ("BadDigest", 400)
    done = plain.complete_multipart_upload(**completing, **{f"Checksum{algorithm}": _sum(algorithm, b"".join(parts))})
    assert _shown(done) == _as(algorithm, b"".join(parts))
    assert _shown(plain.get_object(Bucket=bucket, Key="k", PartNumber=3, ChecksumMode="ENABLED")) == {}


def test_an_upload_without_an_algorithm_has_a_full_object_checksum(plain: Any, bucket: str) -> None:
    upload_id = plain.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    upload = {"Bucket": bucket, "Key": "k", "UploadId": upload_id}
    parts = [os.urandom(_PART), b"end"]
    listed = [
        {"PartNumber": number, "ETag": plain.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    done = plain.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
    assert _shown(done) == _as("CRC64NVME", b"".join(parts))


def test_algorithms_and_types_that_do_not_go_together(plain: Any, bucket: str) -> None:
    def beginning(**more: str) -> tuple[str, int]:
        return refused(plain.create_multipart_upload, Bucket=bucket, Key="k", **more)

    assert beginning(ChecksumAlgorithm="CRC64NVME", ChecksumType="COMPOSITE") == ("InvalidRequest", 400)
    assert beginning(ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT") == ("InvalidRequest", 400)
    assert beginning(ChecksumType="COMPOSITE") == ("InvalidRequest", 400)
    upload, listed = _parts(plain, bucket, "SHA256", [b"x"])
    other = {"ChecksumCRC32": _sum("CRC32", b"x")}
    assert refused(plain.upload_part, **upload, PartNumber=2, Body=b"x", **other) == ("InvalidRequest", 400)
    bad = {"ChecksumSHA256": _sum("SHA256", b"y")}
    assert refused(plain.upload_part, **upload, PartNumber=2, Body=b"x", **bad) == ("BadDigest", 400)
    completing = {**upload, "MultipartUpload": {"Parts": listed}}
    full = {"ChecksumType": "FULL_OBJECT"}
    assert refused(plain.complete_multipart_upload, **completing, **full) == ("InvalidRequest", 400)
    without = [{"PartNumber": 1, "ETag": listed[0]["ETag"]}]
    refusal = refused(plain.complete_multipart_upload, **upload, MultipartUpload={"Parts": without})
    assert refusal == ("InvalidRequest", 400)
    mistaken = [{**listed[0], "ChecksumSHA256": _sum("SHA256", b"y")}]
    refusal = refused(plain.complete_multipart_upload, **upload, MultipartUpload={"Parts": mistaken})
    assert refusal == ("InvalidPart", 400)
