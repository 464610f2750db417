"""A provider of secrets on a Unix socket, as SPIRE's agent is one (Envoy's secret discovery service)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudlet.engines.envoy import protobuf_messages
from cloudlet.engines.envoy.grpc_server import GrpcServer, Stream
from cloudlet.engines.envoy.snapshot import Kind

_STREAM = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"


def serve_secrets(path: Path, secrets: Mapping[str, dict[str, Any]]) -> None:
    """Serve secrets by their names, in a thread, as long as the process lives."""
    ready = threading.Event()

    async def answer(stream: Stream) -> None:
        sent = 0
        async for content in stream:
            request = protobuf_messages.find("envoy.service.discovery.v3.DiscoveryRequest").FromString(content)
            if request.response_nonce:
                continue
            sent += 1
            response = protobuf_messages.find("envoy.service.discovery.v3.DiscoveryResponse")(
                version_info=str(sent), nonce=str(sent), type_url=Kind.SECRET.url
            )
            for name in request.resource_names:
                encoded = protobuf_messages.encode(Kind.SECRET, {"name": name, **secrets[name]})
                response.resources.add(type_url=Kind.SECRET.url, value=encoded)
            await stream.send(response.SerializeToString())

    async def serve() -> None:
        server = GrpcServer({_STREAM: answer})
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        await server.listen(listening)
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    assert ready.wait(10)
