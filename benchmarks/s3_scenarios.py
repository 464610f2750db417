"""What is measured of S3 on one running server; each result checked by what is in the bucket in the end."""

import hashlib
import itertools
import os
import random
import re
import socket
import string
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import wrk
from benchmarks.s3_api import S3Api, address, head
from benchmarks.scenarios import CONNECTIONS, Meter, Speed, Started, Wrong

OBJECTS = 1_000
SMALL_BYTES = 1 << 10
LARGE_BYTES = 64 << 20
_PIECE_BYTES = 1 << 20
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)

_numbers = itertools.count(1)
_random = random.Random(20)  # Fixed, so that every contender and every run gets the same.


def _bucket(server: Started[S3Api]) -> str:
    name = f"benchmark-{next(_numbers)}"
    server.api.create_bucket(name)
    return name


def _key(number: int) -> str:
    return f"folder/object-{number:08}"


def _small(number: int) -> bytes:
    # Letters, since wrk takes its requests from a script; each another one.
    return f"{number:08}".encode() + "".join(_random.choices(string.ascii_letters, k=SMALL_BYTES - 8)).encode()


def put(server: Started[S3Api], seconds: int) -> Speed:
    """PutObject of 1 KiB, to 1,000 keys in turn."""
    bucket = _bucket(server)
    bodies = [_small(number) for number in range(OBJECTS)]
    order = _random.sample(range(OBJECTS), OBJECTS)
    requests = [server.api.request("PUT", address(bucket, _key(number)), bodies[number]) for number in order]
    speed = _measured(server, requests, seconds)
    # wrk asks its script for one request more than it sends; what was under way in the end may not have been answered.
    written = order if speed.messages >= OBJECTS else order[1 : max(1, speed.messages - CONNECTIONS)]
    found = len(server.api.keys(bucket))
    if not len(written) <= found <= OBJECTS:
        raise Wrong(f"{found} objects are in the bucket, and there should be {len(written)}")
    for number in written[:: max(1, len(written) // 20)]:
        if server.api.get(bucket, _key(number)) != bodies[number]:
            raise Wrong(f"object {number} is not what was written")
    return speed


def get(server: Started[S3Api], seconds: int) -> Speed:
    """GetObject of 1 KiB, of 1,000 objects in turn."""
    bucket = _bucket(server)
    bodies = [_small(number) for number in range(OBJECTS)]
    for number, body in enumerate(bodies):
        server.api.put(bucket, _key(number), body)
    order = _random.sample(range(OBJECTS), OBJECTS)
    requests = [server.api.request("GET", address(bucket, _key(number))) for number in order]
    speed = _measured(server, requests, seconds)
    for number in order[::50]:
        if server.api.get(bucket, _key(number)) != bodies[number]:
            raise Wrong(f"object {number} is not what was written")
    return speed


def list_page(server: Started[S3Api], seconds: int) -> Speed:
    """ListObjectsV2 of a bucket of 1,000 objects, all of them in one page."""
    bucket = _bucket(server)
    for number in range(OBJECTS):
        server.api.put(bucket, _key(number), b"x")
    if len(server.api.keys(bucket)) != OBJECTS:
        raise Wrong("a page does not have all objects")
    return _measured(server, [server.api.request("GET", f"/{bucket}?list-type=2")], seconds)


def _measured(server: Started[S3Api], requests: Sequence[bytes], seconds: int) -> Speed:
    meter = Meter(server.process)
    with meter:
        report = wrk.run_many(server.api.host, requests, CONNECTIONS, seconds)
    return meter.speed(report.requests, 0, report.seconds, report.p50_ms, report.p99_ms)


# -- large objects


def large(server: Started[S3Api], folder: Path, times: int) -> tuple[float, float]:
    """Bytes a second of PutObject and of GetObject of 64 MiB over one connection: the best of so many times.

    What the client does is next to nothing: it sends a file, and throws away what it receives. The body is no part of
    the signature, as where SDKs speak HTTPS.
    """
    file = folder / "large"
    data = os.urandom(LARGE_BYTES)
    file.write_bytes(data)
    bucket = _bucket(server)
    target = address(bucket, "large")
    sending = head("PUT", target, server.api.headers("PUT", target, unsigned=True), LARGE_BYTES)
    written = max(LARGE_BYTES / _sent(server.api.host, sending, file) for _ in range(times))
    if hashlib.md5(server.api.get(bucket, "large")).digest() != hashlib.md5(data).digest():
        raise Wrong("the large object is not what was written")
    return written, max(
        LARGE_BYTES / received(server.api.host, server.api.request("GET", target)) for _ in range(times)
    )


def _sent(host: str, request: bytes, body: Path) -> float:
    """Seconds until a request with a file as its body was answered with success."""
    with _connected(host) as connection, body.open("rb") as file:
        began = time.perf_counter()
        connection.sendall(request)
        connection.sendfile(file)
        answer = connection.recv(1 << 16)
        seconds = time.perf_counter() - began
    if not answer.startswith(b"HTTP/1.1 200"):
        raise Wrong(f"a large object was answered with {answer[:300]!r}")
    return seconds


def received(host: str, request: bytes) -> float:
    """Seconds until the body of an answer, 64 MiB, was received."""
    with _connected(host) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(1 << 16)
        begin, _, body = answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(begin)
        if not begin.startswith(b"HTTP/1.1 200") or length is None or int(length[1]) != LARGE_BYTES:
            raise Wrong(f"a large object was answered with {answer[:300]!r}")
        left = LARGE_BYTES - len(body)
        nothing = bytearray(_PIECE_BYTES)
        while left:
            # The kernel drops the bytes and says how many they were.
            count = connection.recv_into(nothing, _PIECE_BYTES, socket.MSG_TRUNC)
            if not count:
                raise Wrong("a large object ended early")
            left -= count
        return time.perf_counter() - began


def _connected(host: str) -> socket.socket:
    name, _, port = host.partition(":")
    return socket.create_connection((name, int(port)), timeout=60)


def md5_alone() -> float:
    """Bytes a second of MD5 on this machine."""
    data = os.urandom(_PIECE_BYTES)
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        digest = hashlib.md5()
        for _ in range(LARGE_BYTES // _PIECE_BYTES):
            digest.update(data)
        best = max(best, LARGE_BYTES / (time.perf_counter() - began))
    return best
