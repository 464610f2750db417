"""Sandboxes as whoever starts them has them: halted, measured, ended, cleaned up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines.sandbox import Limits, Mount, SandboxError, Sandboxes, Spec, cgroups, seccomp
from tests.engines.sandbox.conftest import LIMITS, MARKER, Machine, killed_at_any_time, marked
from tests.standing import eventually

PYTHON = "/usr/bin/python3"


def groups() -> set[str]:
    """Return the control groups of this process's sandboxes."""
    return {str(path) for path in Path("/sys/fs/cgroup").rglob(f"cloudlet-{os.getpid()}*")}


def test_its_exit_status_is_told(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        assert (await machine.shell("exit 7")).status == 7
        assert (await machine.shell("kill -TERM $$")).status == -signal.SIGTERM
        async with machine.started("sleep", "60") as (sandbox, _):
            sandbox.kill()
            assert await asyncio.wait_for(sandbox.ended, 10) == -signal.SIGKILL

    in_sandboxes(scenario)


def test_it_can_be_halted_and_goes_on_and_can_be_ended_meanwhile(in_sandboxes: Any) -> None:
    script = "while true; do echo tick; sleep 0.01; done"

    async def scenario(machine: Machine) -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        sandbox = await machine.sandboxes.start(Spec(["sh", "-c", script], LIMITS), writing)
        os.close(writing)

        def ticks() -> int:
            try:
                return len(os.read(reading, 1 << 20))
            except BlockingIOError:
                return 0

        async def ticking() -> None:
            while not ticks():
                await asyncio.sleep(0.01)

        await asyncio.wait_for(ticking(), 10)
        sandbox.freeze()
        await asyncio.sleep(0.05)
        ticks()
        await asyncio.sleep(0.2)
        assert ticks() == 0
        sandbox.thaw()
        await asyncio.wait_for(ticking(), 10)
        sandbox.freeze()
        await asyncio.wait_for(sandbox.close(), 10)
        os.close(reading)

    in_sandboxes(scenario)


@pytest.mark.parametrize(("command", "works"), [(("sleep", "60"), False), (("sh", "-c", "while :; do :; done"), True)])
def test_whether_it_works_or_waits_is_told(in_sandboxes: Any, command: tuple[str, ...], works: bool) -> None:
    async def scenario(machine: Machine) -> None:
        async with machine.started(*command) as (sandbox, _), asyncio.timeout(60):
            # To begin is some work, too.
            seen = [True, True, not works]
            while set(seen[-3:]) != {works}:
                await asyncio.sleep(0.1)
                seen.append(await asyncio.to_thread(sandbox.has_worked))

    in_sandboxes(scenario)


def test_how_long_it_was_kept_waiting_for_a_processor_is_told(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        busy = "while :; do :; done"
        # They may have one processor together: each waits while others work.
        async with machine.started("sh", "-c", f"{busy} & {busy} & {busy}") as (sandbox, _), asyncio.timeout(60):
            while await sandbox.delay() < 0.2:
                await asyncio.sleep(0.05)

    in_sandboxes(scenario)


def test_its_memory_is_told_without_what_is_in_tmp(in_sandboxes: Any) -> None:
    script = "import time; x = bytearray(20 << 20); open('/tmp/f', 'wb').write(bytes(10 << 20)); time.sleep(60)"

    async def scenario(machine: Machine) -> None:
        async with machine.started(PYTHON, "-c", script) as (sandbox, _):

            async def held() -> int:
                while (memory := await sandbox.memory()) < 20 << 20:
                    await asyncio.sleep(0.01)
                return memory

            assert await asyncio.wait_for(held(), 10) < 30 << 20

    in_sandboxes(scenario)


def test_limits_can_be_changed_while_it_runs(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        script = "import time; time.sleep(0.3); x = bytearray(100 << 20); print('all of it')"
        async with machine.started(PYTHON, "-c", script) as (sandbox, printed):
            await sandbox.limit(Limits(256 << 20, 0, 1.0))
            assert await printed() == "all of it\n"

    in_sandboxes(scenario)


def test_nothing_is_left_of_it(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        await machine.shell("true")
        before = set(Path("/proc/self/fd").iterdir())
        for _ in range(3):
            await machine.shell("true")
        assert len(set(Path("/proc/self/fd").iterdir()) - before) <= 1

    in_sandboxes(scenario)
    assert groups() == set()


def test_a_group_that_was_left_goes_in_the_end(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        machine.sandboxes._cgroups.create("sandbox-left")

    in_sandboxes(scenario)
    assert groups() == set()


def test_whenever_it_is_killed_nothing_of_it_goes_on(in_sandboxes: Any) -> None:
    in_sandboxes(killed_at_any_time)
    assert groups() == set()


@pytest.mark.parametrize(("ends", "status"), [("exit 128", 128), ("exit 255", 255), ("kill -9 $$", -9)])
def test_a_status_is_what_the_program_has_ended_with(in_sandboxes: Any, ends: str, status: int) -> None:
    async def scenario(machine: Machine) -> None:
        assert (await machine.shell(ends)).status == status

    in_sandboxes(scenario)


def test_what_nobody_waits_for_any_more_does_not_go_on(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        for seconds in (0.0, 0.001, 0.01, 0.02, 0.03):
            starting = asyncio.create_task(machine.sandboxes.start(Spec(["sleep", MARKER], LIMITS)))
            await asyncio.sleep(seconds)
            starting.cancel()
            await asyncio.wait([starting])
            if not starting.cancelled():
                await starting.result().close()
            assert marked() == []
        assert (await machine.shell("exit 7")).status == 7

    in_sandboxes(scenario)
    assert groups() == set()


def test_what_nobody_waits_for_ends_also_where_nobody_waits_for_its_end(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        assert (await machine.shell("exit 7")).status == 7
        for times in (1, 2, 3):
            starting = asyncio.create_task(machine.sandboxes.start(Spec(["sleep", MARKER], LIMITS)))
            await asyncio.sleep(0.001)
            for _ in range(times):
                starting.cancel()
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            await asyncio.wait([starting])
        await machine.sandboxes.close()
        assert marked() == []

    in_sandboxes(scenario)
    assert groups() == set()


def running() -> bool:
    """Whether what the next test starts is running: `sleep` itself, not what is about to become it."""
    return f"sleep\0{MARKER}\0".encode() in marked()


def test_it_ends_when_who_started_it_is_killed() -> None:
    script = f"""
import asyncio
from cloudlet.engines.sandbox import Limits, Sandboxes, Spec
async def main():
    sandbox = await Sandboxes().start(Spec(["sleep", "{MARKER}"], Limits(64 << 20, 1 << 20, 1.0)))
    print("started", flush=True)
    await sandbox.ended
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    eventually(running)
    process.kill()
    process.wait()
    process.stdout.close()
    eventually(running, lambda found: not found)
    # What the killed process could not clean up, the next one does.
    found = cgroups.find(f"cloudlet-{os.getpid()}")
    found.remove_orphans()
    found.close()
    assert not list(Path("/sys/fs/cgroup").rglob(f"cloudlet-{process.pid}"))


def test_where_no_sandbox_can_be_made_nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2; exit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr("cloudlet.engines.sandbox.bubblewrap.executable", lambda: str(refusing))

    async def scenario() -> None:
        sandboxes = Sandboxes()
        for _ in range(2):
            with pytest.raises(SandboxError, match=r"No permissions.*--sandbox none"):
                await sandboxes.start(Spec(["touch", str(tmp_path / "ran")], LIMITS))
        await sandboxes.close()

    asyncio.run(scenario())
    assert not (tmp_path / "ran").exists()


def test_without_a_sandbox_a_program_is_run_when_that_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        sandboxes = Sandboxes("none")
        assert any("--sandbox none" in weakness for weakness in sandboxes.weaknesses)
        sandbox = await sandboxes.start(
            Spec(["sh", "-c", f"echo $A > {tmp_path}/ran"], LIMITS, environment={"A": "yes", "PATH": "/bin"})
        )
        assert await sandbox.ended == 0
        await sandbox.close()
        await sandboxes.close()

    asyncio.run(scenario())
    assert (tmp_path / "ran").read_text() == "yes\n"


def test_control_groups_of_version_2_are_used_where_they_are(tmp_path: Path) -> None:
    """The files are ordinary ones here; what is written to them is what the kernel takes."""
    root, own = tmp_path / "cgroup", tmp_path / "own"
    (root / "system.slice" / "cloudlet.service").mkdir(parents=True)
    (root / "cgroup.controllers").write_text("cpu memory pids")
    for folder in (root, root / "system.slice"):
        (folder / "cgroup.subtree_control").write_text("cpu memory pids")
    own.write_text("0::/system.slice/cloudlet.service\n")
    made = root / "system.slice" / "cloudlet-1"
    made.mkdir()
    (made / "cgroup.subtree_control").write_text("cpu memory pids")
    found = cgroups.find("cloudlet-1", root, own)
    group = found.create("sandbox-1")
    assert group.entrances == [str(made / "sandbox-1" / "cgroup.procs")]
    group.limit(Limits(100, 28, 0.5, processes=9))
    written = {path.name: path.read_text() for path in (made / "sandbox-1").iterdir()}
    assert written == {"memory.max": "128", "memory.swap.max": "0", "cpu.max": "10000 20000", "pids.max": "9"}
    group.freeze()
    assert (made / "sandbox-1" / "cgroup.freeze").read_text() == "1"
    (made / "sandbox-1" / "memory.stat").write_text("anon 4096\nfile 1\nshmem 2\n")
    assert group.memory() == 4096


def test_the_filter_is_known_for_the_usual_machines_only() -> None:
    for machine in ("x86_64", "aarch64"):
        program = seccomp.program(machine)
        assert program is not None
        assert len(program) % 8 == 0
    assert seccomp.program("vax") is None


def test_starting_holds_the_event_loop_up_for_moments_only(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        await machine.shell("true")
        longest = 0.0
        done = asyncio.Event()

        async def look() -> None:
            nonlocal longest
            while not done.is_set():
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - before)

        looking = asyncio.create_task(look())
        for _ in range(5):
            await machine.shell("true")
        done.set()
        await looking
        assert longest < 0.2

    in_sandboxes(scenario)


def test_it_knows_itself_by_an_address_that_no_other_has(in_sandboxes: Any) -> None:
    listening = (
        "import socket\n"
        "server = socket.create_server(('sandbox.localdomain', 0))\n"
        "print(*server.getsockname(), flush=True)\n"
        "server.accept()\n"
    )

    async def scenario(machine: Machine) -> None:
        async def started() -> tuple[Any, str, int]:
            reading, writing = os.pipe()
            sandbox = await machine.sandboxes.start(Spec([PYTHON, "-c", listening], LIMITS), writing)
            os.close(writing)
            said = await asyncio.to_thread(os.read, reading, 1000)
            os.close(reading)
            host, port = said.decode().split()
            return sandbox, host, int(port)

        first, host, port = await started()
        second, other, _ = await started()
        try:
            assert (host, other) == (first.address, second.address)
            assert host != other
            assert await asyncio.to_thread(first.listens, host, port)
            assert not await asyncio.to_thread(second.listens, host, port)
            assert not await asyncio.to_thread(first.listens, other, port)
        finally:
            await first.close()
            await second.close()

    in_sandboxes(scenario)


def test_its_errors_may_be_kept_apart(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        pipes = [os.pipe(), os.pipe()]
        command = ["sh", "-c", "echo out; echo err >&2"]
        sandbox = await machine.sandboxes.start(Spec(command, LIMITS), pipes[0][1], pipes[1][1])
        for _, writing in pipes:
            os.close(writing)
        assert [await asyncio.to_thread(os.read, reading, 100) for reading, _ in pipes] == [b"out\n", b"err\n"]
        for reading, _ in pipes:
            os.close(reading)
        await sandbox.close()

    in_sandboxes(scenario)


@pytest.mark.parametrize("value", ["\0", "\ud800"])
def test_of_what_no_program_can_be_given_nothing_is_left(value: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        sandboxes = Sandboxes("none", tmp_path / "seen")
        spec = Spec(["true"], LIMITS, [Mount(tmp_path, "/var/task")], environment={"A": value, "PATH": "/bin"})
        with pytest.raises(SandboxError, match="cannot be started"):
            await sandboxes.start(spec)
        await sandboxes.close()

    asyncio.run(scenario())
    assert not list((tmp_path / "seen").iterdir())
