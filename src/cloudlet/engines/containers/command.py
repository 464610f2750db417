"""The command that starts a container: bubblewrap over an overlay of its image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from cloudlet.engines.containers import users
from cloudlet.engines.containers.description import Container
from cloudlet.engines.sandbox import bubblewrap, privileges

_PLACE_BYTES: Final = 64 * 1024


class Handover(Protocol):
    """The descriptors and names that bubblewrap is given."""

    def keep(self, content: bytes) -> int:
        """Put a content into a file in memory; return its descriptor."""

    def put(self, path: str | Path) -> str:
        """Return a name by which a container's user can reach a folder or a file. Raises OSError."""


def write_options(
    container: Container, handed: Handover, seccomp: int | None, *, has_memory_limit: bool = True
) -> list[str]:
    """Return the options of bubblewrap. Raises OSError.

    They are not for a command line, which everybody on the machine can read: the environment is among them.
    """
    words = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent"]
    words += ["--new-session", "--clearenv", "--hostname", container.hostname]
    if users.have_ranges():
        words += ["--cap-add", "ALL"]
    else:
        words += ["--unshare-user", "--uid", str(container.user), "--gid", str(container.group)]
    if container.has_no_network:
        words.append("--unshare-net")
    if not container.has_init:
        words.append("--as-pid-1")
    words += _list_file_systems(container, handed)
    if not has_memory_limit:
        # Its size has no limit, and what is in it would count for nobody.
        words += ["--remount-ro", "/dev"]
    for name, value in list_variables(container).items():
        words += ["--setenv", name, value]
    words += ["--chdir", container.folder]
    if seccomp is not None:
        words += ["--seccomp", str(seccomp)]
    return words


def _list_file_systems(container: Container, handed: Handover) -> list[str]:
    scratch = Path(container.scratch)
    # What is changed and what the kernel needs for that have to be in one mount.
    changed = handed.put(scratch)
    words = ["--overlay-src", handed.put(container.root), "--overlay", f"{changed}/changes", f"{changed}/work", "/"]
    words += ["--proc", "/proc", "--dev", "/dev"]
    words += ["--perms", "1777", "--size", str(container.shared_memory_bytes), "--tmpfs", "/dev/shm"]  # noqa: S108
    for place in container.tmpfs:
        words += ["--perms", "1777", "--size", str(place.size_bytes), "--tmpfs", place.target]
    # A mount of its own cannot be moved away, and nothing in it be replaced.
    words += ["--perms", "0755", "--size", str(_PLACE_BYTES), "--tmpfs", privileges.PLACE]
    for mount in container.mounts:
        words += ["--ro-bind" if mount.is_read_only else "--bind", handed.put(mount.source), mount.target]
    for path, content in container.files.items():
        words += ["--perms", "0644", "--ro-bind-data", str(handed.keep(content.encode())), path]
    for target, file in _list_programs(container).items():
        words += ["--ro-bind", str(file), target]
    words += ["--remount-ro", privileges.PLACE]
    return [*words, "--remount-ro", "/"] if container.is_read_only else words


def _list_programs(container: Container) -> dict[str, Path]:
    """Return the machine's programs that prepare the container's own one, by where it has them."""
    names = ["env", "prlimit"] if container.resource_limits else ["env"]
    if users.have_ranges():
        names.append("setpriv")
    return {target: file for name in names for target, file in privileges.program(name).files.items()}


def write_command(container: Container, options: int) -> list[str]:
    """Return the command; `options` is the descriptor of a file that has them. Raises OSError."""
    words = [bubblewrap.executable(), "--args", str(options), "--"]
    if users.have_ranges():
        # By its path in this process: the program inherits no way to it.
        entered = f"--user=/proc/{os.getpid()}/fd/{users.open_namespace()}"
        words = ["nsenter", entered, "--setuid", "0", "--setgid", "0", "--", *words]
        words += [*privileges.program("setpriv").command, *_list_rights(container), "--"]
    if container.resource_limits:
        limits = [f"--{name}={_limit(soft)}:{_limit(hard)}" for name, (soft, hard) in container.resource_limits.items()]
        words += [*privileges.program("prlimit").command, *limits, "--"]
    return [*words, *write_setting(container), *container.command]


def list_variables(container: Container) -> dict[str, str]:
    """Return the variables that do nothing to the machine's programs, which prepare the container's own."""
    return {name: value for name, value in container.environment.items() if not privileges.is_followed(name)}


def write_setting(container: Container) -> list[str]:
    """Return what a program is started by that is to have all variables. Raises OSError.

    The program that starts another one is seen by that as /proc/self/exe, so it has to be one of the container's.
    """
    followed = [f"{name}={value}" for name, value in container.environment.items() if privileges.is_followed(name)]
    return [*privileges.program("env").command, "--", *followed]


def _list_rights(container: Container) -> list[str]:
    words = ["--reuid", str(container.user), "--regid", str(container.group)]
    groups = ",".join(map(str, container.groups))
    words += ["--groups", groups] if groups else ["--clear-groups"]
    kept = ",".join(["-all", *(f"+{name.lower()}" for name in container.capabilities)])
    words += ["--bounding-set", kept, "--inh-caps", "-all"]
    return [*words, "--no-new-privs"] if container.has_no_new_privileges else words


def _limit(value: int) -> str:
    return "unlimited" if value < 0 else str(value)


def prepare_scratch(container: Container) -> None:
    """Make the folders for what a container changes. Raises OSError."""
    owner = users.to_machine(0)
    scratch = Path(container.scratch)
    for folder in (scratch, scratch / "changes", scratch / "work"):
        folder.mkdir(parents=True, exist_ok=True)
        if users.have_ranges():
            os.chown(folder, owner, owner)
