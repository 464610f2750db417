"""Containers of the keeper: images run, see what they are given, and end as they are told."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from cloudlet.engines.containers import users
from cloudlet.engines.containers.description import Container, Mount
from cloudlet.engines.keeper.client import KeeperClient, KeeperError
from cloudlet.engines.keeper.protocol import Event
from tests.engines.keeper import images


class Host:
    """A keeper, an image, and what its containers have printed."""

    def __init__(self, folder: Path, owner: int) -> None:
        self.folder = folder
        self.root = images.make(folder)
        self.events: list[Event] = []
        self.client = KeeperClient(folder / "keeper", owner, self.events.append)

    def describe(self, name: str, *command: str, **more: Any) -> dict[str, Any]:
        container = Container(
            str(self.root),
            str(self.folder / f"{name}-scratch"),
            command,
            str(self.folder / f"{name}.log"),
            environment={"PATH": "/bin", **more.pop("environment", {})},
            **more,
        )
        return dict(msgspec.to_builtins(container))

    async def run(self, name: str, *command: str, **more: Any) -> None:
        assert await self.client.call("run", name=name, spec=self.describe(name, *command, **more))

    async def code(self, name: str) -> int:
        """Return the exit code of a container once it has ended."""
        while (code := (await self.client.call("describe"))["containers"].get(name)) is None:
            await asyncio.sleep(0.01)
        return int(code)

    def printed(self, name: str, stream: str = "stdout") -> list[str]:
        lines = (self.folder / f"{name}.log").read_text().splitlines()
        return [said["l"] for line in lines if (said := json.loads(line))["s"] == stream]

    async def output(self, name: str, *command: str, **more: Any) -> list[str]:
        await self.run(name, *command, **more)
        assert await self.code(name) == 0, self.printed(name, "stderr")
        return self.printed(name)


Scenario = Callable[[Host], Awaitable[None]]


@pytest.fixture
def run() -> Iterator[Callable[[Scenario], None]]:
    # Not a folder of pytest's, which no other user may enter: containers have users of their own.
    with (
        TemporaryDirectory() as name,
        subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as owner,
    ):
        folder = Path(name)
        folder.chmod(0o755)

        def run(scenario: Scenario) -> None:
            async def within() -> None:
                host = Host(folder, owner.pid)
                try:
                    async with asyncio.timeout(60):
                        await scenario(host)
                finally:
                    host.client.close()

            asyncio.run(within())

        yield run
        owner.kill()
        _wait_for_end(folder / "keeper.lock")


def test_a_container_prints_and_ends_with_a_code(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "sh", "-c", "echo out; echo err >&2; exit 3")
        assert await host.code("c") == 3
        assert (host.printed("c"), host.printed("c", "stderr")) == (["out"], ["err"])
        assert host.events == [Event("container_ended", {"name": "c", "code": 3, "is_out_of_memory": False})]

    run(scenario)


def test_it_sees_its_image_its_environment_and_what_it_is_given(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        volume = host.folder / "volume"
        volume.mkdir()
        (volume / "file").write_text("from the volume")
        os.chown(volume, users.to_machine(0), users.to_machine(0))
        given = await host.output(
            "c",
            "sh",
            "-c",
            "cat /etc/hosts; cat /data/file; echo; echo new > /data/new; echo $COLOUR $PWD; echo $$",
            environment={"COLOUR": "red"},
            folder="/srv",
            files={"/etc/hosts": "10.0.0.1 db\n"},
            mounts=(Mount(str(volume), "/data"),),
        )
        assert given == ["10.0.0.1 db", "from the volume", "red /srv", "1"]
        assert (volume / "new").read_text() == "new\n"

    run(scenario)


def test_what_it_changes_is_its_own(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        assert await host.output("a", "sh", "-c", "echo changed > /srv/index.html; cat /srv/index.html") == ["changed"]
        assert await host.output("b", "cat", "/srv/index.html") == ["hello from a container"]
        await host.run("c", "touch", "/file", is_read_only=True)
        assert await host.code("c") == 1
        assert "Read-only file system" in host.printed("c", "stderr")[0]

    run(scenario)


def test_users_are_those_of_the_image(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        said = await host.output("c", "id", user=999, group=999)
        assert said[0].startswith("uid=999(www) gid=999")
        if users.have_ranges():
            said = await host.output("d", "sh", "-c", "touch /f && chown 999 /f && ls -ln /f")
            assert said[0].split()[2] == "999"

    run(scenario)


def test_it_has_no_rights_over_its_network_or_the_machine(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "sh", "-c", "busybox mount -t tmpfs t /tmp; busybox hostname other")
        assert await host.code("c") != 0
        assert len([line for line in host.printed("c", "stderr") if "permitted" in line or "denied" in line]) == 2

    run(scenario)


def test_a_capability_lets_it_change_its_root(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        changing = ("busybox", "chroot", "/", "/bin/echo", "within")
        for name, capabilities in (("with", ("SYS_CHROOT",)), ("without", ())):
            await host.run(name, *changing, capabilities=capabilities)
            is_allowed = bool(capabilities) and users.have_ranges()
            assert (await host.code(name) == 0, host.printed(name)) == (is_allowed, ["within"] * is_allowed)

    run(scenario)


def test_containers_of_a_network_reach_each_other(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        call = host.client.call
        await call("make_network", network="vpc", addresses="10.0.0.0/16")
        for number in (5, 6):
            address = f"10.0.1.{number}"
            await call("attach", network="vpc", interface=f"eni{number}", address=address, subnet="10.0.1.0/24")
        await host.run("server", "httpd", "-f", "-p", "80", "-h", "/srv", network="vpc", interface="eni5")
        fetch = "for i in 1 2 3 4 5 6 7 8 9 10; do wget -q -O - http://10.0.1.5/ && exit; sleep 0.1; done; exit 1"
        said = await host.output("client", "sh", "-c", fetch, network="vpc", interface="eni6")
        assert said == ["hello from a container"]
        with pytest.raises(KeeperError, match="has no interface eni7"):
            await host.run("lost", "id", network="vpc", interface="eni7")

    run(scenario)


def test_signals_reach_its_program(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        trapping = "trap 'echo asked; exit 7' TERM; echo ready; while true; do sleep 0.05; done"
        await host.run("c", "sh", "-c", trapping)
        while not host.printed("c"):
            await asyncio.sleep(0.01)
        await host.client.call("signal", name="c", number=signal.SIGTERM)
        assert await host.code("c") == 7
        await host.run("e", "sh", "-c", trapping, has_init=True)
        while not host.printed("e"):
            await asyncio.sleep(0.01)
        await host.client.call("signal", name="e", number=signal.SIGTERM)
        assert await host.code("e") == 7
        await host.run("d", "sleep", "1000")
        await host.client.call("kill", name="d")
        assert await host.code("d") == 128 + signal.SIGKILL

    run(scenario)


def test_it_outlives_the_block_that_wanted_it(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "sleep", "1000")
        host.client.close()
        assert (await host.client.call("describe"))["containers"] == {"c": None}
        assert not await host.client.call("run", name="c", spec=host.describe("c", "sleep", "1000"))

    run(scenario)


def test_programs_are_executed_in_it(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "sleep", "1000", environment={"COLOUR": "red"}, folder="/srv")
        call = host.client.call
        said = await call("execute", name="c", command=["sh", "-c", "echo $COLOUR $PWD; exit 4"], seconds=20)
        assert said == {"code": 4, "output": "red /srv\n"}
        endless = await call("execute", name="c", command=["sh", "-c", "while echo on; do :; done"], seconds=0.2)
        assert (endless["code"], len(endless["output"])) == (None, 4096)
        slow = [call("execute", name="c", command=["sleep", "1000"], seconds=2) for _ in range(12)]
        others = asyncio.gather(*slow)
        assert (await call("execute", name="c", command=["echo", "beside"], seconds=20))["output"] == "beside\n"
        assert not others.done()
        assert [each["code"] for each in await others] == [None] * 12

    run(scenario)


def test_it_gets_hold_of_no_program_of_the_machine(run: Callable[[Scenario], None]) -> None:
    """The interpreter of a script may be what has started it, which is seen through a mount for reading alone."""

    async def scenario(host: Host) -> None:
        script = host.root / "s"
        script.write_text("#!/proc/self/exe\n")
        script.chmod(0o755)
        await host.run("c", "/s")
        assert await host.code("c") != 0
        assert "/s: error while loading shared libraries" in "".join(host.printed("c", "stderr"))
        await host.run("d", "sleep", "1000")
        said = await host.client.call("execute", name="d", command=["/s"], seconds=20)
        assert "/s: error while loading shared libraries" in said["output"]

    run(scenario)


def test_the_environment_stands_in_no_command_line(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "sleep", "1000", environment={"PASSWORD": "a-secret-word"})
        executing = asyncio.create_task(host.client.call("execute", name="c", command=["sleep", "1.234"], seconds=20))
        while b"1.234" not in (lines := b"".join(_command_lines())):
            await asyncio.sleep(0.01)
        assert b"a-secret-word" not in lines
        assert (await executing)["code"] == 0

    run(scenario)


def test_a_terminal_leads_into_it(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "sleep", "1000")
        terminal = await host.client.open_terminal("c", ["sh"])
        os.write(terminal, b"id -u; echo $((6*7))\n")
        said = b""
        while b"42" not in said:
            said += await asyncio.to_thread(os.read, terminal, 4096)
        os.close(terminal)

    run(scenario)


def test_all_ends_with_a_keeper_that_is_killed(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "sh", "-c", "while true; do echo on; sleep 0.05; done")
        keeper = (await host.client.call("describe"))["pid"]
        while not host.printed("c"):
            await asyncio.sleep(0.01)
        os.kill(keeper, signal.SIGKILL)
        while b"while true; do echo on" in b"".join(_command_lines()):
            await asyncio.sleep(0.01)
        while host.client.is_connected:
            await asyncio.sleep(0.01)
        assert (await host.client.call("describe"))["containers"] == {}
        assert await host.output("d", "echo", "again") == ["again"]

    run(scenario)


def _wait_for_end(lock: Path) -> None:
    """Wait until no keeper holds its lock: it leaves files in the folder until then."""
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()


def test_a_program_that_is_not_there_is_said(run: Callable[[Scenario], None]) -> None:
    async def scenario(host: Host) -> None:
        await host.run("c", "nothing")
        assert await host.code("c") == 127
        assert "nothing" in host.printed("c", "stderr")[0]

    run(scenario)
