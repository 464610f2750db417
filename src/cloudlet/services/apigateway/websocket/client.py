"""A client's connection, once it has left HTTP: frames (RFC 6455) in and out, and when it is over.

Developer guide, "Quotas for configuring and running a WebSocket API".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import SERVER, Protocol, State

from cloudlet.core.kernel.clock import Clock
from cloudlet.services.apigateway.websocket.event import Session

LARGEST_MESSAGE = 128 << 10
LARGEST_FRAME = 32 << 10
IDLE_SECONDS = 600
LONGEST_SECONDS = 7200
NORMAL, GOING_AWAY, NO_STATUS, ABNORMAL = 1000, 1001, 1005, 1006
_WAITING_BYTES = 256 << 10
"""So much may wait to be sent to a client that reads slowly."""
_PATIENCE_SECONDS = 2.0
"""So long somebody waits who has more for him."""
_CLOSING_SECONDS = 5.0
_AT_ONCE = 16
"""So many of a client's messages are worked on at once; further ones are not read meanwhile."""
_PIECE_BYTES = 8192
"""So much of what a client sends is read in one go: it may be thousands of frames, and others wait meanwhile."""

_REASONS = {GOING_AWAY: "Going away", ABNORMAL: "Connection closed abnormally"}
_UNSAID = "Client-side close frame status not set"


class Full(Exception):
    """The client does not take what was sent to him before."""


class Client(asyncio.Protocol):
    """A client. `made` is called once he is there, `heard` with each message, `gone` with a code and a reason when the
    connection is over.
    """

    __slots__ = (
        "_cancel",
        "_clock",
        "_gone",
        "_heard",
        "_is_due",
        "_made",
        "_parts",
        "_protocol",
        "_text",
        "_transport",
        "_unread",
        "_waiter",
        "_working",
        "last_active",
        "noting",
        "session",
    )

    def __init__(
        self,
        session: Session,
        clock: Clock,
        made: Callable[[Client], None],
        heard: Callable[[Client, bytes, bool], None],
        gone: Callable[[Client, int, str], None],
    ) -> None:
        self.session = session
        self.last_active = clock.now()
        self._clock = clock
        self._made = made
        self._heard = heard
        self._gone = gone
        self.noting: asyncio.Task[None] | None = None
        """Is done once other processes can find him."""
        self._protocol = Protocol(SERVER, max_size=(LARGEST_MESSAGE, LARGEST_FRAME))
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        """The fragments of a message that is not complete."""
        self._text = True
        self._waiter: asyncio.Future[None] | None = None
        """Is done once the client has read what waits for him."""
        self._working = 0
        self._unread = b""
        """What has come and was not read yet."""
        self._is_due = False
        """Whether more of it is read in the next turn of the event loop."""
        self._cancel: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether neither side has ended the connection."""
        return self._transport is not None and self._protocol.state is State.OPEN

    # -- what is sent

    async def send(self, data: bytes) -> None:
        """Send a message. Raises Full; ConnectionError where the client has gone."""
        waiter = self._waiter
        if waiter is not None:
            await asyncio.wait((waiter,), timeout=_PATIENCE_SECONDS)
            if not waiter.done():
                raise Full
        if not self.is_open:
            raise ConnectionResetError("the client has gone")
        try:
            data.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(data)
        else:
            self._protocol.send_text(data)
        self.last_active = self._clock.now()
        self._flush()

    def close(self, code: int, reason: str = "") -> None:
        """End the connection; the client has some seconds to agree."""
        if not self.is_open:
            return
        self._protocol.send_close(code, reason)
        self._flush()
        asyncio.get_running_loop().call_later(_CLOSING_SECONDS, self._abort)

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        transport = self._transport
        for part in self._protocol.data_to_send():
            if transport is None:
                return
            if part:
                transport.write(part)
            else:
                transport.close()

    # -- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_WAITING_BYTES)
        self._set_timer()
        self._made(self)

    def data_received(self, data: bytes) -> None:
        self.last_active = self._clock.now()
        self._unread += data
        if not self._is_due and not self._has_enough:
            self._read()

    @property
    def _has_enough(self) -> bool:
        """Whether there is enough to do for the client: he waits for answers, or does not read those that he got."""
        return self._working >= _AT_ONCE or self._waiter is not None

    def _read(self) -> None:
        """Take some of what has come."""
        self._is_due = False
        data, self._unread = self._unread[:_PIECE_BYTES], self._unread[_PIECE_BYTES:]
        protocol = self._protocol
        protocol.receive_data(data)
        frames = protocol.events_received()
        self._flush()
        for frame in frames:
            if isinstance(frame, Frame):
                self._take(frame)
        self._go_on()

    def _go_on(self) -> None:
        """Read on, if there is not enough to do: what has come already in the next turn, so that others have theirs."""
        transport = self._transport
        if transport is None or self._is_due:
            return
        if not self._unread and not self._has_enough:
            transport.resume_reading()
            return
        transport.pause_reading()
        if not self._has_enough:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._read)

    def pause_writing(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self._go_on()

    def resume_writing(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.resume_writing()
        if self._cancel is not None:
            self._cancel()
        close = self._protocol.close_rcvd
        if self._protocol.close_rcvd_then_sent is not True and self._protocol.close_sent is not None:
            close = self._protocol.close_sent
        self._gone(self, *_told(close))

    # -- messages

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text = frame.opcode is Opcode.TEXT
            self._parts = []
        elif frame.opcode is not Opcode.CONT:
            return
        if frame.data:
            self._parts.append(bytes(frame.data))
        if not frame.fin:
            return
        message, self._parts = b"".join(self._parts), []
        if self._text:
            try:
                message.decode()
            except UnicodeDecodeError:
                self.close(1007, "not UTF-8")
                return
        self._working += 1
        self._heard(self, message, not self._text)

    def worked(self) -> None:
        """Note that a message has been worked on."""
        self._working -= 1
        if self._working == _AT_ONCE - 1:
            self._go_on()

    # -- the end

    def _set_timer(self) -> None:
        due = min(self.last_active + IDLE_SECONDS, self.session.connected + LONGEST_SECONDS)
        self._cancel = self._clock.call_at(due, self._expire)

    def _expire(self) -> None:
        now = self._clock.now()
        if now >= self.session.connected + LONGEST_SECONDS or now >= self.last_active + IDLE_SECONDS:
            self.close(GOING_AWAY, "Going away")
        else:
            self._set_timer()


def _told(close: Close | None) -> tuple[int, str]:
    """Return the code and the reason of the end, as the event of the disconnection tells them."""
    if close is None:
        return ABNORMAL, _REASONS[ABNORMAL]
    if close.code == NO_STATUS:
        return NO_STATUS, _UNSAID
    return close.code, close.reason or _REASONS.get(close.code, "")
