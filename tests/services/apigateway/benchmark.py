"""What API Gateway takes: requests a second, and memory for connections that rest.

python -m tests.services.apigateway.benchmark [requests | connections]
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import running

_CLIENTS = 32
_SECONDS = 5.0
_RESTING = 10_000


async def _ask(host: str, port: int, path: str, header: str, until: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode()
    while time.perf_counter() < until:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - started)
    writer.close()


async def load(cloud: GatewayCloud, path: str, header: str = "") -> str:
    """Ask for a path as often as can be; return how often that was, and how long it took."""
    times: list[float] = []
    until = time.perf_counter() + _SECONDS
    await asyncio.gather(*(_ask(cloud.host, cloud.port, path, header, until, times) for _ in range(_CLIENTS)))
    times.sort()
    middle, late = times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
    return f"{len(times) / _SECONDS:,.0f} requests/s, {middle:.1f} ms in the middle, {late:.1f} ms for 99 of 100"


def requests(server: Server) -> None:
    cloud = GatewayCloud(Aws(server.endpoint, fresh_account()))
    api = cloud.api()
    cloud.route(api, "GET /function/{id}", cloud.to_function(api))
    cloud.ask(api, "/function/7")
    print("/function", asyncio.run(load(cloud, f"/_aws/execute-api/{api}/function/7")))  # noqa: T201
    with running() as endpoint:
        cloud.route(api, "GET /endpoint", cloud.to_url(api, endpoint.url))
        print("/endpoint", asyncio.run(load(cloud, f"/_aws/execute-api/{api}/endpoint")))  # noqa: T201


async def _rest(cloud: GatewayCloud, api: str, count: int) -> list[asyncio.StreamWriter]:
    request = (
        f"GET /_aws/execute-api/{api}/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()

    async def connect() -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(cloud.host, cloud.port, limit=4096)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise RuntimeError(head.decode())
        return writer

    writers: list[asyncio.StreamWriter] = []
    for _ in range(count // 100):
        writers += await asyncio.gather(*(connect() for _ in range(100)))
    return writers


def _memory(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def _connections(cloud: GatewayCloud, api: str, process: int) -> None:
    await _rest(cloud, api, 100)
    before, started = _memory(process), time.perf_counter()
    writers = await _rest(cloud, api, _RESTING)
    took = time.perf_counter() - started
    print(f"{len(writers):,} connections in {took:.1f} s: {before:.0f} MB before, {_memory(process):.0f} MB after")  # noqa: T201


def connections(server: Server) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cloud = GatewayCloud(Aws(server.endpoint, fresh_account()))
    api = cloud.websocket_api_without_function()
    cloud.route(api, "$default", cloud.integration(api, IntegrationType="MOCK"))
    cloud.client.create_stage(ApiId=api, StageName="live", AutoDeploy=True)
    if server.process is not None:
        asyncio.run(_connections(cloud, api, server.process.pid))


def main() -> None:
    wanted = sys.argv[1:] or ["requests", "connections"]
    with Server.start("--ephemeral") as server:
        for name in wanted:
            {"requests": requests, "connections": connections}[name](server)


if __name__ == "__main__":
    main()
