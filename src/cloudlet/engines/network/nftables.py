"""Packet filters of the network namespace of this thread, by libnftables.

The library is Debian's `libnftables1`, as the `nft` program uses it. One text of commands is one transaction of the
kernel: all of it holds, or none.

It waits by select(2), which takes no descriptor beyond 1,023: where a process has as many, the library ends it. So the
keeper has a process beside it (`start`), with hardly any descriptors, which has one of its own carry out each text.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import signal
import socket
import struct
from functools import lru_cache
from threading import Lock
from typing import Final, NoReturn

_OWN: Final = "/proc/thread-self/ns/net"
_CLONE_NEWNET: Final = 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_FIRST_OWN_DESCRIPTOR: Final = 3
_SIZE: Final = struct.Struct("!I")
_asking: Final = Lock()
_helper: socket.socket | None = None
"""The way to the process that carries commands out, if there is one."""


class NftablesError(Exception):
    """The kernel or the library has refused commands; the text says why."""


@lru_cache(1)
def _load() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError:
        return None
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_ctx_buffer_error.argtypes = [ctypes.c_void_p]
    library.nft_ctx_buffer_output.argtypes = [ctypes.c_void_p]
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    library.nft_ctx_get_error_buffer.argtypes = [ctypes.c_void_p]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


def is_available() -> bool:
    """Whether the library is there."""
    return _load() is not None


def start() -> None:
    """Have a process of its own carry commands out from now on. Only before this one has threads."""
    global _helper
    if not is_available():
        return
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        kept = os.dup2(theirs.fileno(), _FIRST_OWN_DESCRIPTOR)
        os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
        _serve(socket.socket(fileno=kept))
    theirs.close()
    _helper = ours


def run(commands: str) -> None:
    """Carry out commands, in the namespace of this thread. Raises NftablesError."""
    if _helper is None:
        _carry_out(commands)
        return
    namespace = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _asking:
            content = commands.encode()
            socket.send_fds(_helper, [_SIZE.pack(len(content))], [namespace])
            _helper.sendall(content)
            refusal = _receive(_helper, *_SIZE.unpack(_receive(_helper, _SIZE.size)))
    except OSError as error:
        raise NftablesError(f"the process for packet filters cannot be asked: {error}") from error
    finally:
        os.close(namespace)
    if refusal:
        raise NftablesError(refusal.decode(errors="replace"))


def _receive(end: socket.socket, size: int) -> bytes:
    """Return exactly as many bytes. Raises OSError."""
    held = b""
    while len(held) < size:
        part = end.recv(size - len(held))
        if not part:
            raise ConnectionResetError("it has ended")
        held += part
    return held


def _serve(end: socket.socket) -> NoReturn:
    """Carry out texts for the keeper, each in a process of its own, for ever."""
    while True:
        head, descriptors, _, _ = socket.recv_fds(end, _SIZE.size, 1)
        if not head:
            os._exit(0)
        commands = _receive(end, *_SIZE.unpack(head)).decode()
        process = os.fork()
        if process == 0:
            _answer(end, _try(commands, descriptors[0]))
            os._exit(0)
        os.close(descriptors[0])
        _, status = os.waitpid(process, 0)
        if status != 0:
            _answer(end, f"libnftables has ended ({os.waitstatus_to_exitcode(status)})")


def _try(commands: str, namespace: int) -> str:
    """Return why commands are refused in a namespace; empty where they are not."""
    try:
        if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
            return f"the network cannot be entered: {os.strerror(ctypes.get_errno())}"
        _carry_out(commands)
    except NftablesError as error:
        return str(error) or "commands were refused"
    return ""


def _answer(end: socket.socket, text: str) -> None:
    content = text.encode()
    end.sendall(_SIZE.pack(len(content)) + content)


def _carry_out(commands: str) -> None:
    library = _load()
    if library is None:
        raise NftablesError("libnftables is not installed (Debian: libnftables1)")
    # A context has a socket of the namespace in which it was made.
    context = library.nft_ctx_new(0)
    try:
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_buffer_output(context)
        if library.nft_run_cmd_from_buffer(context, commands.encode()) != 0:
            raise NftablesError((library.nft_ctx_get_error_buffer(context) or b"").decode(errors="replace").strip())
    finally:
        library.nft_ctx_free(context)
