"""Redirected traffic, in a process of its own: `python -m tests.services.appmesh.redirection USER`.

Each node has a network namespace, as a task of ECS has: the application knows nothing of its Envoy.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.envoy.mesh_bootstrap import BootstrapOptions, make_bootstrap
from cloudlet.engines.network import nftables, router
from cloudlet.engines.network.namespaces import Namespaces
from cloudlet.services.appmesh.proxy.building import build
from cloudlet.services.appmesh.proxy.node_id import parse_node_id
from cloudlet.services.appmesh.proxy.view import MeshView, Surroundings
from tests.engines.network.scenarios import Network, become
from tests.services.appmesh.mesh_cloud import listen

_MARK: Final = 1337
_CAP_NET_ADMIN: Final = 12
_CAPABILITIES_VERSION: Final = 0x20080522
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_RULES: Final = f"""
table ip appmesh {{
    chain output {{
        type nat hook output priority dstnat;
        meta mark {_MARK} accept
        ip daddr {{ 127.0.0.0/8, 169.254.0.0/16 }} accept
        ip protocol tcp redirect to :15001
    }}
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        tcp dport 8080 redirect to :15000
    }}
}}
"""


def make_mesh(egress: str) -> MeshView:
    color = {"provider": {"virtualNode": {"virtualNodeName": "blue"}}}
    node = {"listeners": [listen(8080)], "serviceDiscovery": {"dns": {"hostname": "blue"}}}
    front = {"backends": [{"virtualService": {"virtualServiceName": "color.local"}}]}
    return MeshView("m", {"egressFilter": {"type": egress}}, {"color.local": color}, {"blue": node, "front": front})


def keep_capability() -> None:
    """Let programs that this thread starts mark their connections, whoever their user is."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    data = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, data) == 0
    data[2] |= 1 << _CAP_NET_ADMIN
    assert libc.capset(header, data) == 0
    assert libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_NET_ADMIN, 0, 0) == 0


def start(node: str, path: str) -> subprocess.Popen[bytes]:
    """Start an Envoy in the namespace of this thread, to which its connections are redirected."""
    nftables.run(_RULES)
    keep_capability()
    given = json.dumps(make_bootstrap(node, path, BootstrapOptions(mark=_MARK)))
    options = ["--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    return subprocess.Popen([str(program.find()), "--config-yaml", given, *options])


async def serve_http(network: Network, number: int, port: int) -> None:
    """Answer requests with the address of the client."""
    bound = await network.within(number, partial(router._bind, IPv4Address("0.0.0.0"), port, datagrams=False))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = f"port {port} from {writer.get_extra_info('peername')[0]}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        writer.close()

    await asyncio.start_server(handle, sock=bound)


async def ask(network: Network, address: str, port: int, host: str) -> str:
    """Make a request as the application of the first node; return the body, or the status."""
    made = await network.within(5, partial(router._make_socket, socket.SOCK_STREAM))
    try:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_connect(made, (address, port))
            reader, writer = await asyncio.open_connection(sock=made)
            writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
            writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    return body if " 200 " in head.partition("\r\n")[0] else head.partition("\r\n")[0]


async def run(namespaces: Namespaces, folder: Path) -> Any:
    network = await Network(namespaces).open(5, 6, 7)
    server = ConfigurationServer()
    path = str(folder / "envoys.sock")
    await server.listen_at(Path(path))
    surroundings = Surroundings({"blue": ["10.0.1.6"]})
    processes = []

    def configure(egress: str) -> None:
        for name in ("front", "blue"):
            node = parse_node_id(f"mesh/m/virtualNode/{name}", "", "")
            assert node is not None
            made = build(make_mesh(egress), node, surroundings)
            assert made is not None
            server.set_snapshot(node.path, made)

    configure("ALLOW_ALL")
    try:
        for number, name in ((5, "front"), (6, "blue")):
            processes.append(await network.within(number, partial(start, f"mesh/m/virtualNode/{name}", path)))
        for name in ("front", "blue"):
            assert await server.wait_until_applied(f"mesh/m/virtualNode/{name}", 10)
        await serve_http(network, 6, 8080)
        await serve_http(network, 7, 8080)
        await serve_http(network, 7, 9999)
        asked = (
            ("10.0.9.9", 8080, "color.local"),
            ("10.0.1.7", 8080, "outside.example"),
            ("10.0.1.7", 9999, "outside.example"),
        )
        allowed = [await ask(network, *each) for each in asked]
        configure("DROP_ALL")
        await asyncio.sleep(0)
        assert await server.wait_until_applied("mesh/m/virtualNode/front", 10)
        dropped = ["", "", ""]
        for _ in range(100):
            dropped = [await ask(network, *each) for each in asked]
            if dropped[2] != allowed[2]:
                break
            await asyncio.sleep(0.05)
        return [allowed, dropped]
    finally:
        for process in processes:
            process.kill()
            process.wait()
        await server.close()


def main() -> None:
    become(sys.argv[1])
    namespaces = Namespaces()
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(json.dumps(asyncio.run(run(namespaces, Path(folder)))))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
