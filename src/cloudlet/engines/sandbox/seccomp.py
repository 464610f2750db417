"""The filter of system calls: what a sandboxed program may not ask the kernel for.

seccomp(2). Refused with EPERM is what mounts, makes namespaces, loads code into the kernel, sets clocks or reaches past
the sandbox; Docker's default profile is the model. `clone3` is answered with ENOSYS, since a filter cannot see its
flags: the C libraries then use `clone`.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_NAMESPACES = 0x7E020000
"""The flags of clone(2) that make namespaces."""
_X32 = 0x40000000
_CLONE3 = 435


class _Machine(NamedTuple):
    architecture: int
    """As AUDIT_ARCH_ names it."""
    clone: int
    chroot: int
    refused: Sequence[int]


_NEW = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442, 443)
"""io_uring_*, open_tree, move_mount, fs*, mount_setattr, quotactl_fd: the same everywhere."""
_MACHINES: Mapping[str, _Machine] = {
    "x86_64": _Machine(
        0xC000003E,
        56,
        161,
        # uselib vhangup pivot_root adjtimex acct settimeofday mount umount2 swapon swapoff reboot sethostname
        # setdomainname iopl ioperm init_module delete_module quotactl lookup_dcookie clock_settime kexec_load add_key
        # request_key keyctl unshare perf_event_open open_by_handle_at clock_adjtime setns finit_module kexec_file_load
        # bpf userfaultfd, syslog
        (
            *(134, 153, 155, 159, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 175, 176, 179, 212, 227),
            *(246, 248, 249, 250, 272, 298, 304, 305, 308, 313, 320, 321, 323, 103, *_NEW),
        ),
    ),
    "aarch64": _Machine(
        0xC00000B7,
        220,
        51,
        # lookup_dcookie umount2 mount pivot_root vhangup quotactl acct unshare kexec_load init_module
        # delete_module clock_settime syslog reboot sethostname setdomainname settimeofday adjtimex add_key request_key
        # keyctl swapon swapoff perf_event_open open_by_handle_at clock_adjtime setns finit_module bpf userfaultfd
        # kexec_file_load
        (
            *(18, 39, 40, 41, 58, 60, 89, 97, 104, 105, 106, 112, 116, 142, 161, 162, 170, 171, 217, 218, 219),
            *(224, 225, 241, 265, 266, 268, 273, 280, 282, 294, *_NEW),
        ),
    ),
}


def program(machine: str = platform.machine(), *, allows_chroot: bool = False) -> bytes | None:
    """Return the filter as the kernel takes it, or None for a machine whose calls are not known here.

    Containers, whose root is that of their mounts, may call chroot(2), as in Docker: it takes a capability.
    """
    known = _MACHINES.get(machine)
    if known is None:
        return None
    rules = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, known.architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
    ]
    for number in (*known.refused, *(() if allows_chroot else (known.chroot,))):
        rules += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    rules += [
        (_EQUAL, 0, 3, known.clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 0, 1, _NAMESPACES),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *rule) for rule in rules)
