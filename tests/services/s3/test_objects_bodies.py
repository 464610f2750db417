"""How bodies travel: with a length, in HTTP's chunks, in AWS's chunks that are signed one by one, with trailers.

API reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import socket
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws
from tests.services.s3.raw import sign
from tests.services.s3.strict import Account, Strict, strict_server

_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SIGNED_TRAILER = f"{_SIGNED}-TRAILER"


class _Raw:
    """HTTP as it is told to be, with a signature, which nobody checks where the server knows no keys."""

    def __init__(self, aws: Aws) -> None:
        self.host = urlsplit(aws.endpoint).netloc
        self._aws = aws

    def head(self, method: str, target: str, **headers: str) -> bytes:
        named = {"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", **_named(headers)}
        return _head(method, target, {"Host": self.host, **sign(self._aws, method, target, named)})

    def put(self, target: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        with _connected(self.host) as connection:
            connection.sendall(self.head("PUT", target, Content_Length=str(len(body)), **headers) + body)
            return _answer(connection)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _head(method: str, target: str, headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join((f"{method} {target} HTTP/1.1", *lines, "", "")).encode()


def _connected(host: str) -> socket.socket:
    address, port = host.split(":")
    return socket.create_connection((address, int(port)), timeout=10)


def _answer(connection: socket.socket) -> tuple[int, bytes]:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, answer.read()


def test_a_body_in_s3s_chunks_may_come_in_those_of_http(aws: Aws, s3: Any, bucket: str) -> None:
    raw = _Raw(aws)
    data = b"x" * 1_000_000
    said = {"X_Amz_Content_Sha256": _UNSIGNED_TRAILER, "X_Amz_Decoded_Content_Length": str(len(data))}
    body = _chunks([data], "")
    with _connected(raw.host) as connection:
        connection.sendall(raw.head("PUT", f"/{bucket}/k", Transfer_Encoding="chunked", **said))
        for at in range(0, len(body), 10_000):
            piece = body[at : at + 10_000]
            connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        assert _answer(connection)[0] == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data


def test_a_body_needs_a_length(aws: Aws, s3: Any, bucket: str) -> None:
    raw = _Raw(aws)
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for target in (f"/{bucket}/k", f"/{bucket}/k?partNumber=1&uploadId={upload_id}"):
        with _connected(raw.host) as connection:
            connection.sendall(raw.head("PUT", target))
            status, body = _answer(connection)
        assert (status, b"<Code>MissingContentLength</Code>" in body) == (411, True)
        with _connected(raw.host) as connection:
            connection.sendall(raw.head("PUT", target, Transfer_Encoding="chunked") + b"1\r\nx\r\n0\r\n\r\n")
            status, body = _answer(connection)
        assert (status, b"<Header>Transfer-Encoding</Header>" in body) == (501, True)
        status, body = raw.put(target, _chunks([b"x"]), X_Amz_Content_Sha256=_UNSIGNED_TRAILER)
        assert (status, b"<Code>MissingContentLength</Code>" in body) == (411, True)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload_id).get("Parts") is None


def test_more_than_5_gib_is_refused_before_it_comes(aws: Aws, bucket: str) -> None:
    raw = _Raw(aws)
    with _connected(raw.host) as connection:
        connection.sendall(raw.head("PUT", f"/{bucket}/k", Content_Length=str((5 << 30) + 1)))
        status, body = _answer(connection)
    assert (status, b"<Code>EntityTooLarge</Code>" in body) == (400, True)


@pytest.mark.parametrize("sent", [1000, 2_000_000])
def test_half_an_upload_is_no_object(aws: Aws, s3: Any, bucket: str, sent: int) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    raw = _Raw(aws)
    with _connected(raw.host) as connection:
        connection.sendall(raw.head("PUT", f"/{bucket}/k", Content_Length="3000000") + b"x" * sent)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        connection.recv(1 << 16)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"


# -- AWS's chunks


def _chunks(pieces: Iterable[bytes], trailers: str = "") -> bytes:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return coded + b"0\r\n" + trailers.encode() + b"\r\n"


def _crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
def test_a_checksum_may_come_behind_the_body(aws: Aws, s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    pieces = [data[at : at + 65536] for at in range(0, size, 65536)]
    said = {
        "X_Amz_Content_Sha256": _UNSIGNED_TRAILER,
        "X_Amz_Decoded_Content_Length": str(size),
        "X_Amz_Trailer": "x-amz-checksum-crc32",
        "Content_Encoding": "aws-chunked,gzip",
    }

    def put(trailers: str, **more: str) -> tuple[int, bytes]:
        return _Raw(aws).put(f"/{bucket}/k", _chunks(pieces, trailers), **said | more)

    assert put(f"x-amz-checksum-crc32:{_crc32(data)}\r\n")[0] == 200
    read = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (read["Body"].read(), read["ChecksumCRC32"], read["ContentEncoding"]) == (data, _crc32(data), "gzip")
    for trailers, more, code in [
        (f"x-amz-checksum-crc32:{_crc32(b'other')}\r\n", {}, b"BadDigest"),
        ("", {}, b"MalformedTrailerError"),
        ("x-amz-checksum-crc32:short\r\n", {}, b"InvalidRequest"),
        (
            f"x-amz-checksum-crc32:{_crc32(data)}\r\n",
            {"X_Amz_Decoded_Content_Length": str(size + 1)},
            b"IncompleteBody",
        ),
    ]:
        status, answer = put(trailers, **more)
        assert (status, b"<Code>%b</Code>" % code in answer) == (400, True), answer
    assert s3.get_object(Bucket=bucket, Key="k")["ETag"] == read["ETag"]


def test_only_the_last_chunk_may_be_small(aws: Aws, bucket: str) -> None:
    """Thousands of chunks of a byte each would keep everybody waiting, too."""

    def put(pieces: list[bytes]) -> tuple[int, bytes]:
        said = {
            "X_Amz_Content_Sha256": _UNSIGNED_TRAILER,
            "X_Amz_Decoded_Content_Length": str(sum(map(len, pieces))),
            "X_Amz_Trailer": "x-amz-checksum-crc32",
        }
        trailers = f"x-amz-checksum-crc32:{_crc32(b''.join(pieces))}\r\n"
        return _Raw(aws).put(f"/{bucket}/k", _chunks(pieces, trailers), **said)

    assert put([bytes(8192), bytes(8192), b"x"])[0] == 200
    status, answer = put([bytes(8192), bytes(8191), b"x"])
    assert (status, b"<Code>InvalidChunkSizeError</Code>" in answer) == (400, True), answer
    assert b"<Chunk>3</Chunk>" in answer
    assert b"<BadChunkSize>8191</BadChunkSize>" in answer


@pytest.fixture(scope="module")
def strict() -> Iterator[Strict]:
    with strict_server() as running:
        yield running


class _Signed:
    """A body in chunks, each signed over the one before."""

    def __init__(self, owner: Account, url: str, size: int, mode: str) -> None:
        credentials = owner.s3._get_credentials()
        self._signer = SigV4Auth(Credentials(credentials.access_key, credentials.secret_key), "s3", "us-east-1")
        headers = {"X-Amz-Content-Sha256": mode, "X-Amz-Decoded-Content-Length": str(size)}
        if mode == _SIGNED_TRAILER:
            headers["X-Amz-Trailer"] = "x-amz-checksum-crc32"
        self._request = AWSRequest("PUT", url, headers=headers)
        self._signer.add_auth(self._request)
        self.headers = dict(self._request.headers.items())
        self.previous = self.headers["Authorization"].rpartition("Signature=")[2]

    def chunk(self, data: bytes) -> bytes:
        signature = self._next("PAYLOAD", hashlib.sha256(b"").hexdigest(), hashlib.sha256(data).hexdigest())
        return b"%x;chunk-signature=%b\r\n%b" % (len(data), signature.encode(), data + b"\r\n" if data else b"")

    def trailers(self, line: str) -> bytes:
        signature = self._next("TRAILER", hashlib.sha256(f"{line}\n".encode()).hexdigest())
        return f"{line}\r\nx-amz-trailer-signature:{signature}\r\n".encode()

    def _next(self, kind: str, *hashes: str) -> str:
        date = self._request.context["timestamp"]
        scope = self._signer.credential_scope(self._request)
        text = "\n".join((f"AWS4-HMAC-SHA256-{kind}", date, scope, self.previous, *hashes))
        self.previous = self._signer.signature(text, self._request)
        return self.previous


def _send(strict: Strict, bucket: str, signed: _Signed, body: bytes) -> tuple[int, bytes]:
    host = urlsplit(strict.endpoint).netloc
    with _connected(host) as connection:
        headers = {"Host": host, **signed.headers, "Content-Length": str(len(body))}
        connection.sendall(_head("PUT", f"/{bucket}/k", headers) + body)
        return _answer(connection)


@pytest.mark.parametrize("size", [1000, 2_000_000])
def test_chunks_are_verified_one_by_one(strict: Strict, size: int) -> None:
    bucket = strict.bucket()
    data = os.urandom(size)
    pieces = [data[at : at + 65536] for at in range(0, size, 65536)]

    def body(mode: str) -> tuple[_Signed, bytes]:
        signed = _Signed(strict.owner, f"{strict.endpoint}/{bucket}/k", size, mode)
        coded = b"".join(signed.chunk(piece) for piece in pieces) + signed.chunk(b"")
        if mode == _SIGNED_TRAILER:
            coded += signed.trailers(f"x-amz-checksum-crc32:{_crc32(data)}")
        return signed, coded + b"\r\n"

    for mode in (_SIGNED, _SIGNED_TRAILER):
        signed, coded = body(mode)
        assert _send(strict, bucket, signed, coded)[0] == 200
        assert strict.owner.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
        strict.owner.s3.delete_object(Bucket=bucket, Key="k")
        signed, coded = body(mode)
        changed = coded.replace(data[-10:], b"0123456789")
        status, answer = _send(strict, bucket, signed, changed)
        assert (status, b"<Code>SignatureDoesNotMatch</Code>" in answer) == (403, True)
        signed, coded = body(mode)
        status, answer = _send(strict, bucket, signed, coded[: coded.rindex(b"0;chunk")])
        assert (status, b"<Code>IncompleteBody</Code>" in answer) == (400, True)
    assert strict.owner.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_the_signature_of_trailers_may_come_after_an_empty_line(strict: Strict) -> None:
    """So minio-go sends it."""
    bucket = strict.bucket()
    data = os.urandom(1000)
    for digest, status in ((_crc32(data), 200), (_crc32(b""), 400)):
        signed = _Signed(strict.owner, f"{strict.endpoint}/{bucket}/k", len(data), _SIGNED_TRAILER)
        coded = signed.chunk(data) + signed.chunk(b"")
        line, signature, _ = signed.trailers(f"x-amz-checksum-crc32:{digest}").split(b"\r\n")
        assert _send(strict, bucket, signed, coded + line + b"\n\r\n" + signature + b"\r\n\r\n")[0] == status
        forged = signature[:-1] + (b"0" if signature[-1:] != b"0" else b"1")
        status, answer = _send(strict, bucket, signed, coded + line + b"\n\r\n" + forged + b"\r\n\r\n")
        assert (status, b"<Code>SignatureDoesNotMatch</Code>" in answer) == (403, True)
        status, answer = _send(strict, bucket, signed, coded + line + b"\n\r\n")
        assert (status, b"<Code>IncompleteBody</Code>" in answer) == (400, True)
    assert strict.owner.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == data
