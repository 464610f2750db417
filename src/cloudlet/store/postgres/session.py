"""One connection to the database, and what is asked on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg

from cloudlet.store.format import FORMAT, refuse_newer
from cloudlet.store.interface import StoreError
from cloudlet.store.optimistic import WriteSet
from cloudlet.store.postgres import schema
from cloudlet.store.postgres.reads import ReadBatch
from cloudlet.store.postgres.schema import Tables

T = TypeVar("T")

OLDEST_VERSION = 15
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 5.0
_TAKE_SECONDS = 12.0
_COMMIT_SECONDS = 10.0
# A range's rows are removed one by one, and there may be millions.
_CLEAR_SECONDS = 100.0
_CREATE_TRIES = 5
# The server is a standby, stops, starts, or has ended the session.
_GONE_SQLSTATES = frozenset(("25006", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"))
_BUSY_CLASS = "53"
"""Of the SQLSTATEs of a server that lacks connections, memory or disk."""
_MORE_CONNECTIONS = (
    "this process needs {}, one for each block and one for itself. Raise max_connections (or the limit of the role or "
    "the database), or run fewer blocks (--services)"
)
# TimeoutError is an OSError. An internal error is what asyncpg raises where the server ends a session between two
# statements.
_BROKEN = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LARGE = bytes(schema.LARGE_VALUE + 1)


class Lost(StoreError):
    """The connection is gone; what was asked last may have been done."""


class Hung(Lost):
    """The server has not answered for longer than anybody waits; what was asked last may be done yet."""


class Refused(StoreError):
    """The server says why it did not do it."""


def describe(url: str) -> str:
    """Return where a URL leads, without who connects and how he proves it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # It is none, which connecting tells.
        return "PostgreSQL"
    hosts = parts.netloc.rpartition("@")[2]
    return f"PostgreSQL at {hosts or 'the local socket'}{parts.path}"


async def _connect(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """Connect to a server that takes writes: the one among several hosts that does. Raises Lost or Refused."""
    failed = f"cannot connect to {describe(url)}"
    try:
        # The timeout of asyncpg is one for each host.
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS, target_session_attrs="read-write")
    except asyncpg.ClientConfigurationError as error:
        raise Refused(f"{failed}: {error}") from error
    except ValueError as error:
        # What it says may quote a part of the password.
        raise Refused(f"{failed}: the URL is not valid") from error
    except asyncpg.PostgresError as error:
        raise (Lost if error.sqlstate in _GONE_SQLSTATES else Refused)(f"{failed}: {error}") from error
    except _BROKEN as error:
        raise Lost(f"{failed}: {str(error) or f'no answer within {_CONNECT_SECONDS:.0f} s'}") from error
    version = connection.get_server_version().major
    if version < OLDEST_VERSION:
        connection.terminate()
        raise Refused(f"{describe(url)} is version {version}; it must be {OLDEST_VERSION} or later")
    return connection


async def check(url: str, connections: int) -> bool:
    """Return whether a server is there; raise where it is of no use to wait for it.

    That is Refused if it does not let this user in, has no such database, lets him make no tables, or cannot have so
    many `connections` more; NewerData if this Cloudlet cannot read what is there.

    One that is not there, or has too much to do, is waited for by whoever needs it.
    """
    try:
        connection = await _connect(url)
    except Lost:
        return False
    except Refused as error:
        cause = error.__cause__
        if isinstance(cause, asyncpg.TooManyConnectionsError):
            raise Refused(f"{error}: {_MORE_CONNECTIONS.format(connections)}") from error
        if isinstance(cause, asyncpg.PostgresError) and (cause.sqlstate or "").startswith(_BUSY_CLASS):
            return False
        raise
    try:
        async with asyncio.timeout(_READ_SECONDS):
            await _check_role(url, connection)
            await _check_room(url, connection, connections)
            _refuse_newer(url, await connection.fetchval(schema.FORMAT))
    except asyncpg.InsufficientPrivilegeError as error:
        raise Refused(
            f"{describe(url)}: {error}. As its owner: GRANT ALL ON ALL TABLES IN SCHEMA cloudlet TO the role"
        ) from error
    except (asyncpg.PostgresError, *_BROKEN):
        # What else stands in the way of the data, those who need it are told.
        pass
    finally:
        connection.terminate()
    return True


async def _check_role(url: str, connection: asyncpg.Connection[asyncpg.Record]) -> None:
    role = await connection.fetchrow(schema.ROLE)
    if role is not None and not role["creates"]:
        where = f"DATABASE {urlsplit(url).path[1:]}" if role["is_new"] else "SCHEMA cloudlet"
        raise Refused(
            f"{describe(url)}: the role {role['name']} may make no tables there. As its owner or a superuser: "
            f"GRANT CREATE ON {where} TO {role['name']}"
        )


async def _check_room(url: str, connection: asyncpg.Connection[asyncpg.Record], connections: int) -> None:
    # The one that asks is about to end.
    room = 1 + await connection.fetchval(schema.ROOM)
    if room < connections:
        raise Refused(f"{describe(url)} has room for {room} more connections: {_MORE_CONNECTIONS.format(connections)}")


def _refuse_newer(url: str, written: int) -> None:
    refuse_newer(written, describe(url), "--store")


class Session:
    """A connection that writes. After Lost or Refused it is of no more use.

    `noticed` is called with each payload that another session sends to the keyspace's channel, `ended` when the
    connection ends.
    """

    def __init__(self, url: str, tables: Tables, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._url = url
        self._tables = tables
        self._connection = connection
        self._prepared: dict[str, Any] = {}
        self.id = os.urandom(8)
        self.origin = ""
        """The identity of this database, which copies of its rows do not have."""

    @classmethod
    async def open(cls, url: str, tables: Tables, noticed: Callable[[str], None], ended: Callable[[], None]) -> Session:
        """Connect; make the keyspace's tables where there are none. Raises Lost, Refused or NewerData."""
        session = cls(url, tables, await _connect(url))
        try:
            await session._prepare(noticed)
        except BaseException:
            session.terminate()
            raise
        session._connection.add_termination_listener(lambda _: ended())
        return session

    async def _prepare(self, noticed: Callable[[str], None]) -> None:
        connection, tables = self._connection, self._tables
        own = connection.get_server_pid()

        def receive(_connection: Any, sender: int, _channel: str, payload: object) -> None:
            if sender != own:
                noticed(str(payload))

        await self._ask(connection.execute(schema.SETTINGS), _READ_SECONDS)
        await self._create()
        # Both are written down where two versions start at once, so that the older one sees the newer.
        await self._ask(connection.execute(schema.MARK, FORMAT), _READ_SECONDS)
        _refuse_newer(self._url, await self._ask(connection.fetchval(schema.FORMAT), _READ_SECONDS))
        # Now, since the server times a session that hangs between two statements of a transaction, but not one that
        # hangs within the preparation of one.
        for statement in tables.statements:
            self._prepared[statement] = await self._ask(connection.prepare(statement), _READ_SECONDS)
        await self._ask(connection.execute(schema.ENROL, tables.keyspace), _READ_SECONDS)
        self.origin = await self._found_origin()
        await self._ask(connection.add_listener(tables.channel, receive), _READ_SECONDS)

    async def _found_origin(self) -> str:
        cluster = ""
        # A server of another make has no such function, or lets nobody call it.
        with suppress(Refused):
            cluster = await self._ask(self._connection.fetchval(schema.CLUSTER), _READ_SECONDS)
        return f"{cluster}/{await self._ask(self._connection.fetchval(schema.DATABASE), _READ_SECONDS)}"

    async def _create(self) -> None:
        connection, tables = self._connection, self._tables
        for tries in range(_CREATE_TRIES):
            if await self._ask(connection.fetchval(schema.EXISTS, tables.log), _READ_SECONDS):
                return
            try:
                for statements in tables.create:
                    await self._ask(connection.execute(statements), _READ_SECONDS)
            except Refused:
                # Several who create the same table at once get errors, in spite of IF NOT EXISTS.
                if tries == _CREATE_TRIES - 1:
                    raise

    def check(self) -> None:
        """Raises Lost where the connection is known to have ended."""
        if self._connection.is_closed():
            raise Lost(f"lost {describe(self._url)}: the connection has ended")

    async def turn(self) -> int:
        """Return the number of the last turn."""
        return self._known(await self._value(schema.TURN, self._tables.keyspace))

    async def take(self) -> int:
        """Take the turn: nobody else commits until `release` or the commit. Return the number of the turn before."""
        await self._ask(self._connection.execute("BEGIN"), _READ_SECONDS)
        return self._known(await self._value(schema.TAKE, self._tables.keyspace, seconds=_TAKE_SECONDS))

    async def release(self) -> None:
        """Give back the turn that was taken."""
        await self._ask(self._connection.execute("COMMIT"), _COMMIT_SECONDS)

    async def read(self, reads: ReadBatch) -> int:
        """Read everything that is asked for, as of one turn, whose number is returned."""
        turn: int | None = None
        for asked, key, value in await self._rows(self._tables.read, self._tables.keyspace, *reads.arguments()):
            if asked:
                reads.found(asked, key, value)
            else:
                turn = int.from_bytes(key, "big")
        return self._known(turn)

    async def missed(self, turn: int, last: int) -> WriteSet | None:
        """Return what the turns after one have changed, up to the last; None where the log does not go back so far.

        Instead of a value that is too large to be kept there is another one that is.
        """
        changes, turns = WriteSet(), 0
        for kind, key, value in await self._rows(self._tables.missed, turn):
            if kind == "turns":
                turns = int.from_bytes(key, "big")
            elif kind == "cleared":
                changes.cleared.append((key, value))
            else:
                changes.writes[key] = _LARGE if kind == "large" else value
        return changes if turns == last - turn else None

    async def commit(self, after: int, changes: WriteSet, payloads: Sequence[str], *, taken: bool) -> bool:
        """Commit changes as the turn that follows `after`; return False if that was not the last one any more."""
        tables = self._tables
        removed = [key for key, value in changes.writes.items() if value is None]
        put = [(key, value) for key, value in changes.writes.items() if value is not None]
        lows, highs = [low for low, _ in changes.cleared], [high for _, high in changes.cleared]
        if lows and not taken:
            taken = True
            if await self.take() != after:
                await self.release()
                return False
        if lows:
            await self._value(tables.clear, lows, highs, seconds=_CLEAR_SECONDS)
        arguments = [
            tables.keyspace,
            after,
            self.id,
            removed,
            [key for key, _ in put],
            [value for _, value in put],
            lows,
            highs,
            tables.channel,
            payloads,
        ]
        committed = await self._value(tables.commit, *arguments, seconds=_COMMIT_SECONDS) is not None
        if taken:
            await self.release()
        return committed

    async def settle(self, session: bytes, turn: int) -> bool:
        """Return whether a lost session's last commit, which was to be this turn, took place.

        It takes a turn of its own: if that commit has not been carried out yet, it never will be. Raises Refused where
        the log does not go back so far.
        """
        tables = self._tables
        last = await self.take()
        author = await self._value(tables.author, turn)
        if author is None and turn <= last:
            raise Refused(f"{describe(self._url)}: nothing is known any more of what a lost connection has written")
        await self._value(tables.log_skip, last + 1, self.id)
        await self._value(schema.SKIP, tables.keyspace)
        await self.release()
        return bool(author == session)

    async def prune(self, turn: int) -> None:
        """Shorten the log of turns."""
        await self._value(self._tables.prune, turn - schema.KEPT_TURNS, seconds=_COMMIT_SECONDS)

    async def size(self) -> int:
        """Return the bytes that the keyspace takes, indexes included. Raises Lost where writes are not taken."""
        size = await self._value(schema.SIZE, [self._tables.rows, self._tables.log])
        if size is None:
            raise Lost(f"lost {describe(self._url)}: it takes no writes")
        return int(size)

    async def commits(self) -> None:
        """See that the server commits: a standby that it waits for may hang."""
        await self.take()
        await self.release()

    async def close(self) -> None:
        try:
            await self._connection.close(timeout=_READ_SECONDS)
        except (*_BROKEN, asyncpg.PostgresError):
            self.terminate()

    def terminate(self) -> None:
        """Close the connection without asking."""
        self._connection.terminate()

    async def _value(self, statement: str, *arguments: Any, seconds: float = _READ_SECONDS) -> Any:
        self.check()
        return await self._ask(self._prepared[statement].fetchval(*arguments), seconds)

    async def _rows(self, statement: str, *arguments: Any) -> Any:
        self.check()
        return await self._ask(self._prepared[statement].fetch(*arguments), _READ_SECONDS)

    def _known(self, turn: int | None) -> int:
        if turn is None:
            raise Refused(f"{describe(self._url)}: the keyspace {self._tables.keyspace} has been removed")
        return turn

    async def _ask(self, answer: Awaitable[T], seconds: float) -> T:
        """Raises Lost or Hung, where nothing is known of what became of it, or Refused."""
        is_hung = False
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except asyncpg.PostgresError as error:
            if error.sqlstate not in _GONE_SQLSTATES and not self._connection.is_closed():
                raise Refused(f"{describe(self._url)}: {error}") from error
            reason = str(error)
        except _BROKEN as error:
            reason = str(error) or f"no answer within {seconds:.0f} s"
            is_hung = isinstance(error, TimeoutError) and seconds >= _COMMIT_SECONDS
        self.terminate()
        raise (Hung if is_hung else Lost)(f"lost {describe(self._url)}: {reason}")
