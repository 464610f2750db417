"""The keeper: what blocks ask it for outlives them, and ends with its owner."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cloudlet.engines.keeper.client import KeeperClient, KeeperError


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    """A process that a keeper belongs to."""
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def run(scenario: Callable[[Callable[[], KeeperClient]], Awaitable[None]], path: Path, owner: int) -> None:
    async def within() -> None:
        clients: list[KeeperClient] = []

        def make() -> KeeperClient:
            clients.append(KeeperClient(path, owner))
            return clients[-1]

        try:
            async with asyncio.timeout(60):
                await scenario(make)
        finally:
            for client in clients:
                client.close()

    asyncio.run(within())


def test_what_one_block_has_made_the_next_one_finds(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    async def scenario(make: Callable[[], KeeperClient]) -> None:
        first = make()
        assert await first.call("make_network", network="vpc-1", addresses="10.0.0.0/16")
        await first.call("attach", network="vpc-1", interface="eni-1", address="10.0.1.5", subnet="10.0.1.0/24")
        first.close()
        second = make()
        assert (await second.call("describe"))["networks"] == {"vpc-1": {"eni-1": "10.0.1.5"}}
        assert not await second.call("make_network", network="vpc-1", addresses="10.0.0.0/16")
        await second.call("detach", network="vpc-1", interface="eni-1")
        await second.call("remove_network", network="vpc-1")
        assert (await second.call("describe"))["networks"] == {}

    run(scenario, tmp_path / "keeper", owner.pid)


def test_sockets_in_a_network_are_handed_over(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    async def scenario(make: Callable[[], KeeperClient]) -> None:
        client = make()
        await client.call("make_network", network="vpc-1", addresses="10.0.0.0/16")
        listener = await client.call_for_socket("listen", network="vpc-1", address="10.0.0.2", port=53)
        asking = await client.call_for_socket("open_socket", network="vpc-1")
        loop = asyncio.get_running_loop()
        with listener, asking:
            await loop.sock_connect(asking, ("10.0.0.2", 53))
            answering, _ = await loop.sock_accept(listener)
            with answering:
                await loop.sock_sendall(answering, b"hello")
                assert await loop.sock_recv(asking, 10) == b"hello"

    run(scenario, tmp_path / "keeper", owner.pid)


def test_what_cannot_be_done_is_said(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    async def scenario(make: Callable[[], KeeperClient]) -> None:
        client = make()
        with pytest.raises(KeeperError, match="there is no network vpc-2"):
            await client.call("detach", network="vpc-2", interface="eni-1")
        with pytest.raises(KeeperError, match="no function dance"):
            await client.call("dance")

    run(scenario, tmp_path / "keeper", owner.pid)


def test_several_clients_start_one_keeper(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    async def scenario(make: Callable[[], KeeperClient]) -> None:
        clients = [make() for _ in range(4)]
        made = await asyncio.gather(
            *(client.call("make_network", network="vpc-1", addresses="10.0.0.0/16") for client in clients)
        )
        assert sorted(made) == [False, False, False, True]

    run(scenario, tmp_path / "keeper", owner.pid)


def test_it_ends_with_its_owner(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    async def scenario(make: Callable[[], KeeperClient]) -> None:
        client = make()
        await client.call("describe")
        owner.kill()
        await asyncio.to_thread(owner.wait)
        while (tmp_path / "keeper").exists():
            await asyncio.sleep(0.01)
        with pytest.raises(KeeperError):
            await client.call("describe")

    run(scenario, tmp_path / "keeper", owner.pid)


def test_large_messages_arrive_whole(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    async def scenario(make: Callable[[], KeeperClient]) -> None:
        client = make()
        labels = {f"vpc-{number}": str(number) * 700_000 for number in (1, 2)}
        for network, label in labels.items():
            await client.call("make_network", network=network, addresses="10.0.0.0/16", label=label)
        found, *_ = await asyncio.gather(
            client.call("describe_labels"), client.call("describe"), client.call("describe_labels")
        )
        assert {network: each["label"] for network, each in found.items()} == labels
        with pytest.raises(KeeperError, match="too large"):
            await client.call("make_network", network="vpc-3", addresses="10.0.0.0/16", label="x" * (33 << 20))

    run(scenario, tmp_path / "keeper", owner.pid)
