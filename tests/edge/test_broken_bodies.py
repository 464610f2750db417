"""Bodies that are not chunked as they say: who sent one is told so in the protocol that he speaks, and hung up on."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.testing.server import Aws, Server, fresh_account

BROKEN = {
    "a size that is no number": b"xy\r\nhi\r\n0\r\n\r\n",
    "a size below nothing": b"-2\r\nhi\r\n0\r\n\r\n",
    "no size": b"\r\nhi\r\n0\r\n\r\n",
    "a size that nothing has": b"f" * 17 + b"\r\nhi\r\n0\r\n\r\n",
    "no end of a chunk": b"2\r\nhi0\r\n\r\n",
    "an endless extension": b"2;" + b"x" * 400_000,
    "an endless size": b"0" * 400_000,
    "an endless trailer": b"2\r\nhi\r\n0\r\n" + b"x-a: 1\r\n" * 60_000,
}
"""What stands where chunks should."""


@contextmanager
def connected(endpoint: str) -> Iterator[socket.socket]:
    parts = urlsplit(endpoint)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        yield connection


def head(aws: Aws, service: str, method: str, path: str, **headers: str) -> bytes:
    """Return the head of a signed request whose body comes in chunks."""
    request = AWSRequest(method, f"{aws.endpoint}{path}")
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    for name, value in headers.items():
        request.headers[name.replace("_", "-")] = value
    SigV4Auth(Credentials(aws.account, "test"), service, aws.region).add_auth(request)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(aws.endpoint).netloc}", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(connection: socket.socket, method: str = "POST") -> tuple[int, str, bytes]:
    """Return status, content type and body of the one answer; the connection is over behind it."""
    with HTTPResponse(connection, method=method) as response:
        response.begin()
        said = response.status, response.getheader("content-type", ""), response.read()
    assert response.getheader("connection") == "close"
    with suppress(ConnectionResetError):
        assert connection.recv(1) == b""
    return said


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("at_once", [True, False])
def test_the_answer_is_of_the_callers_protocol(aws: Aws, body: bytes, at_once: bool) -> None:
    aws.client("s3").create_bucket(Bucket=f"b{aws.account}")
    json = {"X_Amz_Target": "AmazonSQS.CreateQueue", "Content_Type": "application/x-amz-json-1.0"}
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for service, method, path, headers, content_type, code in [
        ("sqs", "POST", "/", json, "application/x-amz-json-1.0", b'IncompleteBody"'),
        ("sts", "POST", "/", form, "text/xml", b"<Code>IncompleteBody</Code>"),
        ("lambda", "POST", "/2015-03-31/functions", {}, "application/json", b'"'),
        (
            "s3",
            "PUT",
            f"/b{aws.account}/k",
            {"X_Amz_Decoded_Content_Length": "2"},
            "application/xml",
            b"<Code>IncompleteBody</Code>",
        ),
    ]:
        with connected(aws.endpoint) as connection:
            request = head(aws, service, method, path, **headers)
            if at_once:
                with suppress(ConnectionError):
                    connection.sendall(request + body)
            else:
                connection.sendall(request + b"3\r\nab=\r\n")
                with suppress(ConnectionError):
                    connection.sendall(body)
            status, kind, said = answer(connection, method)
        assert (status, kind, code in said) == (400, content_type, True), said
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=f"b{aws.account}")


def test_what_was_asked_before_is_answered_first(aws: Aws) -> None:
    first = b"GET /_cloudlet/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    second = head(aws, "sqs", "POST", "/", X_Amz_Target="AmazonSQS.ListQueues")
    with connected(aws.endpoint) as connection:
        connection.sendall(first + second + b"xy\r\n" + first)
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"400"], said


def test_a_block_in_a_process_of_its_own_says_so_too(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="mine")
        for _ in range(2):
            with connected(aws.endpoint) as connection:
                connection.sendall(
                    head(aws, "s3", "PUT", "/mine/k", X_Amz_Decoded_Content_Length="2") + b"2\r\nhi\r\nxy\r\n"
                )
                status, _, said = answer(connection, "PUT")
            assert (status, b"<Code>IncompleteBody</Code>" in said) == (400, True)
        s3.put_object(Bucket="mine", Key="whole", Body=b"x")
        assert s3.list_objects_v2(Bucket="mine")["KeyCount"] == 1
