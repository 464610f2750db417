"""A server under test as the operating system sees it: its process tree, memory and processor time."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """A started server and all its children."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> None:
        with log.open("wb") as output:
            # Its own session, so that the whole tree can be ended by one signal to a group that is ours.
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.log = log

    def exit_code(self) -> int | None:
        """The exit code if the server has ended by itself."""
        return self._process.poll()

    def resident_bytes(self) -> int:
        """Resident memory of the tree now. Pages that processes share count once for each."""
        return sum(_status_kib(pid, "VmRSS") for pid in self._tree()) * 1024

    def peak_resident_bytes(self) -> int:
        """The tree's peak resident memory: the sum of the peaks of the processes alive."""
        return sum(_status_kib(pid, "VmHWM") for pid in self._tree()) * 1024

    def cpu_seconds(self) -> float:
        """Processor time of the tree so far, user and system, with what ended children used."""
        return tree_cpu_seconds(self._process.pid)

    def stop(self) -> None:
        """Asks the tree to end, and after five seconds makes it."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def list_tree(self) -> Iterator[int]:
        return list_tree(self._process.pid)


def tree_cpu_seconds(root: int) -> float:
    """Processor time of a process and its children so far, user and system, with what ended children used."""
    return sum(_cpu_ticks(pid) for pid in list_tree(root)) / CLOCK_TICKS


def busy_cpu_seconds() -> float:
    """Processor time that the whole machine has spent on anything but idling, all cores together."""
    user, nice, system, _idle, _wait, irq, softirq, steal = (
        int(ticks) for ticks in _read(Path("/proc/stat")).split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / CLOCK_TICKS


def list_tree(root: int) -> Iterator[int]:
    """Yield the ids of a process and its children."""
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            waiting += [int(child) for child in _read(children).split()]


def _status_kib(pid: int, field: str) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


def _cpu_ticks(pid: int) -> int:
    # The second field is the command's name in parentheses and may hold spaces.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15])


def _read(path: Path) -> str:
    # A process may end at any moment; one that has counts as nothing.
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
