"""Sandboxes where control groups are missing: each process is limited for itself."""

from __future__ import annotations

import asyncio
import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines.sandbox import SandboxError, Sandboxes, Spec, cgroups, rlimits, sandboxes
from tests.engines.sandbox.conftest import FORKS, LIMITS, Machine, killed_at_any_time

PYTHON = "/usr/bin/python3"
TAKES_ALL = f"x = bytearray({LIMITS.memory + rlimits.RESERVED}); print('all of it')"


@pytest.fixture(autouse=True)
def no_control_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "find", lambda name: cgroups.Cgroups({}, unified=False))


def test_what_holds_is_told(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        await machine.shell("true")
        memory, cpu, pids, freezer = machine.sandboxes.weaknesses
        assert "limited for each process, not for all of them together" in memory
        assert "processor" in cpu
        assert "each sandbox has its own" in pids
        assert "not halted" in freezer

    in_sandboxes(scenario)


def test_memory_is_bounded_for_each_process(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.run(PYTHON, "-c", TAKES_ALL)
        assert run.printed.splitlines()[-1] == "MemoryError"
        inherited = await machine.shell(f'{PYTHON} -c "{TAKES_ALL}" & wait $!')
        assert inherited.printed.splitlines()[-1] == "MemoryError"

    in_sandboxes(scenario)


def test_whenever_it_is_killed_nothing_of_it_goes_on(in_sandboxes: Any) -> None:
    in_sandboxes(killed_at_any_time)


def test_what_it_shares_with_nobody_may_be_used_up_to_the_limit(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.run(PYTHON, "-c", f"x = bytearray({LIMITS.memory}); print('all of it')")
        assert run.printed == "all of it\n"

    in_sandboxes(scenario)


def test_processes_are_bounded(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        async with machine.started(PYTHON, "-c", FORKS) as (_, _):
            # Others have theirs.
            other = await machine.run(PYTHON, "-c", FORKS)
            assert 0 < int(other.printed) < LIMITS.processes

    in_sandboxes(scenario)


def test_limits_cannot_be_raised_from_inside(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        asking = (
            "import resource as r\n"
            "for what in (r.RLIMIT_DATA, r.RLIMIT_NPROC):\n"
            " try: r.setrlimit(what, (r.RLIM_INFINITY, r.RLIM_INFINITY)); print('raised')\n"
            " except ValueError: print('refused')"
        )
        assert (await machine.run(PYTHON, "-c", asking)).printed.split() == ["refused", "refused"]

    in_sandboxes(scenario)


def test_what_runs_before_the_limits_follows_no_variable_of_the_program(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.shell("exec true", environment={"LD_SHOW_AUXV": "1", "PATH": "/bin"})
        # `env` runs with the limits already, and so does what it starts.
        assert run.printed.count("AT_UID:") == 2

    in_sandboxes(scenario)


def test_limits_can_be_changed_while_it_runs(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        reading, writing = os.pipe()
        script = f"import os; os.read({reading}, 1); {TAKES_ALL}"
        async with machine.started(
            PYTHON, "-c", script, descriptors=[reading], limits=LIMITS._replace(memory=1 << 30), waits=True
        ) as (sandbox, printed):
            await sandbox.limit(LIMITS)
            os.write(writing, b"x")
            assert "MemoryError" in await printed()
        os.close(reading)
        os.close(writing)

    in_sandboxes(scenario)


def test_what_all_hold_together_is_told(in_sandboxes: Any) -> None:
    held = "import os, time; os.fork(); x = bytearray(30 << 20); time.sleep(60)"

    async def scenario(machine: Machine) -> None:
        async with machine.started(PYTHON, "-c", held) as (sandbox, _):

            async def grown() -> int:
                while (memory := await sandbox.memory()) < 60 << 20:
                    await asyncio.sleep(0.01)
                return memory

            assert await asyncio.wait_for(grown(), 20) < 90 << 20

    in_sandboxes(scenario)


def test_what_a_process_has_of_its_parent_counts_once(in_sandboxes: Any) -> None:
    held = (
        "import os, time; x = b'x' * (30 << 20); [os.fork() or time.sleep(60) for _ in range(4)];"
        "print('forked', flush=True); time.sleep(60)"
    )

    async def scenario(machine: Machine) -> None:
        reading, writing = os.pipe()
        sandbox = await machine.sandboxes.start(Spec([PYTHON, "-c", held], LIMITS), writing)
        os.close(writing)
        assert await asyncio.to_thread(os.read, reading, 100) == b"forked\n"
        os.close(reading)
        assert 30 << 20 <= await sandbox.memory() < 60 << 20
        await sandbox.close()

    in_sandboxes(scenario)


def test_without_a_sandbox_memory_is_bounded_and_processes_are_not() -> None:
    async def scenario() -> None:
        machine = Machine(Sandboxes("none"))
        run = await machine.run(PYTHON, "-c", TAKES_ALL, environment={"PATH": "/usr/bin:/bin"})
        assert "MemoryError" in run.printed
        limit = await machine.run(PYTHON, "-c", "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[0])")
        assert int(limit.printed) == resource.getrlimit(resource.RLIMIT_NPROC)[0]
        assert any("number of processes is not limited" in weakness for weakness in machine.sandboxes.weaknesses)
        await machine.sandboxes.close()

    asyncio.run(scenario())


def test_where_processes_are_counted_with_others_they_are_not_limited(
    in_sandboxes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by kernels before 5.14, for an ordinary user: what looks finds no room for its own."""
    none = sandboxes._FEW_PROCESSES
    monkeypatch.setattr(sandboxes, "_FEW_PROCESSES", replace(none, limits=none.limits._replace(processes=1)))

    async def scenario(machine: Machine) -> None:
        assert (await machine.shell("true & wait $!; ulimit -p; echo forked")).printed.split()[-1] == "forked"
        assert any("number of processes is not limited" in weakness for weakness in machine.sandboxes.weaknesses)

    in_sandboxes(scenario)


def test_a_program_that_is_missing_for_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudlet.engines.sandbox.privileges.find_program", _nothing)

    async def scenario() -> None:
        sandboxes = Sandboxes()
        with pytest.raises(SandboxError, match="there is no"):
            await Machine(sandboxes).shell("true")
        await sandboxes.close()

    asyncio.run(scenario())


def _nothing(name: str) -> Path:
    raise FileNotFoundError(f"there is no {name}")
