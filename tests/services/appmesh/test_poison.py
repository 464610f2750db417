"""A mesh that cannot be read holds up no other, and is served once it can be."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import root
from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.mesh_bootstrap import BootstrapOptions, make_bootstrap
from cloudlet.services.appmesh import storing
from cloudlet.services.appmesh.management.serving import SERVERS
from tests.in_process import in_block
from tests.services.appmesh.mesh_cloud import listen

_ACCOUNT, _REGION = "111111111111", "us-east-1"


async def call(block: Block, operation: str, **params: Any) -> None:
    owner = root(_ACCOUNT, _ACCOUNT)
    await block.cloud.call("appmesh", operation, params, principal=owner, account=_ACCOUNT, region=_REGION)


def make_spec(port: int) -> dict[str, Any]:
    return {"listeners": [listen(port)], "serviceDiscovery": {"dns": {"hostname": "localhost"}}}


async def wait_for_port(address: str, port: int) -> None:
    """Wait until an Envoy listens on a port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection(address, port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def pick_address(number: int) -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return f"127.{port >> 8}.{port & 255}.{number}"


def test_a_mesh_that_cannot_be_read_holds_up_no_other(tmp_path: Path) -> None:
    addresses = {"bad": pick_address(1), "good": pick_address(2)}

    async def poison(block: Block, value: bytes) -> None:
        async def write(tx: Transaction) -> None:
            tx.put(storing.RESOURCES.key(_ACCOUNT, _REGION, "bad", "VirtualService", "", "x"), value)
            tx.notify(storing.make_topic(_ACCOUNT, _REGION, "bad"))

        await block.store.transact(write)

    async def heal(tx: Transaction) -> None:
        tx.delete(storing.RESOURCES.key(_ACCOUNT, _REGION, "bad", "VirtualService", "", "x"))
        tx.notify(storing.make_topic(_ACCOUNT, _REGION, "bad"))

    async def run(block: Block) -> None:
        management = SERVERS.get(block)
        await management.is_listening.wait()
        processes = []
        try:
            for mesh, address in addresses.items():
                await call(block, "CreateMesh", meshName=mesh)
                await call(block, "CreateVirtualNode", meshName=mesh, virtualNodeName="n", spec=make_spec(8001))
                node = f"arn:aws:appmesh:{_REGION}:{_ACCOUNT}:mesh/{mesh}/virtualNode/n@{address}"
                bootstrap = make_bootstrap(node, f"127.0.0.1:{management.port}", BootstrapOptions())
                command = [str(program.find()), "--config-yaml", json.dumps(bootstrap), "--disable-hot-restart"]
                processes.append(subprocess.Popen([*command, "-l", "error", "--concurrency", "1"], cwd=tmp_path))
                await wait_for_port(address, 8001)
            await poison(block, b"\xff")
            for mesh in addresses:
                await call(block, "UpdateVirtualNode", meshName=mesh, virtualNodeName="n", spec=make_spec(8002))
            await wait_for_port(addresses["good"], 8002)
            await block.store.transact(heal)
            await wait_for_port(addresses["bad"], 8002)
        finally:
            for process in processes:
                process.kill()
                process.wait()

    in_block("appmesh", tmp_path, run)
