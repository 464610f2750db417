"""From host names to addresses, without one name that is slow to find holding up another.

The event loop asks for names in a few threads that all share (libuv has four). Here there are more, of which a name
takes one at a time, however many ask for it.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

_threads = ThreadPoolExecutor(64, thread_name_prefix="names")
_LOOPBACK = ("127.0.0.1", "::1")
_ADDRESS_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class _Asked:
    """A name that is looked up, or is to be once there is a thread for it."""

    def __init__(self, host: str) -> None:
        self.job = _threads.submit(_look_up, host)
        self.found = asyncio.wrap_future(self.job)
        self.waiting = 0


class Resolver:
    """Looks names up. Used from one event loop."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a host, best first; an address is its own. Raises OSError where there is none.

        `localhost` and all names below it are this machine, whatever its resolver says (RFC 6761, section 6.3).
        """
        if _is_address(host):
            return [host]
        if host == "localhost" or host.endswith(".localhost"):
            return list(_LOOPBACK)
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked[host] = _Asked(host)
            asked.found.add_done_callback(lambda _: self._forget(host, asked))
        asked.waiting += 1
        try:
            # That one of those who ask gives up must not end it for the others.
            return await asyncio.shield(asked.found)
        finally:
            asked.waiting -= 1
            # What nobody waits for any more is not to keep others waiting for a thread.
            if not asked.waiting and asked.job.cancel():
                self._forget(host, asked)

    def _forget(self, host: str, asked: _Asked) -> None:
        if self._asked.get(host) is asked:
            del self._asked[host]


def _look_up(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except ValueError as error:
        # It is no name at all, such as one with a label that is empty or too long.
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _is_address(host: str) -> bool:
    for family in _ADDRESS_FAMILIES:
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return True
    return False
