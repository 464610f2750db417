"""Blocks in processes of their own: started when they are first used, and again when they end or do not answer.

Each block has a TCP socket that listens from the beginning, so that clients can go there directly: whoever connects
first makes it start. The front door reaches it through a Unix socket that only this user can open; what it says there
of a request's origin is believed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from subprocess import PIPE
from typing import Literal, NamedTuple
from urllib.parse import quote

import msgspec

from cloudlet.core.authorization.denials import DenialSummary
from cloudlet.core.host.temporary_folder import TemporaryFolder
from cloudlet.core.kernel.clock_setting import Setting
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.forward import Failed, Forwarder
from cloudlet.edge.listeners import BACKLOG, DaemonSockets, bind, non_blocking, port_of
from cloudlet.edge.reports import BlockStatus, memory_of
from cloudlet.engines.children import Child
from cloudlet.engines.http_client import HttpClient, HttpError, HttpResponse
from cloudlet.wire import HttpRequest

log = logging.getLogger("cloudlet.edge")

State = Literal["available", "starting", "running", "unresponsive", "restarting", "stopped"]

_HEALTH = "/_cloudlet/health"
_BEAT_SECONDS = 2.0
"""The time between two heartbeats of a process."""
_LEAST_BEATS = 5
"""The heartbeats that it may miss at least: a machine that stood still is no reason to kill it."""
_LONGEST_PAUSE_SECONDS = 5.0
_STOP_SECONDS = 15.0
_ASK_SECONDS = 2.0
_ANSWER_BYTES = 64 << 10


class LaunchSpec(NamedTuple):
    """What is started."""

    command: Sequence[str]
    environment: Mapping[str, str]


class Patience(NamedTuple):
    """After how many seconds without an answer a block's process is killed, and started again."""

    starting: float = 120.0
    """Until its first answer: it may have much to read."""
    running: float = 10.0


Launcher = Callable[[str, Sequence[int]], LaunchSpec]
"""Returns how to serve a block on the descriptors of its sockets: that for clients, that for the front door and, where
the block is a daemon too, those that `DaemonSockets` has."""


class SupervisedBlock:
    """One block and its process."""

    def __init__(
        self,
        name: str,
        folder: Path,
        launcher: Launcher,
        daemon: DaemonSockets | None = None,
        port: int = 0,
        patience: Patience | None = None,
    ) -> None:
        """`port` is where clients reach it directly, unless somebody else has that port; 0 for any that is free.

        With no `patience`, a process that does not answer is left alone.
        """
        self.name = name
        self.state: State = "stopped"
        self.restarts = 0
        self.ended: str | None = None
        """How its last process ended that was not told to."""
        self._folder = folder
        self._launcher = launcher
        self._patience = patience
        self._answered = False
        self._hung = ""
        """Why its process was killed."""
        self._listening = _bound(name, port)
        self.port = port_of(self._listening)
        """The port on which clients reach it directly."""
        self._daemon = daemon
        self._daemon_address = None if daemon is None else daemon.address
        self._awaits_client = False
        self._running: asyncio.Task[None] | None = None
        self._process: Child | None = None
        self._unwanted = asyncio.Event()
        self._opened = 0
        self._path = ""
        self._forwarder: Forwarder | None = None
        self._client: HttpClient | None = None
        """What asks for our own paths."""
        self.activate_on_connection()

    def activate_on_connection(self) -> None:
        """Start the process when somebody connects."""
        if self._listening.fileno() >= 0 and self._running is None and not self._awaits_client:
            self._awaits_client = True
            self.state = "available"
            asyncio.get_running_loop().add_reader(self._listening.fileno(), self.start)

    @property
    def has_process(self) -> bool:
        """Whether a process of it is there, which may be starting still."""
        return self._process is not None

    @property
    def is_daemon(self) -> bool:
        """Whether it takes datagrams, so that it runs whether it is used otherwise or not."""
        return self._daemon is not None

    def start(self) -> None:
        """Start the process, unless it runs or was stopped."""
        if self._awaits_client:
            self._await_nobody()
            self._unwanted.clear()
            self._running = asyncio.get_running_loop().create_task(self._keep_running(self._open()))

    def _await_nobody(self) -> None:
        if self._awaits_client:
            self._awaits_client = False
            asyncio.get_running_loop().remove_reader(self._listening.fileno())

    def forward(self, request: HttpRequest, exchange: Exchange, failed: Failed) -> None:
        """Let the block answer a request; `failed` is called where it cannot."""
        self.start()
        if self._forwarder is None:
            failed()
        elif exchange.upgradable:
            self._forwarder.tunnel(request, exchange, failed)
        else:
            self._forwarder.forward(request, exchange, failed)

    async def halt(self) -> None:
        """End the process, in order; who connects waits until it runs again."""
        self._await_nobody()
        running, self._running = self._running, None
        if running is not None:
            self._unwanted.set()
            if self._process is not None:
                self._process.terminate()
            done, _ = await asyncio.wait([running], timeout=_STOP_SECONDS)
            if not done:
                log.warning("%s did not stop in %.0f seconds: killing it", self.name, _STOP_SECONDS)
                if self._process is not None:
                    self._process.kill()
                await running
        await self._close()
        self.state = "stopped"

    async def stop(self) -> None:
        """End the process, and refuse connections from now on."""
        await self.halt()
        self._listening.close()
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None

    def listen_again(self) -> None:
        """Accept connections after a stop, on the same ports. Raises OSError."""
        if self._daemon is None and self._daemon_address is not None:
            self._daemon = DaemonSockets.bound(*self._daemon_address)
        if self._listening.fileno() < 0:
            self._listening = bind("127.0.0.1", self.port)[0]
        self.activate_on_connection()

    async def report(self, admin_headers: Mapping[str, str]) -> BlockStatus:
        """Return how the block is; what only its process knows is unknown while that does not answer."""
        process = self._process
        known = BlockStatus(self.name, self.state, port=self.port, restarts=self.restarts, ended=self.ended)
        if process is None:
            return known
        known = msgspec.structs.replace(known, process=process.pid, memory=memory_of(process.pid))
        if self.state != "running":
            return known
        try:
            answer = await self.ask("GET", "/_cloudlet/blocks", admin_headers)
            told = msgspec.json.decode(answer.body, type=dict[str, list[BlockStatus]])["blocks"]
        except (HttpError, msgspec.DecodeError, KeyError) as error:
            log.warning("%s does not say how it is: %s", self.name, error)
            return known
        data = next((report.data for report in told if report.name == self.name), None)
        return msgspec.structs.replace(known, data=data)

    async def is_ready(self) -> bool:
        """Whether the process answers, has its data, and may write."""
        try:
            return (await self.ask("GET", "/_cloudlet/health?ready", {})).status == HTTPStatus.OK
        except HttpError:
            return False

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", seconds: float = _ASK_SECONDS
    ) -> HttpResponse:
        """Return what the process answers to a request for one of our own paths. Raises HttpError."""
        if self._client is None:
            raise HttpError("connect", f"{self.name} does not run")
        return await self._client.request(
            method, f"http://block{path}", headers.items(), body, timeout=seconds, limit=_ANSWER_BYTES
        )

    def _open(self) -> socket.socket | None:
        """Return a new socket for the front door, which listens already: requests wait there for the process.

        None where there is no room for one.
        """
        self._opened += 1
        self._path = str(self._folder / f"{self.name}-{self._opened}.sock")
        try:
            inside = non_blocking(socket.socket(socket.AF_UNIX))
            inside.bind(self._path)
            inside.listen(BACKLOG)
        except OSError as error:
            log.warning("%s gets no socket: %s", self.name, error)
            return None
        self._forwarder = Forwarder(self._path)
        self._client = HttpClient(unix=self._path)
        return inside

    async def _close(self) -> None:
        """Let nobody wait for a process that is gone."""
        if self._forwarder is not None:
            self._forwarder.close()
            self._forwarder = None
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)

    async def _keep_running(self, inside: socket.socket | None) -> None:
        pause = 0.0
        while True:
            self._answered, self._hung = False, ""
            ending = "could not be started" if inside is None else await self._run(inside)
            await self._close()
            if self._unwanted.is_set():
                return
            self.state, self.ended = "restarting", ending
            self.restarts += 1
            pause = 0.0 if self._answered else min(max(0.1, pause * 2), _LONGEST_PAUSE_SECONDS)
            log.warning("%s %s. Starting it again", self.name, ending)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._unwanted.wait(), pause)
                return
            inside = self._open()

    async def _run(self, inside: socket.socket) -> str:
        """Run a process until it ends; return how it did."""
        with inside:
            daemon = () if self._daemon is None else self._daemon.descriptors
            sockets = (self._listening.fileno(), inside.fileno(), *daemon)
            command, environment = self._launcher(self.name, sockets)
            try:
                # The pipe tells the process when this one has gone.
                process = Child(command, stdin=PIPE, pass_fds=sockets, env=environment)
            except OSError as error:
                return f"could not be started ({error})"
        self._process, self.state = process, "starting"
        if self._unwanted.is_set():
            process.terminate()
        attending = asyncio.get_running_loop().create_task(self._attend(process))
        code = await process.wait()
        self._process = None
        attending.cancel()
        if self._hung:
            return f"(process {process.pid}) was killed: {self._hung}"
        return f"(process {process.pid}) ended with code {code}{'' if self._answered else ' before it answered'}"

    async def _attend(self, process: Child) -> None:
        """Notice whether a process answers, and kill it where it has not for too long, until it is told to end."""
        silent = 0.0
        loop = asyncio.get_running_loop()
        while True:
            patience = self._patience and (self._patience.running if self._answered else self._patience.starting)
            beat = _BEAT_SECONDS if patience is None else min(_BEAT_SECONDS, patience / _LEAST_BEATS)
            began = loop.time()
            try:
                await self.ask("GET", _HEALTH, {}, seconds=beat)
            except HttpError:
                silent += beat
                heard = False
            else:
                silent = 0.0
                heard = self._answered = True
            if self._unwanted.is_set():
                return
            if self._answered:
                self.state = "running" if heard else "unresponsive"
            if patience is not None and silent >= patience:
                self._hung = f"it did not answer for {patience:g} seconds"
                process.kill()
                return
            await asyncio.sleep(began + beat - loop.time())


def _bound(name: str, port: int) -> socket.socket:
    """Return a socket on a port or, where somebody else has that, on another one. Raises OSError."""
    try:
        return bind("127.0.0.1", port)[0]
    except OSError as error:
        if not port:
            raise
        other = bind("127.0.0.1", 0)[0]
        log.warning("%s is at port %d this time: %s", name, port_of(other), error)
        return other


class Supervisor:
    """All blocks of an isolated Cloudlet. Used from one event loop."""

    def __init__(
        self,
        names: Iterable[str],
        launcher: Launcher,
        with_data: Callable[[], Iterable[str]],
        admin_headers: Mapping[str, str],
        daemons: Mapping[str, DaemonSockets],
        ports: Mapping[str, int],
        patience: Patience | None,
    ) -> None:
        """`with_data` says which blocks may have something to do; `admin_headers` open a block's own paths.

        `daemons` has the sockets of blocks that are daemons too, `ports` the ports that blocks had before.
        """
        # The blocks' sockets are there, which only this user can reach.
        self._folder = TemporaryFolder()
        self._members = {
            name: SupervisedBlock(name, self._folder.path, launcher, daemons.get(name), ports.get(name, 0), patience)
            for name in names
        }
        self._with_data = with_data
        self._admin_headers = admin_headers

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __getitem__(self, name: str) -> SupervisedBlock:
        return self._members[name]

    @property
    def ports(self) -> dict[str, int]:
        """The ports on which clients reach the blocks directly."""
        return {name: member.port for name, member in self._members.items()}

    def wake(self) -> None:
        """Start the blocks that have data, so that their jobs go on where they were stopped, and the daemons."""
        for name in {*self._with_data(), *(name for name, member in self._members.items() if member.is_daemon)}:
            self._members[name].start()

    def states(self) -> dict[str, str]:
        """Return each block's state."""
        return {name: member.state for name, member in self._members.items()}

    async def are_ready(self) -> bool:
        """Whether the blocks in use have their data, and may write."""
        members = [member for member in self._members.values() if member.state not in ("available", "stopped")]
        return all(await asyncio.gather(*(member.is_ready() for member in members)))

    async def reports(self) -> list[BlockStatus]:
        """Return how each block is."""
        return list(await asyncio.gather(*(member.report(self._admin_headers) for member in self._members.values())))

    async def explain_denial(self, request_id: str) -> str | None:
        """Return why a request was denied; None where no process knows."""
        answers = await self._ask_all(f"/_cloudlet/denials/{quote(request_id)}")
        known = [answer for answer in answers if answer.status == HTTPStatus.OK]
        return msgspec.json.decode(known[0].body, type=dict[str, str])["explanation"] if known else None

    async def list_denials(self) -> list[DenialSummary]:
        """Return the last denials of each process."""
        answers = await self._ask_all("/_cloudlet/denials")
        decode = partial(msgspec.json.decode, type=dict[str, list[DenialSummary]])
        return [denial for answer in answers for denial in decode(answer.body)["denials"]]

    async def _ask_all(self, path: str) -> list[HttpResponse]:
        """Return the answers of the running processes at one of our own paths."""
        running = [member for member in self._members.values() if member.has_process]
        asked = (member.ask("GET", path, self._admin_headers) for member in running)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, HttpResponse)]

    async def set_clock(self, setting: Setting) -> None:
        """Move the clocks of all processes; those that start later find it in the data folder."""
        running = [member for member in self._members.values() if member.has_process]
        body = msgspec.json.encode(setting)
        answers = (member.ask("PUT", "/_cloudlet/clock", self._admin_headers, body) for member in running)
        for member, answer in zip(running, await asyncio.gather(*answers, return_exceptions=True), strict=True):
            if isinstance(answer, HttpError):
                log.warning("%s does not hear of the time: %s", member.name, answer)
            elif isinstance(answer, BaseException):
                raise answer

    async def stopped(self, change: Callable[[], None]) -> None:
        """Run `change` on the data folder while no block is running, then go on."""
        members = self._members.values()
        stopped = [member for member in members if member.state == "stopped"]
        await asyncio.gather(*(member.halt() for member in members))
        try:
            await asyncio.to_thread(change)
        finally:
            for member in members:
                if member not in stopped:
                    member.activate_on_connection()
            self.wake()

    async def close(self) -> None:
        """End all processes for good."""
        await asyncio.gather(*(member.stop() for member in self._members.values()))
        self._folder.close()
