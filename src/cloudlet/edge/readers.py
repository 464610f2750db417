"""The readers of a Cloudlet: processes that read requests and verify signatures while this one is busy.

What a request costs before its operation begins and after it has ended, a reader pays, on another core. Readers are
started when this process has been busy for a while, take over its connections one by one, each between two requests,
and give them back and end once there is little to do.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from socket import AF_UNIX, SOCK_SEQPACKET, SOCK_STREAM, socket, socketpair
from subprocess import DEVNULL
from time import monotonic, thread_time

from cloudlet.edge.exchange import Exchange
from cloudlet.edge.flow import discard
from cloudlet.edge.http import HttpServer
from cloudlet.edge.link import (
    FROM_READER,
    Answer,
    Asked,
    Connections,
    FromReader,
    Gone,
    Handed,
    Messages,
    Opening,
    Ready,
    Retire,
    ToReader,
    Wanted,
)
from cloudlet.engines.children import Child
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse

log = logging.getLogger("cloudlet.edge")

_LOOK_SECONDS = 0.25
_PAUSE_SECONDS = 5
"""How long none is started after some were: not all at once where they fail."""
_MOST = 4

_PROCESSORS = Path("/proc/stat")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

Ask = Callable[[Asked, Exchange], None]


def _useful() -> int:
    """Return how many readers are of use: one for each core that this process leaves."""
    return min(len(os.sched_getaffinity(0)) - 1, _MOST)


def _rested() -> float:
    """Return for how many seconds the cores of this process have had no work so far, all together (proc(5), stat)."""
    numbers = os.sched_getaffinity(0)
    try:
        told = _PROCESSORS.read_text()
    except OSError:
        return monotonic() * len(numbers)
    cores = {f"cpu{number}" for number in numbers}
    fields = (line.split() for line in told.splitlines())
    return sum(int(line[4]) + int(line[5]) for line in fields if line and line[0] in cores) / _TICKS_A_SECOND


class Demand:
    """Whether readers are wanted: while this process works nearly always, does not wait for the disk, and others rest.

    They hardly help where the disk is what takes the time: requests that come through them share fewer of its syncs.
    """

    BUSY, BUSY_LOOKS = 0.85, 2
    """From which part of the time on it is busy, and how many times in a row before readers are wanted."""
    ROOM, ROOM_LEFT = 0.95, 0.4
    """So much of a core must be idle before there is one, and then before it is given more connections: clients on this
    machine would lose what a reader takes."""
    IDLE, IDLE_LOOKS = 0.1, 120
    """Up to which part it is idle, and how many times in a row before they are not wanted any more."""

    def __init__(self) -> None:
        self._wanted = False
        self._looks = 0

    def after(self, part: float, idle: float) -> bool:
        """Return whether readers are wanted, now that it has worked `part` of the time and `idle` cores had no work."""
        changes = part <= self.IDLE if self._wanted else part >= self.BUSY and idle >= self.ROOM
        self._looks = self._looks + 1 if changes else 0
        if self._looks == (self.IDLE_LOOKS if self._wanted else self.BUSY_LOOKS):
            self._wanted, self._looks = not self._wanted, 0
        return self._wanted

    def is_needed(self, part: float, idle: float) -> bool:
        """Whether there is more to do here than should be, and somewhere else room for it."""
        return part >= self.BUSY and idle >= self.ROOM_LEFT


class Readers:
    """Starts and ends readers as the load asks for it, and gives them connections."""

    def __init__(
        self, server: HttpServer, opening: Opening, ask: Ask, waited: Callable[[], float], count: int | None
    ) -> None:
        """`ask` is given what readers ask, and answers it; `waited` returns how long the disk was waited for so far.

        `count`: there are so many at any time; None: as the load asks for.
        """
        self._server = server
        self._opening = opening
        self._ask = ask
        self._waited = waited
        self._count = count
        self._members: list[_Member] = []
        self._turn = 0
        self.wanted = False
        self._keeper = asyncio.get_running_loop().create_task(self._keep() if count is not None else self._watch())

    def take(self, connection: socket) -> bool:
        """Give a connection to a reader; return whether there was one."""
        if not self._members:
            return False
        self._turn = (self._turn + 1) % len(self._members)
        self._members[self._turn].connections.send(connection, Handed())
        return True

    async def close(self, seconds: float) -> None:
        """Take all connections back and end all readers; those that have not ended in so many seconds are killed."""
        self._keeper.cancel()
        await self._retire(seconds)

    async def _keep(self) -> None:
        """Have as many readers as were asked for."""
        while True:
            await self._start(self._count or 0)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch(self) -> None:
        """Have readers while this process is busy."""
        most, demand, pause = _useful(), Demand(), 0.0
        if not most:
            return
        worked, rested, at = self._worked(), _rested(), monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            before, rested_before, since = worked, rested, at
            worked, rested, at = self._worked(), _rested(), monotonic()
            part, idle = (worked - before) / (at - since), (rested - rested_before) / (at - since)
            # Connections go over while there is too much to do here: once some have, there may be room for others.
            self.wanted = bool(self._members) and demand.is_needed(part, idle)
            if not demand.after(part, idle):
                await self._retire()
            elif len(self._members) < most and at > pause and (self.wanted or not self._members):
                pause = at + _PAUSE_SECONDS
                await self._start(min(most, len(self._members) + max(1, int(idle))))

    def _worked(self) -> float:
        """Return how long the event loop has worked so far, in seconds; what it waits for the disk looks like work."""
        return thread_time() - self._waited()

    async def _start(self, count: int) -> None:
        """Start what is missing of so many."""
        while len(self._members) < count:
            member = _Member(self._server, self._ask, self._ended)
            try:
                await member.start(self._opening)
            except OSError as error:
                log.warning("a reader could not be started: %s", error)
                return
            self._members.append(member)
            self.wanted = True

    async def _retire(self, seconds: float | None = None) -> None:
        self.wanted = False
        # They are kept until they have ended: who stops meanwhile waits for them as well.
        await asyncio.gather(*(member.retire(seconds) for member in list(self._members)))

    def _ended(self, member: _Member) -> None:
        if member not in self._members:
            # It has not even begun, which is told there.
            return
        self._members.remove(member)
        self.wanted = self.wanted and bool(self._members)
        if not member.retires:
            log.warning("a reader (process %s) has gone, and its connections with it", member.process_id)


class _Member:
    """One reader."""

    def __init__(self, server: HttpServer, ask: Ask, ended: Callable[[_Member], None]) -> None:
        self._server = server
        self._ask = ask
        self._on_end = ended
        self.retires = False
        self._process: Child | None = None
        self._under_way: dict[int, Exchange] = {}
        self._wanted: dict[int, tuple[Exchange, HttpResponse]] = {}
        """What is to be answered on connections that are on their way back."""
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()

    @property
    def process_id(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self, opening: Opening) -> None:
        """Start the process; return once it takes connections. Raises OSError."""
        messages, its_messages = socketpair(AF_UNIX, SOCK_STREAM)
        connections, its_connections = socketpair(AF_UNIX, SOCK_SEQPACKET)
        for end in (messages, connections):
            end.setblocking(False)
        descriptors = (its_messages.fileno(), its_connections.fileno())
        with its_messages, its_connections:
            # Not -m, which finds no code in a compiled module.
            command = [sys.executable, "-c", "from cloudlet.edge.reader import main; main()", *map(str, descriptors)]
            self._process = Child(command, stdin=DEVNULL, pass_fds=descriptors)
        self.connections = Connections(connections, self._take_back)
        self._messages = Messages(FROM_READER, self._take, self._lost)
        await asyncio.get_running_loop().create_connection(lambda: self._messages, sock=messages)
        self._messages.send(opening)
        await self._ready

    async def retire(self, seconds: float | None) -> None:
        """Take all connections back; return once the process has ended, which is killed after so many seconds."""
        self.retires = True
        self._messages.send(Retire())
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            log.warning("a reader (process %s) does not end", self.process_id)
            self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def answer(self, number: int, exchange: Exchange, response: HttpResponse) -> None:
        """Let the reader send a response, or send it from here where no message can have all of it."""
        if self._under_way.pop(number, None) is None:
            spawn(discard(response.body))
        elif not self._is_told(number, response):
            self._wanted[number] = exchange, response
            self._messages.send(Wanted(number))

    def _is_told(self, number: int, response: HttpResponse) -> bool:
        """Give the reader a response, unless it is in files, comes bit by bit, or has headers in no encoding."""
        if not isinstance(response.body, bytes):
            return False
        try:
            self._messages.send(Answer(number, response.status, response.headers, response.body))
        except UnicodeEncodeError:
            return False
        return True

    def _take(self, message: ToReader | FromReader) -> None:
        if isinstance(message, Asked):
            request = HttpRequest(message.method, message.path, message.query, message.headers, message.body)
            exchange = Exchange(_Line(self, message), request, message.keep_alive)
            self._under_way[message.id] = exchange
            self._ask(message, exchange)
        elif isinstance(message, Gone):
            self._forget(message.id)
        elif isinstance(message, Ready) and not self._ready.done():
            self._ready.set_result(None)

    def _forget(self, number: int) -> None:
        exchange = self._under_way.pop(number, None)
        if exchange is not None:
            exchange.abort()
        answered = self._wanted.pop(number, None)
        if answered is not None:
            spawn(discard(answered[1].body))

    def _take_back(self, connection: socket, handed: Handed) -> None:
        answered = None if handed.answers is None else self._wanted.pop(handed.answers, None)
        spawn(self._server.adopt(connection, handed.read, stays=handed.stays, answered=answered))

    def _lost(self) -> None:
        self.connections.close()
        for number in [*self._under_way, *self._wanted]:
            self._forget(number)
        if not self._ready.done():
            self._ready.set_exception(OSError("it ended at once"))
        self._gone.set()
        self._on_end(self)


class _Line:
    """Where one request that a reader asks came from."""

    __slots__ = ("_member", "_number", "peer")

    secure = False
    upgradable = False

    def __init__(self, member: _Member, asked: Asked) -> None:
        self._member = member
        self._number = asked.id
        self.peer = asked.peer

    def raw_headers_of(self, request: HttpRequest) -> tuple[()]:
        return ()

    def respond(self, exchange: Exchange, response: HttpResponse) -> None:
        self._member.answer(self._number, exchange, response)

    def upgrade(self, exchange: Exchange, head: bytes, protocol: asyncio.Protocol) -> None:
        raise RuntimeError("a reader hands over who asks to leave HTTP")
