"""Network namespaces: made and entered by a thread of its own.

A namespace is per thread. The thread goes from one to another and never comes back to the machine's own, which in a
user namespace it could not; all else of the process stays there. So one process has sockets in both.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWUSER: Final = 0x10000000
_NS_GET_USERNS: Final = 0xB701
_OWN: Final = "/proc/thread-self/ns/net"
T = TypeVar("T")

_libc: Final = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def enter_user_namespace() -> None:
    """Give this process, which is not root, the rights over networks that it makes.

    It keeps its user id. To be called before any thread is started. Raises OSError where the machine does not let
    users have namespaces.
    """
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_CLONE_NEWUSER), "a user namespace cannot be made")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - written at once, or not at all
            file.write(text)


def open_owner(namespace: int) -> int | None:
    """Return a descriptor of the user namespace that owns another namespace. Raises OSError.

    None is for the one of this process.
    """
    owner = fcntl.ioctl(namespace, _NS_GET_USERNS)
    if os.stat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino:  # noqa: PTH116 - one is a descriptor
        return owner
    os.close(owner)
    return None


class Namespaces:
    """A thread that makes network namespaces and runs functions in them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="networks")

    def make(self, prepare: Callable[[], None] | None = None) -> Future[int]:
        """Make a namespace, run `prepare` in it, and return a descriptor, which keeps it.

        Raises OSError.
        """

        def make() -> int:
            _check(_libc.unshare(_CLONE_NEWNET), "a network namespace cannot be made")
            if prepare is not None:
                prepare()
            return os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)

        return self._thread.submit(make)

    def run(self, namespace: int, function: Callable[[], T]) -> Future[T]:
        """Run a function in the namespace of a descriptor. Raises OSError, and what it raises."""

        def run() -> T:
            _check(_libc.setns(namespace, _CLONE_NEWNET), "a network namespace cannot be entered")
            return function()

        return self._thread.submit(run)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()
