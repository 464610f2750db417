"""Sessions of ExecuteCommand: a terminal in a container, by the protocol of AWS's Session Manager.

Developer guide, "Monitor Amazon ECS containers with ECS Exec". The client's plugin opens a WebSocket with the token of
the session; both shake hands, and then what is typed and printed goes to and fro.
"""

from __future__ import annotations

import asyncio
import fcntl
import hmac
import os
import struct
import termios
from base64 import b64encode
from contextlib import suppress
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.web import Answer, DataPlaneRequest, Upgrade
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.running import session_messages
from cloudlet.services.ecs.running.runner import RUNNER
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpResponse

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

KIND: Final = "ssmmessages"
"""The part of paths and hosts that leads to sessions."""
_SESSIONS: Final = Subspace("exec-session")
_TIMES: Final = Subspace("exec-session-time")
OPENED_SECONDS: Final = 60.0
"""The time in which a session is to be opened."""
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MAX_MESSAGE_BYTES: Final = 1 << 20
_MAX_PAYLOAD_BYTES: Final = 1024
_MAX_WAITING_MESSAGES: Final = 256
_MAX_TYPED_BYTES: Final = 1 << 16
_RESENT_SECONDS: Final = 0.2
_AGENT_VERSION: Final = "3.3.0.0"


class Session(msgspec.Struct, frozen=True):
    """A session that may be opened."""

    token: str
    container: str
    """The container, as the keeper calls it."""
    command: list[str]
    expires: float


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Session).decode
_to_json: Final = msgspec.json.Encoder().encode


def save(tx: Transaction, name: str, session: Session, now: float) -> None:
    """Write a session that may be opened for a while."""
    tx.put(_SESSIONS.key(name), _encode(session))
    tx.put(_TIMES.key(int(now), name), b"")


async def forget_old(block: Block) -> None:
    """Forget sessions that can be opened no more, until the block ends."""

    async def delete(tx: Transaction, row: bytes) -> None:
        tx.delete(_SESSIONS.key(*_TIMES.unpack(row)[1:]))

    await delete_expired(block, _TIMES, OPENED_SECONDS, delete, every=OPENED_SECONDS)


@service.data_plane
async def answer_visit(block: Block, visit: DataPlaneRequest) -> Answer | None:
    """Open the data channel of a session."""
    raw = await block.store.transact(lambda tx: tx.get(_SESSIONS.key(visit.resource)))
    session = None if raw is None else _decode(raw)
    if session is None or session.expires < block.clock.now():
        return HttpResponse(404, [("content-type", "text/plain")], b"there is no such session")
    key = visit.request.headers.get("sec-websocket-key", "")
    if not visit.upgradable or not key:
        return HttpResponse(426, [("upgrade", "websocket")], b"")
    accepted = b64encode(sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    head = "\r\n".join([*lines, f"Sec-WebSocket-Accept: {accepted}", "", ""])
    return Upgrade(head.encode(), Channel(block, visit.resource, session))


class Channel(asyncio.Protocol):
    """The data channel of a session."""

    def __init__(self, block: Block, name: str, session: Session) -> None:
        self._block = block
        self._name = name
        self._session = session
        self._protocol = Protocol(SERVER, max_size=_MAX_MESSAGE_BYTES)
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._terminal = -1
        self._sequence = 0
        self._heard = 0
        """The sequence number that the client's next message has."""
        self._unacknowledged: dict[int, bytes] = {}
        self._resending: asyncio.TimerHandle | None = None
        self._is_admitted = False
        self._has_opened = False
        """Whether the terminal was asked for: a session has one."""
        self._has_ended = False
        """Whether the program at the terminal has ended."""
        self._size = (24, 80)
        self._typed = b""
        """Waits for the terminal to take it."""
        self._is_paused = False

    # -- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        frames = self._protocol.events_received()
        self._flush()
        for frame in frames:
            if isinstance(frame, Frame) and frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    message, self._parts = b"".join(self._parts), []
                    self._take(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._close_terminal()
        if self._resending is not None:
            self._resending.cancel()

    # -- the session's protocol

    def _take(self, content: bytes) -> None:
        try:
            if self._is_admitted:
                self._take_message(session_messages.parse(content))
            else:
                self._admit(msgspec.json.decode(content, type=dict[str, Any]))
        except (ValueError, TypeError):
            self._close()

    def _admit(self, opened: dict[str, Any]) -> None:
        given = str(opened.get("TokenValue", "")).encode()
        if not hmac.compare_digest(given, self._session.token.encode()):
            self._close()
            return
        self._is_admitted = True
        action = {"ActionType": "SessionType", "ActionParameters": {"SessionType": "Standard_Stream", "Properties": {}}}
        request = {"AgentVersion": _AGENT_VERSION, "RequestedClientActions": [action]}
        self._send(session_messages.HANDSHAKE_REQUEST, _to_json(request))

    def _take_message(self, message: session_messages.Message) -> None:
        if message.kind == session_messages.ACKNOWLEDGE:
            said = msgspec.json.decode(message.payload, type=dict[str, Any])
            self._unacknowledged.pop(said.get("AcknowledgedMessageSequenceNumber", -1), None)
            self._resume_terminal()
            return
        self._write(session_messages.write_acknowledgement(message, self._block.clock.now()))
        if message.kind != session_messages.INPUT or message.sequence != self._heard:
            # What is sent again was heard before.
            return
        self._heard += 1
        if message.payload_type == session_messages.HANDSHAKE_RESPONSE and not self._has_opened:
            self._has_opened = True
            complete = {"HandshakeTimeToComplete": 0, "CustomerMessage": ""}
            self._send(session_messages.HANDSHAKE_COMPLETE, _to_json(complete))
            spawn(self._open_terminal())
        elif message.payload_type == session_messages.SIZE:
            size = msgspec.json.decode(message.payload, type=dict[str, int])
            self._size = size.get("rows", 24), size.get("cols", 80)
            self._set_size()
        elif message.payload_type == session_messages.FLAG:
            if int.from_bytes(message.payload) == session_messages.TERMINATE:
                self._close_terminal()
                self._end("")
        elif message.payload_type == session_messages.TEXT:
            self._typed += message.payload
            self._write_terminal()
            if len(self._typed) > _MAX_TYPED_BYTES and self._transport is not None and not self._is_paused:
                # Until the program has read it.
                self._is_paused = True
                self._transport.pause_reading()

    async def _open_terminal(self) -> None:
        session = self._session
        try:
            terminal = await RUNNER.get(self._block).keeper.open_terminal(session.container, session.command)
        except KeeperError as error:
            self._end(f"the command cannot be run: {error}")
            return
        if self._transport is None:
            os.close(terminal)
            return
        os.set_blocking(terminal, False)
        self._terminal = terminal
        self._set_size()
        self._resume_terminal()
        self._write_terminal()

    def _resume_terminal(self) -> None:
        """Read on if the client has taken enough, and end where the terminal has."""
        if self._has_ended and not self._unacknowledged:
            self._end("")
        elif self._terminal >= 0 and len(self._unacknowledged) < _MAX_WAITING_MESSAGES:
            asyncio.get_running_loop().add_reader(self._terminal, self._read_terminal)

    def _set_size(self) -> None:
        if self._terminal >= 0:
            with suppress(OSError, struct.error):
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *self._size, 0, 0))

    def _read_terminal(self) -> None:
        try:
            printed = os.read(self._terminal, _MAX_PAYLOAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            # So a terminal says that its program has ended.
            printed = b""
        if printed:
            self._send(session_messages.TEXT, printed)
            if len(self._unacknowledged) >= _MAX_WAITING_MESSAGES:
                asyncio.get_running_loop().remove_reader(self._terminal)
        else:
            self._close_terminal()
            self._has_ended = True
            self._resume_terminal()

    def _write_terminal(self) -> None:
        if self._terminal < 0 or not self._typed:
            return
        loop = asyncio.get_running_loop()
        try:
            self._typed = self._typed[os.write(self._terminal, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""
        if self._typed:
            loop.add_writer(self._terminal, self._write_terminal)
        else:
            loop.remove_writer(self._terminal)
            if self._transport is not None and self._is_paused:
                self._is_paused = False
                self._transport.resume_reading()

    def _close_terminal(self) -> None:
        terminal, self._terminal = self._terminal, -1
        if terminal >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(terminal)
            loop.remove_writer(terminal)
            os.close(terminal)

    def _send(self, payload_type: int, payload: bytes) -> None:
        now = self._block.clock.now()
        message = session_messages.write(session_messages.OUTPUT, self._sequence, payload, now, payload_type)
        self._unacknowledged[self._sequence] = message
        self._sequence += 1
        self._write(message)
        if self._resending is None:
            self._resending = asyncio.get_running_loop().call_later(_RESENT_SECONDS, self._send_again)

    def _send_again(self) -> None:
        """Send again what the client has not acknowledged: it was not ready for it."""
        self._resending = None
        if self._unacknowledged and self._transport is not None:
            self._write(next(iter(self._unacknowledged.values())))
            self._resending = asyncio.get_running_loop().call_later(_RESENT_SECONDS, self._send_again)

    def _end(self, said: str) -> None:
        """Tell the client that the session is over."""
        closed = {
            "MessageType": session_messages.CLOSED,
            "SchemaVersion": 1,
            "SessionId": self._name,
            "DestinationId": self._name,
            "Output": said,
        }
        now = self._block.clock.now()
        self._write(session_messages.write(session_messages.CLOSED, self._sequence, _to_json(closed), now))
        self._close()

    def _write(self, message: bytes) -> None:
        if self._transport is not None:
            with suppress(WebSocketException):
                self._protocol.send_binary(message)
            self._flush()

    def _close(self) -> None:
        with suppress(WebSocketException):
            self._protocol.send_close(1000)
        self._flush()

    def _flush(self) -> None:
        for part in self._protocol.data_to_send():
            if self._transport is None:
                return
            if part:
                self._transport.write(part)
            else:
                self._transport.close()
