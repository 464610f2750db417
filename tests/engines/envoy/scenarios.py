"""An Envoy in a network, in a process of its own: `python -m tests.engines.envoy.scenarios NAME USER FOLDER`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.keeper.client import KeeperClient
from cloudlet.engines.keeper.protocol import Event
from tests.engines.envoy.configurations import make_snapshot

_NOBODY = 65534
_NODE = "balancers"
_VPC, _BALANCER, _TARGET = "vpc-1", "10.0.1.7", "10.0.1.5"
_SUBNET = "10.0.1.0/24"


class Scene:
    """A network with an Envoy, which listens on port 80 of 10.0.1.7 and of an endpoint, before 10.0.1.5."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder / "envoy"
        self.endpoint = endpoint
        self.ended = asyncio.Event()
        self.keeper = KeeperClient(folder / "keeper", os.getpid(), self._hear)
        self.server = ConfigurationServer()
        self.configure = partial(make_snapshot, [_BALANCER, endpoint], 80, (_TARGET, 8080), source=_BALANCER)
        self._runs = 0

    def _hear(self, event: Event) -> None:
        if event.name == "container_ended":
            self.ended.set()

    async def open(self, stack: AsyncExitStack) -> None:
        stack.callback(self.keeper.close)
        stack.push_async_callback(self.server.close)
        await self.keeper.call("make_network", network=_VPC, addresses="10.0.0.0/16")
        await self.attach("eni-1", _TARGET)
        await self.attach("eni-2", _BALANCER, is_sharing=True)
        await self.keeper.call("set_endpoint", address=self.endpoint, network=_VPC, target=_BALANCER, is_public=True)
        program.prepare_folder(self.folder)
        await self.server.listen_at(self.folder / "shared" / program.CONFIGURATION_SOCKET)
        self.server.set_snapshot(_NODE, self.configure())

    async def attach(self, interface: str, address: str, *, is_sharing: bool = False) -> None:
        await self.keeper.call(
            "attach", network=_VPC, interface=interface, address=address, subnet=_SUBNET, is_sharing=is_sharing
        )

    async def start(self) -> bool:
        """Start an Envoy, and return whether it has its configuration."""
        self._runs += 1
        spec = await asyncio.to_thread(program.describe, self.folder, _NODE, _VPC, "", 1)
        await self.keeper.call("hand_over_sockets", folder=str(self.folder / "shared"))
        await self.keeper.call("run", name=f"envoy-{self._runs}", spec=msgspec.to_builtins(spec))
        return await self.server.wait_until_applied(_NODE, 10)


async def ask(address: str, port: int, path: str = "/fixed") -> str:
    """Return the status and the body of an answer."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    size = next(int(each[15:]) for each in head.lower().split("\r\n") if each.startswith("content-length:"))
    body = (await reader.readexactly(size)).decode()
    writer.close()
    return f"{head.split()[1]} {body}"


def _find_port() -> int:
    # An ordinary user may not listen on port 80 of the machine.
    return 80 if os.geteuid() == 0 else 8080


async def from_the_machine(scene: Scene) -> Any:
    has_started = await scene.start()
    found = [has_started, await ask(scene.endpoint, _find_port())]
    scene.server.set_snapshot(_NODE, scene.configure(answer="changed"))
    await scene.server.wait_until_applied(_NODE, 5)
    return [*found, await ask(scene.endpoint, _find_port())]


async def killed(scene: Scene) -> Any:
    await scene.start()
    found = [await ask(scene.endpoint, _find_port())]
    await scene.keeper.call("kill", name="envoy-1")
    await scene.ended.wait()
    while scene.server.connected:
        await scene.server.wait_for_news(_NODE)
    found.append(str(await scene.start()))
    return [*found, await ask(scene.endpoint, _find_port())]


async def removed(scene: Scene) -> Any:
    await scene.start()
    await scene.keeper.call("detach", network=_VPC, interface="eni-2")
    described = (await scene.keeper.call("describe"))["networks"]
    await scene.keeper.call("remove_endpoint", address=scene.endpoint)
    return described


async def _main(name: str, folder: Path, endpoint: str) -> None:
    async with asyncio.timeout(40), AsyncExitStack() as stack:
        scene = Scene(folder, endpoint)
        await scene.open(stack)
        found = await globals()[name](scene)
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[2] == "user" and os.geteuid() == 0:
        os.setgid(_NOBODY)
        os.setgroups([])
        os.setuid(_NOBODY)
    uvloop.run(_main(sys.argv[1], Path(sys.argv[3]), sys.argv[4]))
