"""A network of one's own: a Linux network namespace that has a loopback interface and nothing else.

Some peers listen on every interface and have no option against it. In the namespace that is loopback only:
nothing outside this process and its children reaches a server under test, and no port is taken.
"""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1


def enter_private_network() -> None:
    """Moves this process (and all it starts later) into a new namespace; OSError where that is forbidden.

    Root needs nothing else. Others get the right by a user namespace in which they stay who they are.
    """
    if os.geteuid() == 0:
        _unshare(CLONE_NEWNET)
    else:
        user, group = os.geteuid(), os.getegid()
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"no private network namespace: {os.strerror(error)}")
