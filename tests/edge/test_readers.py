"""Readers: processes that read requests for a busy Cloudlet, seen by its clients, who must not notice."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config as ClientConfig
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.core.cloud import Cloud, Config
from cloudlet.core.tokens import TokenSealer
from cloudlet.edge import readers as readers_module
from cloudlet.edge.auth import Authenticator
from cloudlet.edge.front import Front
from cloudlet.edge.http import HttpServer
from cloudlet.edge.keys import KeyRing
from cloudlet.edge.link import FROM_READER, Messages, Opening, Retire
from cloudlet.edge.readers import Demand, Readers
from cloudlet.edge.sockets import bound, port_of
from cloudlet.testing.server import Server, fresh_account
from tests.commands import cloudlet
from tests.sizes import examples
from tests.standing import eventually

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
OPTIONS = ("--readers", "1", "--root-key", f"000000000000:{KEY}:{SECRET}")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server.start("--ephemeral", *OPTIONS) as running:
        eventually(lambda: readers(running))
        yield running


def readers(server: Server) -> list[int]:
    """Return the processes that read for a Cloudlet."""
    assert server.process is not None
    return readers_of(server.process.pid)


def readers_of(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in children if b"cloudlet.edge.reader" in _command(int(child))]


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def signed(server: Server, operation: str, secret: str = SECRET, **params: Any) -> bytes:
    """Return a whole request to SQS."""
    host = server.endpoint.removeprefix("http://")
    body = json.dumps(params)
    request = AWSRequest(
        "POST",
        f"{server.endpoint}/",
        data=body,
        headers={
            "Host": host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"AmazonSQS.{operation}",
            "Content-Length": str(len(body)),
        },
    )
    SigV4Auth(Credentials(KEY, secret), "sqs", "us-east-1").add_auth(request)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n{body}".encode()


class Raw:
    """A connection, and where its other end is."""

    def __init__(self, server: Server, process: int | None = None) -> None:
        """`process` is what has the blocks, where that is not the server's own."""
        self._server = server
        self._process = process or (server.process.pid if server.process is not None else 0)
        self.socket = socket.create_connection(("127.0.0.1", int(server.port)), timeout=30)
        self._stream = self.socket.makefile("rb")

    def ask(self, request: bytes) -> tuple[int, bytes]:
        self.socket.sendall(request)
        return self.answer()

    def disposition(self, request: bytes) -> str | None:
        """Return what the answer to a HEAD says in one header."""
        self.socket.sendall(request)
        self._stream.readline()
        return http.client.parse_headers(self._stream)["content-disposition"]

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def answer(self) -> tuple[int, bytes]:
        line = self._stream.readline()
        if not line:
            raise ConnectionResetError("closed before an answer")
        headers = http.client.parse_headers(self._stream)
        return int(line.split()[1]), self._stream.read(int(headers["content-length"]))

    @property
    def holders(self) -> set[int]:
        """The processes that have the server's end of it."""
        ours, theirs = self.socket.getsockname()[1], int(self._server.port)
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == theirs and int(fields[2].split(":")[1], 16) == ours:
                link = f"socket:[{fields[9]}]"
                return {
                    process
                    for process in (self._process, *readers_of(self._process))
                    if any(_points_to(entry, link) for entry in Path(f"/proc/{process}/fd").iterdir())
                }
        return set()

    @property
    def is_read(self) -> bool:
        """Whether a reader has it, alone."""
        return bool(self.holders) and self.holders <= {*readers_of(self._process)}

    def go_over(self) -> Raw:
        """Ask until a reader has the connection."""
        eventually(lambda: self.ask(signed(self._server, "ListQueues"))[0] == 200 and self.is_read)
        return self


def _points_to(entry: Path, link: str) -> bool:
    try:
        return str(entry.readlink()) == link
    except FileNotFoundError:
        return False


def client(server: Server, service: str, **options: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        **{"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, **options},
        config=ClientConfig(retries={"max_attempts": 0}, max_pool_connections=1),
    )


def test_a_connection_goes_to_a_reader_and_is_answered_there(server: Server) -> None:
    raw = Raw(server).go_over()
    status, body = raw.ask(signed(server, "CreateQueue", QueueName="there"))
    assert (status, json.loads(body)) == (200, {"QueueUrl": f"{server.endpoint}/000000000000/there"})
    status, body = raw.ask(signed(server, "GetQueueUrl", QueueName="nowhere"))
    assert status == 400
    assert json.loads(body)["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"
    assert raw.is_read


def test_what_is_signed_wrongly_gets_its_error_from_the_other_process(server: Server) -> None:
    raw = Raw(server).go_over()
    status, body = raw.ask(signed(server, "ListQueues", secret="another"))
    assert status == 403
    assert b"InvalidSignatureException" in body or b"SignatureDoesNotMatch" in body
    assert not raw.is_read
    assert raw.ask(signed(server, "ListQueues"))[0] == 200
    assert not raw.is_read, "who came back stays"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /_cloudlet/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"no HTTP at all\r\n\r\n", 400),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 405),
    ],
)
def test_whatever_is_not_plain_is_answered_as_ever(server: Server, request_: bytes, status: int) -> None:
    raw = Raw(server).go_over()
    fresh = Raw(server)
    assert raw.ask(request_)[0] == fresh.ask(request_)[0] == status


@settings(max_examples=examples(30))
@given(
    kinds=st.lists(st.sampled_from(["plain", "wrong", "own", "large", "other"]), min_size=1, max_size=6),
    seed=st.integers(0, 1 << 32),
)
def test_requests_are_answered_in_order_however_their_bytes_come(server: Server, kinds: list[str], seed: int) -> None:
    made = {
        "plain": (signed(server, "ListQueues"), 200),
        "wrong": (signed(server, "ListQueues", secret="another"), 403),
        "own": (b"GET /_cloudlet/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        "large": (signed(server, "GetQueueUrl", QueueName="x" * 100_000), 400),
        "other": (signed(server, "NoSuchOperation"), 400),
    }
    raw = Raw(server).go_over()
    stream = b"".join(made[kind][0] for kind in kinds)
    cuts = sorted(random.Random(seed).sample(range(len(stream)), min(4, len(stream))))
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        raw.socket.sendall(stream[begin:end])
    assert [raw.answer()[0] for _ in kinds] == [made[kind][1] for kind in kinds]
    raw.close()


def test_objects_small_and_large_go_both_ways_on_one_connection(server: Server) -> None:
    s3 = client(server, "s3")
    s3.create_bucket(Bucket="reads")
    for size in (0, 10, 5_000, 63_000, 70_000, 3_000_000, 20):
        body = random.Random(size).randbytes(size)
        s3.put_object(Bucket="reads", Key="object", Body=body)
        answer = s3.get_object(Bucket="reads", Key="object")
        assert answer["Body"].read() == body
        assert s3.head_object(Bucket="reads", Key="object")["ContentLength"] == size


def test_a_file_is_sent_by_the_process_that_has_it(server: Server) -> None:
    body = random.Random(1).randbytes(2_000_000)
    s3 = client(server, "s3")
    s3.create_bucket(Bucket="files")
    s3.put_object(Bucket="files", Key="object", Body=body)
    raw = Raw(server).go_over()
    url = s3.generate_presigned_url("get_object", {"Bucket": "files", "Key": "object"})
    path = url.removeprefix(server.endpoint)
    host = server.endpoint.removeprefix("http://")
    behind = signed(server, "ListQueues")
    raw.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    time.sleep(0.01)
    raw.socket.sendall(behind)
    assert raw.answer() == (200, body)
    assert raw.answer()[0] == 200
    assert not raw.is_read


def test_an_answer_with_bytes_of_no_encoding_is_sent_and_harms_no_other(server: Server) -> None:
    s3 = client(server, "s3")
    s3.create_bucket(Bucket="bytes")
    raw, other = Raw(server).go_over(), Raw(server).go_over()
    before = readers(server)
    host = server.endpoint.removeprefix("http://")

    def request(operation: str, method: str) -> bytes:
        url = s3.generate_presigned_url(operation, {"Bucket": "bytes", "Key": "object"})
        return f"{method} {url.removeprefix(server.endpoint)} HTTP/1.1\r\nHost: {host}\r\n".encode()

    put = request("put_object", "PUT") + b"Content-Disposition: \xff\r\nContent-Length: 0\r\n\r\n"
    assert raw.ask(put)[0] == 200
    raw.go_over()
    assert raw.disposition(request("head_object", "HEAD") + b"\r\n") == "\xff"
    assert other.ask(signed(server, "ListQueues"))[0] == 200
    assert readers(server) == before


def test_who_has_gone_is_not_given_a_message(server: Server) -> None:
    sqs = client(server, "sqs")
    url = sqs.create_queue(QueueName=f"gone-{fresh_account()}")["QueueUrl"]
    raw = Raw(server).go_over()
    raw.socket.sendall(signed(server, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
    other = Raw(server).go_over()
    other.socket.sendall(signed(server, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
    raw.close()
    # The reader has seen it go once a later connection of the same reader has been served.
    Raw(server).go_over()
    sqs.send_message(QueueUrl=url, MessageBody="for who is there")
    status, body = other.answer()
    assert (status, json.loads(body)["Messages"][0]["Body"]) == (200, "for who is there")


def test_a_message_to_a_process_that_has_gone_is_dropped() -> None:
    async def scenario() -> None:
        near, far = socket.socketpair()
        near.setblocking(False)
        gone = asyncio.Event()
        messages = Messages(FROM_READER, lambda _: None, gone.set)
        await asyncio.get_running_loop().create_connection(lambda: messages, sock=near)
        far.close()
        for _ in range(20):
            messages.send(Retire())
        await asyncio.wait_for(gone.wait(), 10)
        messages.send(Retire())

    uvloop.run(scenario())


def test_temporary_credentials_expire_by_the_clock_of_the_cloud() -> None:
    with Server.start("--ephemeral", *OPTIONS) as server:
        eventually(lambda: readers(server))
        role = client(server, "sts").get_session_token(DurationSeconds=900)["Credentials"]
        sqs = client(
            server,
            "sqs",
            aws_access_key_id=role["AccessKeyId"],
            aws_secret_access_key=role["SecretAccessKey"],
            aws_session_token=role["SessionToken"],
        )
        for _ in range(5):
            sqs.list_queues()
        assert cloudlet("clock", "advance", "1h", "--port", server.port).returncode == 0
        with pytest.raises(ClientError, match="ExpiredToken"):
            sqs.list_queues()


def test_strict_mode_is_strict() -> None:
    with Server.start("--ephemeral", "--auth", "strict", *OPTIONS) as server:
        eventually(lambda: readers(server))
        raw = Raw(server).go_over()
        status, _ = raw.ask(b"GET /bucket HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status in (403, 404)
        unknown = client(server, "sqs", aws_access_key_id="123456789012", aws_secret_access_key="x")
        with pytest.raises(ClientError, match=r"InvalidClientTokenId|UnrecognizedClientException"):
            unknown.list_queues()
        assert raw.ask(signed(server, "ListQueues"))[0] == 200


def test_a_killed_reader_takes_its_connections_with_it_and_another_comes() -> None:
    with Server.start("--ephemeral", *OPTIONS) as server:
        (first,) = eventually(lambda: readers(server))
        raw, waits = Raw(server).go_over(), Raw(server).go_over()
        url = json.loads(raw.ask(signed(server, "CreateQueue", QueueName="q"))[1])["QueueUrl"]
        waits.socket.sendall(signed(server, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ConnectionError):
            raw.ask(signed(server, "ListQueues"))
        again = Raw(server)
        assert again.ask(signed(server, "SendMessage", QueueUrl=url, MessageBody="kept"))[0] == 200
        _, body = again.ask(signed(server, "ReceiveMessage", QueueUrl=url))
        assert json.loads(body)["Messages"][0]["Body"] == "kept", "who waited on the killed reader has gone"
        (second,) = eventually(lambda: readers(server))
        assert second != first
        again.go_over()


def test_readers_end_with_who_they_read_for() -> None:
    with Server.start("--ephemeral", *OPTIONS) as server:
        (reader,) = eventually(lambda: readers(server))
        Raw(server).go_over()
        server.kill()
        eventually(lambda: not _command(reader))


def test_a_stop_answers_who_waits_and_closes_the_others() -> None:
    with Server.start("--ephemeral", *OPTIONS) as server:
        (reader,) = eventually(lambda: readers(server))
        raw, waits, idle = Raw(server).go_over(), Raw(server).go_over(), Raw(server).go_over()
        url = json.loads(raw.ask(signed(server, "CreateQueue", QueueName="q"))[1])["QueueUrl"]
        waits.socket.sendall(signed(server, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
        # It waits by the time that a later request of the same reader is answered.
        assert raw.ask(signed(server, "ListQueues"))[0] == 200
        assert server.process is not None
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert waits.answer()[0] == 200
        assert idle.socket.recv(1) == b""
        assert server.process.wait(10) == 0
        assert time.monotonic() - began < 15
        assert not _command(reader)


def test_a_block_that_is_a_process_of_its_own_has_readers_for_those_who_come_directly() -> None:
    with Server.start("--ephemeral", "--isolate", "--services", "sqs", *OPTIONS) as server:
        client(server, "sqs").list_queues()
        shown = cloudlet("status", "--json", "--port", server.port)
        (block,) = json.loads(shown.stdout)["blocks"]
        eventually(lambda: readers_of(block["process"]))
        Raw(Server(f"http://127.0.0.1:{block['port']}"), block["process"]).go_over()


def test_readers_are_wanted_after_a_while_of_much_work_and_until_there_was_little_for_long() -> None:
    demand = Demand()
    assert not demand.after(1.0, 1.0)
    assert not demand.after(0.8, 1.0)
    assert not demand.after(0.95, 1.0)
    assert demand.after(0.95, 1.0)
    for _ in range(Demand.IDLE_LOOKS - 1):
        assert demand.after(0.05, 1.0)
    assert demand.after(0.2, 1.0)
    for _ in range(Demand.IDLE_LOOKS - 1):
        assert demand.after(0.05, 1.0)
    assert not demand.after(0.05, 1.0)
    assert not demand.after(0.95, 1.0)


def test_readers_are_not_wanted_where_others_work() -> None:
    demand = Demand()
    for _ in range(5):
        assert not demand.after(1.0, 0.9)
    assert not demand.after(1.0, 1.0)
    assert demand.after(1.0, 1.0)
    assert demand.is_needed(1.0, 0.5)
    assert not demand.is_needed(1.0, 0.3)


def test_connections_go_to_a_reader_under_load_and_come_back_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = 1.0
    monkeypatch.setattr(readers_module, "_useful", lambda: 1)
    monkeypatch.setattr(readers_module, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(readers_module, "thread_time", lambda: time.monotonic() * part)
    monkeypatch.setattr(readers_module, "_rested", time.monotonic)
    monkeypatch.setattr(Demand, "IDLE_LOOKS", 10)

    async def scenario() -> None:
        nonlocal part
        tokens = TokenSealer(b"k" * 32)
        cloud = Cloud(Config(data=tmp_path, durable=False), tokens)
        front = Front(cloud, Authenticator(KeyRing([], tokens), cloud.clock, strict=False))
        server = HttpServer(front)
        (listening,) = bound("127.0.0.1", 0)
        here = Server(f"http://127.0.0.1:{port_of(listening)}")
        await server.listen(listening)
        opening = Opening(False, "localhost", b"k" * 32, [])
        server.clients.relief = Readers(server, opening, front.handle_asked, cloud.waited, None)
        stream, writer = await asyncio.open_connection("127.0.0.1", port_of(listening))

        async def asked_until(wanted: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 30
            while not wanted():
                assert time.monotonic() < deadline
                writer.write(signed(here, "ListQueues"))
                head = await stream.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 ")
                await stream.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))

        await asked_until(lambda: bool(server.clients.connections))
        await asked_until(lambda: not server.clients.connections)
        part = 0.0
        await asked_until(lambda: bool(server.clients.connections))
        writer.close()
        await server.stop()
        await cloud.close()

    uvloop.run(scenario())
