"""Limits by control groups, of version 1 and 2.

Kernel documentation, "Control Group v2" and "Control Groups version 1". Where a controller is missing, or its files
may not be written, it is left out, and `Cgroups.missing` says so.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from cloudlet.engines.sandbox.limits import Limits

_ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "cpu", "pids")
_MIN_SHARES, _MAX_SHARES = 2, 262_144
_COUNTING = "cpuacct"
"""The controller of version 1 that counts what processors do."""
_PERIOD_MICROSECONDS = 20_000
_LEAST_QUOTA_MICROSECONDS = 1_000
_STATISTICS_BYTES = 8192
_GONE_SECONDS = 5.0
_LOOK_SECONDS = 0.01


class Cgroups:
    """Where the groups of this process's sandboxes are made."""

    def __init__(self, folders: Mapping[str, Path], *, unified: bool) -> None:
        """`folders` are those of the controllers that may be used, and of "freezer"."""
        self._folders = folders
        self._unified = unified
        self.missing = [name for name in CONTROLLERS if name not in folders]
        self.freezes = "freezer" in folders

    def create(self, name: str) -> Group:
        """Make a group without limits. Raises OSError."""
        folders = {controller: folder / name for controller, folder in self._folders.items()}
        for folder in set(folders.values()):
            folder.mkdir(parents=True, exist_ok=True)
        return Group(folders, unified=self._unified)

    def open_shared(self, name: str) -> Group:
        """Make a group for others, whose names begin with its own. Raises OSError."""
        group = self.create(name)
        if self._unified:
            for folder in group.folders:
                _delegate_controllers(folder)
        return group

    def remove_orphans(self) -> None:
        """End what processes have left that are no more, and remove their groups. Waits for the system."""
        left = [group for folder in set(self._folders.values()) for group in _list_orphans(folder)]
        for group in left:
            _kill(group)
        # What was halted when Cloudlet was killed dies only now, where groups are of version 1.
        for group in left:
            _thaw(group)
        deadline = time.monotonic() + _GONE_SECONDS
        while (left := [group for group in left if not _remove(group)]) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)

    def close(self) -> bool:
        """Remove what was made for this process; return whether that went, which it does once its groups are gone."""
        folders = set(self._folders.values())
        # Those of sandboxes, too: what was in one may have stayed longer than anybody waited.
        left = [group for folder in folders for group in _list_within(folder) if not _remove(group)]
        return not left


class Group:
    """The group of one sandbox."""

    def __init__(self, folders: Mapping[str, Path], *, unified: bool) -> None:
        self._folders = folders
        self._unified = unified
        self._statistics: int | None = None
        """The descriptor of the file that says what memory is used for."""
        self.entrances = [str(folder / "cgroup.procs") for folder in sorted(set(folders.values()))]
        """The files by which a process enters: it writes 0 there."""

    def limit(self, limits: Limits) -> None:
        """Set what its processes may take together. Raises OSError."""
        # What is in /tmp is memory too, but not the program's: see `memory`.
        most = limits.memory + limits.tmp
        quota = max(_LEAST_QUOTA_MICROSECONDS, int(limits.cpus * _PERIOD_MICROSECONDS))
        if self._unified:
            self._write("memory", "memory.max", most)
            self._write_zero_if_there("memory.swap.max")
            self._write("cpu", "cpu.max", f"{quota} {_PERIOD_MICROSECONDS}")
        else:
            self._write("memory", "memory.limit_in_bytes", most)
            self._write_zero_if_there("memory.swappiness")
            self._write("cpu", "cpu.cfs_period_us", _PERIOD_MICROSECONDS)
            self._write("cpu", "cpu.cfs_quota_us", quota)
        self._write("pids", "pids.max", limits.processes)

    @property
    def folders(self) -> set[Path]:
        """The folders of its controllers."""
        return set(self._folders.values())

    def share_processors(self, shares: int) -> None:
        """Set the part of processors that its programs get beside others. Raises OSError.

        The range is that of version 1, from 2 to 262144, where 1024 is usual; runc, too, derives that of version 2.
        """
        if self._unified:
            self._write("cpu", "cpu.weight", 1 + (shares - _MIN_SHARES) * 9999 // (_MAX_SHARES - _MIN_SHARES))
        else:
            self._write("cpu", "cpu.shares", shares)

    def memory(self) -> int | None:
        """Return the bytes that its programs hold, without what is in `/tmp`; None where that is not counted."""
        if self._statistics is None:
            folder = self._folders.get("memory")
            if folder is None:
                return None
            # Kept open: it is read after each invocation of a function.
            self._statistics = os.open(folder / "memory.stat", os.O_RDONLY | os.O_CLOEXEC)
        name = b"anon " if self._unified else b"total_rss "
        for line in os.pread(self._statistics, _STATISTICS_BYTES, 0).splitlines():
            if line.startswith(name):
                return int(line[len(name) :])
        return None

    def measure_processor(self) -> float | None:
        """Return the seconds of processors that its programs have taken.

        None where they are not counted. Raises OSError.
        """
        folder = self._folders.get("cpu")
        if folder is None:
            return None
        if self._unified:
            return _find_number(folder / "cpu.stat", "usage_usec") / 1e6
        counted = self._folders.get(_COUNTING)
        return None if counted is None else int((counted / "cpuacct.usage").read_text()) / 1e9

    def count_memory_kills(self) -> int:
        """Return how many of its programs were killed for their memory. It is 0 where that is not counted."""
        folder = self._folders.get("memory")
        if folder is None:
            return 0
        try:
            return _find_number(folder / ("memory.events" if self._unified else "memory.oom_control"), "oom_kill")
        except OSError:
            return 0

    @property
    def freezes(self) -> bool:
        """Whether its processes can be halted."""
        return "freezer" in self._folders

    def freeze(self) -> None:
        """Halt its processes. Raises OSError."""
        self._hold(True)

    def thaw(self) -> None:
        """Let its processes go on. Raises OSError."""
        self._hold(False)

    def _hold(self, held: bool) -> None:
        if self._unified:
            self._write("freezer", "cgroup.freeze", int(held))
        else:
            self._write("freezer", "freezer.state", "FROZEN" if held else "THAWED")

    def kill(self) -> None:
        """Kill its processes."""
        for folder in set(self._folders.values()):
            _kill(folder)

    def remove(self) -> bool:
        """Remove it; return whether that went, which it does once its processes are gone."""
        if self._statistics is not None:
            os.close(self._statistics)
            self._statistics = None
        left = [folder for folder in set(self._folders.values()) if not _remove(folder)]
        return not left

    def _write(self, controller: str, name: str, value: int | str) -> None:
        folder = self._folders.get(controller)
        if folder is not None:
            (folder / name).write_text(str(value))

    def _write_zero_if_there(self, name: str) -> None:
        with suppress(OSError):
            self._write("memory", name, 0)


def _find_number(file: Path, name: str) -> int:
    """Return a number by its name, 0 where a file does not have it. Raises OSError."""
    found = (line.split() for line in file.read_text().splitlines())
    return next((int(words[1]) for words in found if words[0] == name), 0)


def _remove(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def find(
    name: str, root: Path = _ROOT, own: Path = Path("/proc/self/cgroup"), *, counts_processors: bool = False
) -> Cgroups:
    """Return where groups can be made, in one called `name`; it may have no controller at all.

    `counts_processors` says whether what programs take of them is to be known.
    A name ends with the id of the process that it is of ("cloudlet-4711").
    """
    if (root / "cgroup.controllers").exists():
        return _find_unified(name, root, own)
    folders = {}
    for controller in (*CONTROLLERS, "freezer", *([_COUNTING] if counts_processors else [])):
        folder = _made(root / controller / name, _is_controlled)
        if folder is not None:
            folders[controller] = folder
    return Cgroups(folders, unified=False)


def _find_unified(name: str, root: Path, own: Path) -> Cgroups:
    """Make a group beside this process's own, or where all groups begin: a group with processes has none below it."""
    path = own.read_text().strip().rpartition("::")[2].lstrip("/")
    for parent in dict.fromkeys([(root / path).parent if path else root, root]):
        folder = _made(
            parent / name, lambda folder: _delegate_controllers(folder.parent) and _delegate_controllers(folder)
        )
        if folder is not None:
            return Cgroups(dict.fromkeys([*_delegate_controllers(folder), "freezer"], folder), unified=True)
    return Cgroups({}, unified=True)


def _delegate_controllers(folder: Path) -> list[str]:
    """Have the groups in a folder controlled; return by which controllers they are."""
    found = []
    for controller in CONTROLLERS:
        with suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")
            found.append(controller)
    return found


def _list_orphans(own: Path) -> Iterator[Path]:
    """Give the groups of processes that are no more, those within others first."""
    for folder in own.parent.glob(f"{own.name.rpartition('-')[0]}-*"):
        process = folder.name.rpartition("-")[2]
        if process.isdecimal() and not Path(f"/proc/{process}").exists():
            yield from _list_within(folder)


def _list_within(folder: Path) -> list[Path]:
    """Return a group and those within, the innermost first."""
    return [*folder.glob("*/*/"), *folder.glob("*/"), folder]


def _kill(group: Path) -> None:
    """Kill the processes of a group."""
    with suppress(OSError):
        for process in (group / "cgroup.procs").read_text().split():
            os.kill(int(process), signal.SIGKILL)


def _thaw(group: Path) -> None:
    """Let the processes of a group go on."""
    for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        if (group / name).exists():
            with suppress(OSError):
                (group / name).write_text(value)


def _is_controlled(folder: Path) -> bool:
    return os.access(folder / "cgroup.procs", os.W_OK)


def _made(folder: Path, usable: Callable[[Path], object]) -> Path | None:
    """Make a folder; None where that is not allowed, or it is of no use."""
    if not folder.parent.is_dir():
        return None
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    if usable(folder):
        return folder
    _remove(folder)
    return None
