"""A small HTTP/1.1 client that keeps its connections.

Redirects are answers like any other, nothing is sent twice unless HTTP calls that safe, and a response never takes
more memory than was allowed.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from ssl import SSLContext, SSLError, create_default_context
from urllib.parse import quote, urlsplit

from cloudlet.engines.http_connection import Connection, HttpError, HttpResponse
from cloudlet.engines.resolver import Resolver

__all__ = ["HttpClient", "HttpError", "HttpResponse", "request_target"]

_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
_REST_SECONDS = 30.0
_CONTROL = re.compile(r"[\r\n\0]")
Dial = Callable[[str, int], Awaitable[socket.socket]]
"""A function that returns a connected socket to a host and a port. Raises OSError."""
_URL_CHARACTERS = "/?#[]@!$&'()*+,;=:%~"


@dataclass(frozen=True, slots=True)
class _Target:
    origin: tuple[bool, str, int]
    host: str
    path: str


@dataclass(slots=True)
class _Pool:
    """The connections to one origin: those in use hold a slot; those at rest come with the time since when."""

    slots: asyncio.Semaphore
    requests: int = 0
    """Under way or waiting for a slot."""
    resting: list[tuple[float, Connection]] = field(default_factory=list)


class HttpClient:
    """Sends requests. Used from one event loop.

    `unix` is the path of a Unix socket that all requests go to; or `dial` makes all connections.

    At most `connections` are open to one origin, and at most `resting` are kept for later, for half a minute. TLS
    certificates are verified with `ssl_context`, else with what the system trusts.
    """

    def __init__(
        self,
        *,
        unix: str | None = None,
        dial: Dial | None = None,
        ssl_context: SSLContext | None = None,
        connections: int = 64,
        resting: int = 512,
    ) -> None:
        self._unix = unix
        self._dial = dial
        self._ssl_context = ssl_context
        self._connections = connections
        self._most_resting = resting
        self._resting = 0
        self._names = Resolver()
        self._pools: dict[tuple[bool, str, int], _Pool] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        timeout: float,
        limit: int,
        repeatable: bool | None = None,
    ) -> HttpResponse:
        """Send a request and return the response, within `timeout` seconds, its body at most `limit` bytes.

        A request that met a connection which its server was closing is sent once more if it is `repeatable`: without
        harm if it was done already. If nothing is said, its method says so.

        Host (unless given) and Content-Length are set here. Raises HttpError; ValueError for what cannot be sent.
        """
        target = _target(url)
        head = _head(method, target, headers, len(body))
        repeatable = method in _REPEATABLE if repeatable is None else repeatable
        # A task of its own, since the caller may not be in one: operations run outside until they wait.
        sending = asyncio.get_running_loop().create_task(
            self._send(target.origin, method, head, body, limit, repeatable)
        )
        try:
            await asyncio.wait((sending,), timeout=timeout)
            if sending.done():
                return sending.result()
        finally:
            sending.cancel()
        raise HttpError("timeout", f"no response within {timeout:g} seconds")

    async def close(self) -> None:
        """Close the connections at rest; those in use are closed when they come to rest."""
        self._most_resting = 0
        self._sweep(everything=True)

    async def _send(
        self, origin: tuple[bool, str, int], method: str, head: bytes, body: bytes, limit: int, repeatable: bool
    ) -> HttpResponse:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(asyncio.Semaphore(self._connections))
        pool.requests += 1
        try:
            async with pool.slots:
                connection = self._rested(pool)
                if connection is not None:
                    try:
                        return await self._exchange(pool, connection, method, head, body, limit)
                    except HttpError as error:
                        # The server may have closed the connection while the request was on its way.
                        if error.kind != "closed" or not connection.unheard or not repeatable:
                            raise
                return await self._exchange(pool, await self._connect(*origin), method, head, body, limit)
        finally:
            pool.requests -= 1
            if not pool.requests and not pool.resting:
                # Users name servers: what is kept of each would become more and more.
                del self._pools[origin]

    async def _exchange(
        self, pool: _Pool, connection: Connection, method: str, head: bytes, body: bytes, limit: int
    ) -> HttpResponse:
        response = await connection.exchange(method, head, body, limit)
        if not connection.open or self._resting >= self._most_resting:
            connection.close()
            return response
        loop = asyncio.get_running_loop()
        pool.resting.append((loop.time(), connection))
        self._resting += 1
        if self._sweeper is None:
            self._sweeper = loop.call_later(_REST_SECONDS, self._sweep)
        return response

    def _rested(self, pool: _Pool) -> Connection | None:
        """Return the connection that was used last and is still open."""
        while pool.resting:
            _, connection = pool.resting.pop()
            self._resting -= 1
            if connection.open:
                return connection
        return None

    async def _connect(self, secure: bool, host: str, port: int) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            context = await self._context() if secure else None
            name = host if secure else None
            if self._unix is not None:
                _, connection = await loop.create_unix_connection(
                    Connection, self._unix, ssl=context, server_hostname=name
                )
                return connection
            if self._dial is not None:
                dialled = await self._dial(host, port)
                try:
                    _, connection = await loop.create_connection(
                        Connection, sock=dialled, ssl=context, server_hostname=name
                    )
                except BaseException:
                    dialled.close()
                    raise
                return connection
            *others, last = await self._names.addresses(host)
            for address in others:
                try:
                    _, connection = await loop.create_connection(
                        Connection, address, port, ssl=context, server_hostname=name
                    )
                    return connection
                except SSLError:
                    # Somebody answers there: that others do not says less.
                    raise
                except OSError:
                    continue
            _, connection = await loop.create_connection(Connection, last, port, ssl=context, server_hostname=name)
        except SSLError as error:
            raise HttpError("tls", f"no TLS connection to {host}:{port}: {error}") from error
        except OSError as error:
            raise HttpError("connect", f"no connection to {host}:{port}: {error}") from error
        return connection

    async def _context(self) -> SSLContext:
        if self._ssl_context is None:
            self._ssl_context = await asyncio.to_thread(create_default_context)
        return self._ssl_context

    def _sweep(self, everything: bool = False) -> None:
        """Close what has rested for too long, and forget the origins that nobody uses."""
        loop = asyncio.get_running_loop()
        before = loop.time() - _REST_SECONDS
        for origin, pool in list(self._pools.items()):
            kept = []
            for since, connection in pool.resting:
                if connection.open and since > before and not everything:
                    kept.append((since, connection))
                else:
                    connection.close()
            self._resting -= len(pool.resting) - len(kept)
            pool.resting = kept
            if not kept and not pool.requests:
                del self._pools[origin]
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._sweeper = loop.call_later(_REST_SECONDS, self._sweep) if self._pools else None


def request_target(url: str) -> str:
    """Return what the request line says of a URL. Raises ValueError for what cannot be sent to."""
    return _target(url).path


@lru_cache(2048)
def _target(url: str) -> _Target:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an http or https URL: {url!r}")
    secure = parts.scheme == "https"
    # Encoded, labels that are empty or too long show, too.
    name = parts.hostname.encode("idna").decode()
    host = parts.hostname if parts.hostname.isascii() else name
    shown = f"[{host}]" if ":" in host else host
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(
        (secure, host, parts.port or (443 if secure else 80)),
        f"{shown}:{parts.port}" if parts.port else shown,
        quote(path, safe=_URL_CHARACTERS),
    )


def _head(method: str, target: _Target, headers: Iterable[tuple[str, str]], size: int) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1"]
    named = False
    for name, value in headers:
        lines.append(f"{name}: {value}")
        named = named or name.lower() == "host"
    if not named:
        lines.insert(1, f"host: {target.host}")
    if size or method not in ("GET", "HEAD"):
        lines.append(f"content-length: {size}")
    if _CONTROL.search("".join(lines)):
        raise ValueError("a header must not hold control characters")
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
