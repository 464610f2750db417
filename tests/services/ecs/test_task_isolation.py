"""Attempts of a container to get out of its task, which fail: as root, and as an ordinary user.

The probes are those of functions' sandboxes (`tests/engines/sandbox/test_isolation.py`), as far as they apply.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cloudlet.engines.containers.description import DEFAULT_CAPABILITIES
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.ecs.containers import LOGS, Tasks
from tests.standing import eventually

_ORDINARY = 65534
_SETUID_BITS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7}
_BITS = {
    **_SETUID_BITS,
    **{"SETPCAP": 8, "NET_BIND_SERVICE": 10, "SYS_CHROOT": 18, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31},
}


class Host(NamedTuple):
    """A Cloudlet, and its data folder."""

    server: Server
    data: Path


@pytest.fixture(scope="module", params=["root", "ordinary user"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    user = None
    if request.param == "ordinary user":
        if os.geteuid() != 0:
            pytest.skip("the other tests are run by an ordinary user already")
        user = _ORDINARY
    # Not one of pytest's folders, which are for its own user alone.
    data = tempfile.mkdtemp(prefix="cloudlet-test-")
    if user is not None:
        os.chown(data, user, user)
    try:
        with Server.start("--data", data, env={"HOME": data, "OF_THE_HOST": "hush-hush"}, user=user) as server:
            yield Host(server, Path(data))
    finally:
        shutil.rmtree(data)


@pytest.fixture
def tasks(host: Host) -> Tasks:
    return Tasks(Aws(host.server.endpoint, fresh_account()))


def print_all(tasks: Tasks, script: str, mode: str = "host", **container: Any) -> list[str]:
    """Return what a task prints to its end."""
    arn = tasks.run({"command": ["sh", "-c", f"{script}; true"], "logConfiguration": LOGS, **container}, mode=mode)
    tasks.wait(arn, "STOPPED")
    return tasks.read(arn)


def test_it_sees_its_image_and_nothing_of_the_machine(tasks: Tasks, host: Host) -> None:
    said = print_all(tasks, f"ls {host.data} /home /work /var /etc/shadow 2>/dev/null; ls /")
    assert set(said) == {"bin", "dev", "etc", "proc", "root", "srv", "tmp"}


def test_two_share_no_files_and_no_processes(tasks: Tasks) -> None:
    marker = f"700.{tasks.aws.account}"
    arn = tasks.run(
        {"command": ["sh", "-c", f"echo secret > /tmp/mine; KEY=secret exec sleep {marker}"], "stopTimeout": 1}
    )
    tasks.wait(arn, "RUNNING")
    said = print_all(tasks, "ls /tmp /proc; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert not [line for line in said if "secret" in line or marker in line]
    assert len([line for line in said if line.isdecimal()]) <= 3
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")


_ATTEMPTS = (
    "busybox unshare -U true",
    "busybox unshare -m true",
    "busybox unshare -n true",
    "busybox mount -t tmpfs none /tmp",
    "busybox mount --bind /tmp /bin",
    "busybox mount -o remount,rw /proc",
    "busybox umount /proc",
    "busybox hostname other",
    "busybox date -s 2000-01-01 && busybox date | grep 2000",
    "busybox dmesg",
    "busybox nsenter -t 1 -m true",
    "busybox ip link set lo down",
    "busybox ip link add x type dummy",
    "busybox ping -c 1 127.0.0.1",
    "busybox swapoff -a",
    "busybox reboot -f",
    "busybox losetup /dev/loop0 /srv/index.html",
    "echo 1 > /proc/sys/kernel/sysrq",
    "echo core > /proc/sys/kernel/core_pattern",
    "echo 0 > /proc/sys/net/ipv4/ip_forward",
    "echo 0 > /proc/sys/vm/swappiness",
    "echo c > /proc/sysrq-trigger",
    "head -c 1 /proc/kcore",
    "busybox mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk",
    "busybox mknod /dev/disk b 254 0 && head -c 1 /dev/disk",
    "busybox mknod /dev/mem c 1 1 && head -c 1 /dev/mem",
    "echo y > /dev/.cloudlet/env",
    "kill -0 -1 && kill -0 2",
)


@pytest.mark.parametrize("mode", ["host", "bridge"])
@pytest.mark.parametrize("added", [None, ["ALL"]])
def test_the_kernel_is_closed_to_it(tasks: Tasks, mode: str, added: list[str] | None) -> None:
    tried = "; ".join(f"if {each}; then echo 'done: {each}'; fi 2>/dev/null" for each in _ATTEMPTS)
    more = {"linuxParameters": {"capabilities": {"add": added}}} if added else {}
    said = print_all(tasks, f"{tried}; echo end", mode, **more)
    assert said[-1] == "end"
    assert [line for line in said if line.startswith("done: ")] == []


def test_it_has_the_rights_of_containers_and_gets_no_others(tasks: Tasks, host: Host) -> None:
    said = print_all(tasks, "grep -E '^(CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -d ' \\t'")
    found = dict(line.split(":") for line in said)
    assert (found["NoNewPrivs"], found["Seccomp"], int(found["CapAmb"], 16)) == ("1", "2", 0)
    wanted = sum(1 << _BITS[each] for each in DEFAULT_CAPABILITIES)
    assert int(found["CapEff"], 16) & ~wanted == 0
    said = print_all(tasks, "grep -E '^Cap(Eff|Prm)' /proc/self/status | tr -d ' \\t'", user="999")
    assert said == ["CapPrm:0000000000000000", "CapEff:0000000000000000"] or host.data.stat().st_uid == _ORDINARY


def test_it_gets_only_the_environment_and_the_descriptors_it_is_given(tasks: Tasks) -> None:
    said = print_all(tasks, "env; busybox ls -l /proc/self/fd", environment=[{"name": "GIVEN", "value": "yes"}])
    assert "GIVEN=yes" in said
    assert not [line for line in said if "hush-hush" in line]
    opened = [line.partition(" -> ")[2] for line in said if " -> " in line]
    assert [each for each in opened if not each.startswith(("pipe:", "/dev/null", "/proc/"))] == []
    assert len(opened) <= 4


def test_what_it_is_given_is_on_no_command_line(tasks: Tasks) -> None:
    given = [{"name": "TOKEN", "value": f"hush-{tasks.aws.account}"}]
    check = {"command": ["CMD-SHELL", "for i in 1 2 3 4; do sleep 0.1; done"], "interval": 5, "startPeriod": 0}
    arn = tasks.run({"environment": given, "healthCheck": check, "stopTimeout": 2})
    seen = set()
    until_healthy = iter(range(2000))
    while next(until_healthy, None) is not None:
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = file.read_bytes()
                if given[0]["value"].encode() in line:
                    seen.add(line)
        if tasks.describe(arn)["containers"][0]["healthStatus"] == "HEALTHY":
            break
    assert seen == set()
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")


def test_what_is_executed_in_it_has_no_more_rights(tasks: Tasks) -> None:
    wanted = "'^(Cap(Eff|Bnd)|NoNewPrivs|Seccomp):'"
    status = f"grep -E {wanted} /proc/self/status"
    check = {"command": ["CMD-SHELL", f"{status} > /tmp/checked"], "interval": 5}
    wait = f"while [ ! -s /tmp/checked ]; do sleep 0.1; done; cat /tmp/checked; {status}"
    said = print_all(tasks, wait, healthCheck=check)
    assert said[:4] == said[4:]


def test_it_cannot_replace_what_starts_programs_in_it(tasks: Tasks) -> None:
    place = "/dev/.cloudlet"
    tried = f"busybox mv {place} /dev/x; busybox rm -rf {place}/env; busybox touch {place}/x; busybox ls {place}"
    said = print_all(tasks, f"{{ {tried}; }} 2>/dev/null")
    assert {"env", "loader"} <= set(said)
    assert "x" not in said


def test_what_it_is_given_makes_nothing_of_the_machine_do_anything(tasks: Tasks) -> None:
    """Programs that prepare a container are the machine's: the loader of programs would tell of it here."""
    given = {"LD_SHOW_AUXV": "1", "LD_PRELOAD": "/srv/index.html", "PATH": "/srv:/bin", "MALLOC_TRACE": "/tmp/trace"}
    said = print_all(
        tasks,
        "echo $LD_PRELOAD $PATH; ls /tmp",
        environment=[{"name": name, "value": value} for name, value in given.items()],
    )
    assert said == ["/srv/index.html /srv:/bin"]


def test_its_memory_is_bounded(tasks: Tasks, host: Host) -> None:
    if host.data.stat().st_uid != os.geteuid():
        pytest.skip("an ordinary user has no control groups")
    said = print_all(tasks, "(head -c 400m /dev/zero | busybox tail >/dev/null && echo all of it); echo end")
    assert "all of it" not in said


def test_its_shared_memory_is_bounded(tasks: Tasks) -> None:
    said = print_all(tasks, "head -c 80m /dev/zero > /dev/shm/big || echo full", memory=512)
    assert "full" in "".join(said)


def test_what_it_leaves_running_ends_with_it(tasks: Tasks) -> None:
    marker = f"701.{tasks.aws.account}"
    assert print_all(tasks, f"sleep {marker} & busybox setsid sleep {marker} & echo left") == ["left"]
    eventually(lambda: not [line for line in _command_lines() if marker.encode() in line])


def test_the_machine_is_out_of_reach_of_its_network(tasks: Tasks, host: Host) -> None:
    port = host.server.endpoint.rpartition(":")[2]
    addresses = ["127.0.0.1", "0.0.0.0", _find_own_address()]
    tried = "; ".join(f"wget -T 2 -q -S -O - http://{each}:{port}/ 2>&1" for each in addresses)
    said = print_all(tasks, tried, "bridge")
    assert [line for line in said if "HTTP/1" in line or "CloudLet" in line] == []


def _find_own_address() -> str:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("203.0.113.1", 9))
        return str(asking.getsockname()[0])


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_bytes()
