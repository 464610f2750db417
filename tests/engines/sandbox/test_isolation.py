"""What a program in a sandbox tries in order to get out, and how it fails."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines.sandbox import Limits, Mount, SandboxError
from tests.engines.sandbox.conftest import FORKS, LIMITS, Machine

PYTHON = "/usr/bin/python3"


def test_it_sees_the_systems_programs_and_nothing_of_its_users(in_sandboxes: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the host")

    async def scenario(machine: Machine) -> None:
        run = await machine.shell(f"cat {secret} /etc/shadow /etc/passwd; ls /root /home /work /var; ls /")
        assert "of the host" not in run.printed
        assert "root:" not in run.printed
        visible = set(run.printed.splitlines()[-12:])
        assert {"usr", "bin", "tmp", "proc", "dev", "etc"} <= visible
        assert not visible & {"root", "home", "work", "var", "mnt", "srv", "boot"}

    in_sandboxes(scenario)


def test_it_cannot_write_but_in_its_own_tmp(in_sandboxes: Any, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "file").write_text("as it was")

    async def scenario(machine: Machine) -> None:
        run = await machine.shell(
            "for path in /x /usr/x /etc/x /var/task/x /var/task/file; do echo y > $path && echo written $path; done;"
            "chmod 777 /var/task/file && echo changed; echo mine > /tmp/x && cat /tmp/x",
            mounts=[Mount(tmp_path / "code", "/var/task")],
        )
        assert "written" not in run.printed
        assert "changed" not in run.printed
        assert run.printed.splitlines()[-1] == "mine"
        assert (tmp_path / "code" / "file").read_text() == "as it was"

    in_sandboxes(scenario)


def test_two_share_no_files_no_processes_and_no_user(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        async with machine.started("sh", "-c", "echo secret > /tmp/mine; sleep 60", environment={"KEY": "secret"}) as (
            one,
            _,
        ):
            other = await machine.shell("ls /tmp; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' ' '; id -u")
            assert "secret" not in other.printed
            assert "sleep" not in other.printed
            if os.geteuid() == 0:
                assert one.user is not None
                assert other.printed.split()[-1] not in ("0", str(one.user))
            assert not one.ended.done()

    in_sandboxes(scenario)


@pytest.mark.parametrize(
    "attempt",
    [
        "unshare -U true",
        "unshare -m true",
        "mount -t tmpfs none /tmp",
        "mount --bind /tmp /usr",
        "umount /proc",
        "hostname other",
        "date -s 2000-01-01",
        "echo 1 > /proc/sys/kernel/sysrq",
        "echo core > /proc/sys/kernel/core_pattern",
        "echo c > /proc/sysrq-trigger",
        "mknod /tmp/disk b 254 0",
        "dmesg",
        "chroot /tmp true",
    ],
)
def test_the_kernel_is_closed_to_it(in_sandboxes: Any, attempt: str) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.shell(f"PATH=$PATH:/usr/sbin:/sbin; if {attempt}; then echo done; else echo failed; fi")
        assert run.printed.splitlines()[-1] == "failed", run.printed

    in_sandboxes(scenario)


def test_it_can_signal_nobody_outside(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        mine = os.getpid()
        run = await machine.shell(f"kill -0 {mine} && echo found; kill -9 -1; echo survived")
        assert "found" not in run.printed

    in_sandboxes(scenario)


def test_it_has_no_privileges_and_cannot_get_any(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.shell("grep -E '^(CapEff|CapPrm|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status")
        found = dict(line.split(":\t") for line in run.printed.splitlines())
        assert {found[name] for name in ("CapEff", "CapPrm", "CapAmb")} == {"0" * 16}
        assert found["NoNewPrivs"] == "1"
        assert found["Seccomp"] == "2"

    in_sandboxes(scenario)


def test_it_gets_only_the_environment_and_the_descriptors_it_is_given(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        os.environ["OF_THE_HOST"] = "secret"
        leaked = os.open("/etc/hostname", os.O_RDONLY)
        os.set_inheritable(leaked, True)
        try:
            run = await machine.shell("env; ls /proc/self/fd", environment={"GIVEN": "yes"})
        finally:
            os.close(leaked)
        assert "GIVEN=yes" in run.printed
        assert "secret" not in run.printed
        assert str(leaked) not in run.printed.split()

    in_sandboxes(scenario)


def test_its_environment_is_on_no_command_line(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        async with machine.started("sleep", "60", environment={"TOKEN": "hush-hush"}):
            lines = []
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    lines.append(await asyncio.to_thread(file.read_bytes))
                except OSError:
                    continue
            assert any(b"sleep" in line for line in lines)
            assert not any(b"hush-hush" in line for line in lines)

    in_sandboxes(scenario)


def test_its_tmp_is_bounded(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.shell("head -c 20000000 /dev/zero > /tmp/big || echo full; stat -c %s /tmp/big")
        assert "full" in run.printed
        assert int(run.printed.split()[-1]) <= LIMITS.tmp

    in_sandboxes(scenario)


def test_its_memory_is_bounded(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.run(PYTHON, "-c", "x = bytearray(200 << 20); print('all of it')")
        assert "all of it" not in run.printed
        assert run.status == -9

    in_sandboxes(scenario)


def test_its_processes_are_bounded(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.run(PYTHON, "-c", FORKS)
        assert 0 < int(run.printed) < LIMITS.processes

    in_sandboxes(scenario)


def test_its_processor_is_bounded(in_sandboxes: Any) -> None:
    script = "import time; end = time.time() + 1\nwhile time.time() < end: pass\nprint(time.process_time())"

    async def scenario(machine: Machine) -> None:
        run = await machine.run(PYTHON, "-c", script, limits=Limits(64 << 20, 1 << 20, 0.25))
        assert float(run.printed) < 0.6

    in_sandboxes(scenario)


def test_its_open_files_are_bounded(in_sandboxes: Any) -> None:
    script = "import os\nn = 0\ntry:\n while True: os.dup(0); n += 1\nexcept OSError: print(n)"

    async def scenario(machine: Machine) -> None:
        run = await machine.run(PYTHON, "-c", script)
        assert int(run.printed) < LIMITS.files

    in_sandboxes(scenario)


def test_what_it_leaves_running_ends_with_it(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        # Others may run the same test.
        marker = f"600.{os.getpid()}"
        run = await machine.shell(f"sleep {marker} & setsid sleep {marker} & echo left")
        assert run.printed == "left\n"
        running = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
        assert not any(marker.encode() in line for line in running)

    in_sandboxes(scenario)


def test_what_it_is_given_is_no_option_of_the_sandboxs(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        with pytest.raises(SandboxError, match="no null characters"):
            await machine.run("true", environment={"A": "1\0--bind\0/\0/mnt"})

    in_sandboxes(scenario)


def test_what_it_is_given_makes_nothing_of_root_do_anything(in_sandboxes: Any, tmp_path: Path) -> None:
    """What gives up root's rights is itself root's: the loader of programs would tell of it here."""
    (tmp_path / "setpriv").write_text("#!/bin/sh\necho taken for another program")
    (tmp_path / "setpriv").chmod(0o755)

    async def scenario(machine: Machine) -> None:
        given = {"LD_SHOW_AUXV": "1", "LD_LIBRARY_PATH": "/var/task", "PATH": "/var/task:/bin", "MINE": "a b"}
        run = await machine.shell(
            "echo $MINE $LD_LIBRARY_PATH $PATH; exec true",
            environment=given,
            mounts=[Mount(tmp_path, "/var/task")],
        )
        assert "a b /var/task /var/task:/bin" in run.printed.splitlines()
        users = {line.split()[-1] for line in run.printed.splitlines() if line.startswith("AT_UID:")}
        assert len(users) == 1
        assert "0" not in users
        assert "another program" not in run.printed

    in_sandboxes(scenario)


def test_it_knows_no_user_but_itself(in_sandboxes: Any) -> None:
    async def scenario(machine: Machine) -> None:
        asking = (
            "import os, pwd; print(pwd.getpwuid(os.getuid()).pw_name, len(pwd.getpwall()), os.path.expanduser('~'))"
        )
        assert (await machine.run("/usr/bin/python3", "-c", asking)).printed == "sandbox 1 /home/sandbox\n"

    in_sandboxes(scenario)
