"""Packet filters of the network namespace of this thread, by libnftables.

The library is Debian's `libnftables1`, as the `nft` program uses it. One text of commands is one transaction of the
kernel: all of it holds, or none.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from functools import lru_cache


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


def run(commands: str) -> None:
    """Carry out commands, in the namespace of this thread. Raises NftablesError."""
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
