"""Run a program in a container that runs already: `python -I -S entering.py DESCRIPTOR PROCESS`.

The file of the descriptor says what to run; PROCESS is a descriptor of the container's first process. The program gets
what the container's own has, and no more: its namespaces, control groups, user and rights, its filter of system calls
and its environment. Nothing in the container is trusted with any of that. This imports little: it is started for each
health check.
"""

import ctypes
import marshal
import os
import resource
import signal
import sys

_NAMESPACES = {"user": 0x10000000, "ipc": 0x08000000, "uts": 0x04000000, "pid": 0x20000000, "net": 0x40000000}
"""Namespaces that are entered before the files: the first gives the rights over the others."""
_FILES = 0x00020000
_SET_DEATH_SIGNAL, _DROP_BOUNDING, _SET_NO_NEW_PRIVS, _SET_SECCOMP = 1, 24, 38, 22
_FILTER = 2
_INSTRUCTION_BYTES = 8
_CAPABILITIES = 64
_NOT_RUN = 126

_libc = ctypes.CDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def write(
    process: int,
    groups_entered: list[str],
    *,
    has_no_network: bool,
    command: list[str],
    environment: dict[str, str],
    folder: str,
    limits: dict[str, tuple[int, int]],
    capabilities: list[int],
    users: tuple[int, int, list[int]] | None,
    filtered: bytes,
) -> bytes:
    """Return what the file says for a program in a container.

    `process` is the container's first, and `command` begins with a path. `groups_entered` are files of control groups,
    `users` are ids of a user, its group and further ones, None where the container has but one, and `filtered` is the
    filter of system calls.
    """
    program = (command, environment, folder, limits, capabilities, users, filtered)
    return marshal.dumps((process, groups_entered, has_no_network, program))


def main(descriptor: int, first: int) -> None:
    """Enter a container and run a program. End as that does."""
    # From here on nothing is imported, which would be the container's.
    sys.meta_path.clear()
    with os.fdopen(descriptor, "rb") as file:
        process, groups_entered, has_no_network, program = marshal.load(file)
    for path in groups_entered:
        with open(path, "w") as group:  # noqa: PTH123 - pathlib would take longer than all else
            group.write("0")
    _enter(process, first, has_no_network)
    # Only children are in the other namespace of processes.
    child = os.fork()
    if child == 0:
        try:
            _run(*program)
        except OSError as error:
            os.write(2, f"{program[0][0]}: {error.strerror}\n".encode())
            os._exit(_NOT_RUN)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _enter(process: int, first: int, has_no_network: bool) -> None:
    names = [name for name in _NAMESPACES if name != "net" or has_no_network]
    opened = {name: os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY) for name in (*names, "mnt")}
    root = os.open(f"/proc/{process}/root", os.O_PATH)
    # If it had ended, another process might have its id by now.
    signal.pidfd_send_signal(first, 0)
    for name in names:
        _check(_libc.setns(opened[name], _NAMESPACES[name]))
    _check(_libc.setns(opened["mnt"], _FILES))
    os.fchdir(root)
    os.chroot(".")
    for each in (*opened.values(), root, first):
        os.close(each)


def _run(
    command: list[str],
    environment: dict[str, str],
    folder: str,
    limits: dict[str, tuple[int, int]],
    capabilities: list[int],
    users: tuple[int, int, list[int]] | None,
    filtered: bytes,
) -> None:
    """Become a program. Raises OSError."""
    for name, values in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), values)
    for capability in range(_CAPABILITIES):
        if capability not in capabilities:
            # The kernel does not know all of them.
            _libc.prctl(_DROP_BOUNDING, capability, 0, 0, 0)
    if users is not None:
        user, group, groups = users
        os.setgroups(groups)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    os.chdir(folder)
    _check(_libc.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0))
    _check(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if filtered:
        made = _Filter(len(filtered) // _INSTRUCTION_BYTES, filtered)
        _check(_libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(made), 0, 0))
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
