"""Servers and clients of gRPC, for tests."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import h2.config
import h2.connection
import h2.events

UNAVAILABLE = "14"


class _Connection(asyncio.Protocol):
    """A connection to an application. Each call is answered once its request has ended."""

    def __init__(self, application: GrpcApplication) -> None:
        self._application = application
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._paths: dict[int, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = {str(name): str(value) for name, value in event.headers}
                self._paths[event.stream_id] = headers[":path"]
            elif isinstance(event, h2.events.StreamEnded):
                self._answer(event.stream_id)
        self._transport.write(self._h2.data_to_send())

    def _answer(self, stream: int) -> None:
        begin = [(":status", "200"), ("content-type", "application/grpc")]
        if self._application.is_failing(self._paths.pop(stream)):
            # Nothing but trailers: what has begun an answer is not retried.
            self._h2.send_headers(stream, [*begin, ("grpc-status", UNAVAILABLE)], end_stream=True)
            return
        body = self._application.name.encode()
        self._h2.send_headers(stream, begin)
        self._h2.send_data(stream, struct.pack("!BI", 0, len(body)) + body)
        self._h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)


@dataclass
class GrpcApplication:
    """A server that answers its name to all calls, after it has failed some."""

    name: str
    failures: int = 0
    paths: list[str] = field(default_factory=list)

    def is_failing(self, path: str) -> bool:
        """Whether a call fails."""
        self.paths.append(path)
        self.failures -= 1
        return self.failures >= 0

    def start(self, address: str, port: int) -> None:
        """Serve in a thread, as long as the process lives."""
        ready = threading.Event()

        async def serve() -> None:
            listener = await asyncio.get_running_loop().create_server(lambda: _Connection(self), address, port)
            ready.set()
            await listener.serve_forever()

        threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
        assert ready.wait(10)


def call_grpc(
    address: str, port: int, authority: str, path: str, headers: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Make a call with an empty message; return its status, and the message that it answers."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    with socket.create_connection((address, port), timeout=10) as client:
        connection.initiate_connection()
        fixed = {":method": "POST", ":path": path, ":scheme": "http", ":authority": authority}
        usual = {"content-type": "application/grpc", "te": "trailers"}
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, list({**fixed, **usual, **(headers or {})}.items()))
        connection.send_data(stream, struct.pack("!BI", 0, 0), end_stream=True)
        client.sendall(connection.data_to_send())
        body, status = b"", ""
        while True:
            received = client.recv(65_536)
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    found = {str(name): str(value) for name, value in event.headers}
                    status = found.get("grpc-status", status)
                elif isinstance(event, h2.events.StreamEnded):
                    return status, body[5:].decode()
            client.sendall(connection.data_to_send())
            if not received:
                return status, body[5:].decode()
