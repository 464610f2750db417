"""The configuration server: what an Envoy gets, refuses and reports."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.envoy.snapshot import Kind, Snapshot
from tests.commands import free_port
from tests.engines.envoy.configurations import LOG_NAME, make_snapshot
from tests.engines.envoy.scenarios import ask

NODE = "node"


class Proxy:
    """An Envoy on a port of this machine, before a target that answers "ok"."""

    def __init__(self, server: ConfigurationServer, port: int, target: int) -> None:
        self.server, self.port, self.target = server, port, target

    def configure(self, **wanted: str) -> None:
        self.server.set_snapshot(NODE, make_snapshot(["127.0.0.1"], self.port, ("127.0.0.1", self.target), **wanted))

    async def change(self, **wanted: str) -> None:
        self.configure(**wanted)
        assert await self.server.wait_until_applied(NODE, 10)


@asynccontextmanager
async def start(folder: Path, logged: Any = None) -> AsyncIterator[Proxy]:
    server = ConfigurationServer(None, logged)
    target = await asyncio.start_server(answer, "127.0.0.1", 0)
    proxy = Proxy(server, free_port(), target.sockets[0].getsockname()[1])
    proxy.configure()
    await server.listen_at(folder / "configuration")
    bootstrap = program.write_bootstrap(NODE, {"pipe": {"path": str(folder / "configuration")}}, None)
    (folder / "bootstrap.json").write_bytes(msgspec.json.encode(bootstrap))
    command = [program.find(), "-c", folder / "bootstrap.json", "--disable-hot-restart", "--concurrency", "1"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            assert await server.wait_until_applied(NODE, 20)
            yield proxy
        finally:
            process.kill()
            await server.close()
            target.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(50):
            await scenario()

    asyncio.run(within())


def test_no_request_is_lost_while_clusters_are_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with start(tmp_path) as proxy:
            statuses: set[str] = set()
            is_done = asyncio.Event()

            async def load() -> None:
                while not is_done.is_set():
                    statuses.add(await ask("127.0.0.1", proxy.port, "/"))

            loads = [asyncio.ensure_future(load()) for _ in range(4)]
            for number in range(30):
                await proxy.change(cluster=f"targets-{number}")
            is_done.set()
            await asyncio.gather(*loads)
            assert statuses == {"200 ok"}

    run(scenario)


def test_what_is_refused_is_told_and_the_former_configuration_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with start(tmp_path) as proxy:
            await proxy.change(script="function (", answer="not led to")
            assert "script load error" in proxy.server.list_refusals(NODE)[Kind.LISTENER]
            assert await ask("127.0.0.1", proxy.port, "/") == "200 ok"
            await proxy.change(answer="repaired")
            assert proxy.server.list_refusals(NODE) == {}
            assert await ask("127.0.0.1", proxy.port) == "200 repaired"

    run(scenario)


def test_requests_are_reported(tmp_path: Path) -> None:
    heard: asyncio.Queue[tuple[str, str, int]] = asyncio.Queue()

    async def logged(node: str, name: str, entries: list[Any]) -> None:
        for entry in entries:
            heard.put_nowait((node, name, entry.response.response_code.value))

    async def scenario() -> None:
        async with start(tmp_path, logged) as proxy:
            await ask("127.0.0.1", proxy.port, "/")
            assert await heard.get() == (NODE, LOG_NAME, 200)

    run(scenario)


def test_a_resource_that_does_not_fit_its_description_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no field named"):
        ConfigurationServer().set_snapshot(NODE, Snapshot(clusters={"one": {"nam": "one"}}))


def test_a_server_that_comes_back_finds_its_envoy_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with start(tmp_path) as proxy:
            await proxy.server.close()
            again = ConfigurationServer()
            again.set_snapshot(
                NODE, make_snapshot(["127.0.0.1"], proxy.port, ("127.0.0.1", proxy.target), answer="again")
            )
            await again.listen_at(tmp_path / "configuration")
            assert await again.wait_until_applied(NODE, 20)
            assert await ask("127.0.0.1", proxy.port) == "200 again"
            await again.close()

    run(scenario)


def test_a_path_at_which_nobody_is_expected_any_more_is_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = ConfigurationServer()
        kept, left = tmp_path / "kept", tmp_path / "left"
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            await server.listen_at(left)
            server.stop_listening_at(left)
        await server.listen_at(kept)
        # Sockets are closed soon, not at once.
        await asyncio.sleep(0)
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
        assert (kept.exists(), left.exists()) == (True, False)
        await server.close()

    run(scenario)
