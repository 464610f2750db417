"""TLS and plain HTTP on one port."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from cloudlet.edge.clients import Limits
from cloudlet.edge.http import HttpServer
from cloudlet.edge.listeners import bind, port_of
from cloudlet.edge.tls import local_certificate, server_context
from cloudlet.testing.server import Server
from tests.edge.conftest import Echo


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A server with TLS, and the file of the authority to trust."""
    data = tmp_path_factory.mktemp("data")
    with Server.start("--data", str(data), "--tls") as server:
        yield server, str(data / "tls" / "ca.pem")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_both_are_answered_and_urls_are_as_the_client_asks(secure: tuple[Server, str], scheme: str) -> None:
    server, authority = secure
    endpoint = f"{scheme}://127.0.0.1:{server.port}"
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        verify=authority,
        region_name="us-east-1",
        aws_access_key_id="123456789012",
        aws_secret_access_key="test",
    )
    assert sqs.create_queue(QueueName=scheme)["QueueUrl"] == f"{endpoint}/123456789012/{scheme}"


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\x05hello", b"\x16", b"\x80\x2e\x01"])
def test_what_is_neither_is_hung_up_on(secure: tuple[Server, str], sent: bytes) -> None:
    server, _ = secure
    with socket.create_connection(("127.0.0.1", int(server.port)), 15) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        while client.recv(1000):
            pass
    with socket.create_connection(("127.0.0.1", int(server.port)), 15) as client:
        client.sendall(b"GET /_cloudlet/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_client_that_says_nothing_is_hung_up_on_and_too_many_are_not_let_in(tmp_path: Path) -> None:
    _, certificate, key = local_certificate(tmp_path, "localhost")
    tls = server_context(certificate, key)

    async def main() -> None:
        server = HttpServer(Echo(), Limits(head_time=1, connections=2))
        (listening,) = bind("127.0.0.1", 0)
        await server.listen(listening, tls)
        silent = [await asyncio.open_connection("127.0.0.1", port_of(listening)) for _ in range(3)]
        async with asyncio.timeout(20):
            for reader, writer in silent:
                assert await reader.read() == b""
                writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(listening))
            writer.write(b"GET /a HTTP/1.1\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
            await server.stop()

    asyncio.run(main())


def test_a_client_that_does_not_trust_the_certificate_harms_nobody(secure: tuple[Server, str]) -> None:
    server, authority = secure
    for context, trusts in (
        (ssl.create_default_context(), False),
        (ssl.create_default_context(cafile=authority), True),
    ):
        with socket.create_connection(("127.0.0.1", int(server.port)), 15) as client:
            try:
                context.wrap_socket(client, server_hostname="localhost").close()
            except ssl.SSLCertVerificationError:
                assert not trusts
            else:
                assert trusts
