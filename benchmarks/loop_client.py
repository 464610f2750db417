"""A light SQS client for what wrk cannot do: consumers that delete what they received, and exact filling.

Callbacks on raw connections, one request at a time on each, HTTP read by hand and every request signed: some
40 microseconds a request, of which the kernel takes a part. The same client drives every contender.
"""

import asyncio
import gc
import itertools
import re
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import msgspec
import uvloop

from benchmarks.signing import Signer, StaticRequest

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
BATCH = 10
# Time for requests under way when the measurement is over.
GRACE_SECONDS = 30.0
UNBOUNDED = 1 << 62
# A queue that has messages left and shows none of them for so long has lost them.
EMPTY_SECONDS = 3.0

T = TypeVar("T")


class LoopFailed(Exception):
    """The server answered with an error, lost messages, or broke a connection."""


class _Message(msgspec.Struct):
    MessageId: str
    ReceiptHandle: str


class _Received(msgspec.Struct):
    Messages: list[_Message] = []


class _BatchResult(msgspec.Struct):
    Successful: list[msgspec.Raw] = []
    Failed: list[msgspec.Raw] = []


_decode_received = msgspec.json.Decoder(_Received).decode
_decode_batch = msgspec.json.Decoder(_BatchResult).decode
_encode = msgspec.json.encode


class Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: `send` a request, `answered` gets the body of its 200, anything else fails.

    Where the server closes after an answer, as moto's does, the next request goes over a new connection.
    """

    def __init__(self, host: str, answered: Callable[[bytes], None], failed: Callable[[str], None]) -> None:
        self._address, _, port = host.partition(":")
        self._port = int(port)
        self._answered = answered
        self._failed = failed
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[object] | None = None
        self._request = b""
        self._received = b""
        self._body_at = 0
        self._length = 0
        self._closes = False
        self._dropped = 0

    def send(self, request: bytes) -> None:
        """Sends one request; the one before must have been answered."""
        self._request = request
        if self._transport is None:
            loop = asyncio.get_running_loop()
            self._connecting = loop.create_task(self._connect(loop))
        else:
            self._transport.write(request)

    def close(self) -> None:
        """Closes the connection; an answer still under way is dropped."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            self._dropped += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the request that the connection was opened for."""
        # A cast, since uvloop's transports are not of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails, unless it was `close` that ended the connection."""
        if self._dropped:
            self._dropped -= 1
        else:
            self._failed(f"connection lost: {exc or 'closed by the server'}")

    def data_received(self, data: bytes) -> None:
        """Gathers one answer and hands on its body."""
        if self._received:
            data = self._received + data
        if not self._body_at:
            head_end = data.find(b"\r\n\r\n")
            if head_end < 0:
                self._received = data
                return
            length = CONTENT_LENGTH.search(data, 0, head_end)
            if length is None:
                self._failed(f"an answer without a length: {data[:200]!r}")
                return
            self._closes = CLOSES.search(data, 0, head_end) is not None
            self._body_at = head_end + 4
            self._length = int(length[1])
        if len(data) < self._body_at + self._length:
            self._received = data
            return
        body = data[self._body_at :]
        self._received = b""
        self._body_at = 0
        if data[9:12] != b"200":
            self._failed(f"{data[:15]!r}: {body[:300]!r}")
            return
        if self._closes:
            self.close()
        self._answered(body)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.create_connection(lambda: self, self._address, self._port)
        except OSError as error:
            self._failed(f"no connection: {error}")


@dataclass
class Filled:
    """How many messages were put into a queue, and in how many seconds."""

    messages: int = 0
    seconds: float = 0.0


@dataclass
class Drained:
    """What the consumers got through together. A cycle is a receive and the delete of all it brought."""

    deleted: int = 0
    repeated: int = 0
    """Messages that came again to another consumer, which SQS allows: they count once."""
    seconds: float = 0.0
    empty_receives: int = 0
    cycle_seconds: list[float] = field(default_factory=list)


def fill(
    signer: Signer, host: str, batches: Sequence[bytes], messages: int, seconds: float, connections: int
) -> Filled:
    """Sends `messages` (a multiple of ten) by these batches of ten in turn, fewer if `seconds` are over before."""
    return _run(_fill(signer, host, batches, messages, seconds, connections))


def drain(
    signer: Signer, host: str, queue_url: str, at_once: int, messages: int, seconds: float, connections: int
) -> Drained:
    """Receives up to `at_once` and deletes them, over and over, until `messages` are gone or `seconds` over.

    One at a time is deleted by DeleteMessage, several by DeleteMessageBatch.
    """
    return _run(_drain(signer, host, queue_url, at_once, messages, seconds, connections))


def pass_through(
    signer: Signer, host: str, queue_url: str, message: bytes, seconds: float, connections: int
) -> Drained:
    """Each connection sends `message` (the body of a SendMessage), receives one and deletes it, for `seconds`.

    What it receives may be another's: there are no more messages in the queue than connections.
    """
    return _run(_drain(signer, host, queue_url, 1, UNBOUNDED, seconds, connections, message))


def _run(work: Coroutine[object, object, T]) -> T:
    gc.collect()
    gc.disable()
    try:
        return uvloop.run(work)
    finally:
        gc.enable()


class _Crew:
    """The connections of one measurement: done when all have finished or one has failed."""

    def __init__(self, size: int) -> None:
        loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = loop.create_future()
        # An answer that makes no sense raises in a callback, where nobody else would hear of it.
        loop.set_exception_handler(lambda _, context: self.fail(repr(context.get("exception") or context["message"])))
        self._working = size

    def finish(self) -> None:
        self._working -= 1
        if not self._working and not self.over.done():
            self.over.set_result(None)

    def fail(self, reason: str) -> None:
        if not self.over.done():
            self.over.set_exception(LoopFailed(reason))

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.over, seconds + GRACE_SECONDS)
        except TimeoutError:
            raise LoopFailed(f"a request was not answered within {GRACE_SECONDS:.0f} s") from None


class _Producer:
    def __init__(
        self, host: str, requests: Iterator[StaticRequest], filled: Filled, messages: int, deadline: float, crew: _Crew
    ) -> None:
        self.connection = Connection(host, self._sent, crew.fail)
        self._requests = requests
        self._filled = filled
        self._messages = messages
        self._deadline = deadline
        self._crew = crew

    def send(self) -> None:
        if self._filled.messages >= self._messages or time.perf_counter() >= self._deadline:
            self._crew.finish()
            return
        self._filled.messages += BATCH
        self.connection.send(next(self._requests).bytes())

    def _sent(self, body: bytes) -> None:
        result = _decode_batch(body)
        if result.Failed or len(result.Successful) != BATCH:
            self._crew.fail(f"SendMessageBatch did not take all: {body[:300]!r}")
            return
        self.send()


async def _fill(
    signer: Signer, host: str, batches: Sequence[bytes], messages: int, seconds: float, connections: int
) -> Filled:
    requests = itertools.cycle([StaticRequest(signer, "SendMessageBatch", batch) for batch in batches])
    crew = _Crew(connections)
    filled = Filled()
    began = time.perf_counter()
    producers = [_Producer(host, requests, filled, messages, began + seconds, crew) for _ in range(connections)]
    try:
        for producer in producers:
            producer.send()
        await crew.wait(seconds)
        filled.seconds = time.perf_counter() - began
    finally:
        for producer in producers:
            producer.connection.close()
    return filled


class _Consumer:
    def __init__(
        self,
        host: str,
        signer: Signer,
        queue_url: str,
        send: StaticRequest | None,
        receive: StaticRequest,
        work: "_Work",
        crew: _Crew,
    ) -> None:
        self.connection = Connection(host, self._answered, crew.fail)
        self._signer = signer
        self._queue_url = _encode(queue_url)
        self._send = send
        self._receive = receive
        self._work = work
        self._crew = crew
        self._on_answer: Callable[[bytes], None] = self._sent
        self._deleting = 0
        self._began = 0.0
        self._empty_since = 0.0

    def begin(self) -> None:
        self._began = time.perf_counter()
        if self._work.is_over(self._began):
            self._crew.finish()
        elif self._send is None:
            self._ask()
        else:
            self._on_answer = self._sent
            self.connection.send(self._send.bytes())

    def _answered(self, body: bytes) -> None:
        self._on_answer(body)

    def _sent(self, body: bytes) -> None:
        self._ask()

    def _ask(self) -> None:
        self._on_answer = self._received
        self.connection.send(self._receive.bytes())

    def _received(self, body: bytes) -> None:
        messages = _decode_received(body).Messages
        if not messages:
            self._found_nothing()
            return
        self._empty_since = 0.0
        self._work.received(messages)
        self._deleting = len(messages)
        if self._work.at_once == 1:
            handle = _encode(messages[0].ReceiptHandle)
            operation, request = "DeleteMessage", b'{"QueueUrl":%b,"ReceiptHandle":%b}' % (self._queue_url, handle)
        else:
            entries = b",".join(
                b'{"Id":"%d","ReceiptHandle":%b}' % (number, _encode(message.ReceiptHandle))
                for number, message in enumerate(messages)
            )
            operation, request = "DeleteMessageBatch", b'{"QueueUrl":%b,"Entries":[%b]}' % (self._queue_url, entries)
        self._on_answer = self._deleted
        self.connection.send(self._signer.request(operation, request))

    def _deleted(self, body: bytes) -> None:
        if self._work.at_once > 1:
            result = _decode_batch(body)
            if result.Failed or len(result.Successful) != self._deleting:
                self._crew.fail(f"DeleteMessageBatch did not delete all: {body[:300]!r}")
                return
        self._work.deleted(time.perf_counter() - self._began)
        self.begin()

    def _found_nothing(self) -> None:
        now = time.perf_counter()
        self._work.drained.empty_receives += 1
        self._empty_since = self._empty_since or now
        # Who has sent a message is owed one, even after the time is over.
        if self._send is None and self._work.is_over(now):
            self._crew.finish()
        elif now - self._empty_since > EMPTY_SECONDS:
            self._crew.fail("the queue shows no messages, and not all in it were received")
        else:
            # The last messages are with the other consumers, or shown in a moment; asking at once helps nobody.
            asyncio.get_running_loop().call_later(0.001, self._ask)


class _Work:
    """What the consumers share: how much there is to do, and how far they are."""

    def __init__(self, at_once: int, messages: int, deadline: float) -> None:
        self.at_once = at_once
        self.drained = Drained()
        self.last_delete_at = 0.0
        self._messages = messages
        self._deadline = deadline
        self._message_ids: set[str] = set()

    def is_over(self, now: float) -> bool:
        return not self.missing() or now >= self._deadline

    def missing(self) -> int:
        return self._messages - len(self._message_ids)

    def received(self, messages: list[_Message]) -> None:
        known = len(self._message_ids)
        self._message_ids.update([message.MessageId for message in messages])
        self.drained.repeated += known + len(messages) - len(self._message_ids)

    def deleted(self, cycle_seconds: float) -> None:
        self.drained.cycle_seconds.append(cycle_seconds)
        self.last_delete_at = time.perf_counter()


async def _drain(
    signer: Signer,
    host: str,
    queue_url: str,
    at_once: int,
    messages: int,
    seconds: float,
    connections: int,
    sent_first: bytes | None = None,
) -> Drained:
    send = None if sent_first is None else StaticRequest(signer, "SendMessage", sent_first)
    receive = StaticRequest(signer, "ReceiveMessage", _encode({"QueueUrl": queue_url, "MaxNumberOfMessages": at_once}))
    crew = _Crew(connections)
    began = time.perf_counter()
    work = _Work(at_once, messages, began + seconds)
    consumers = [_Consumer(host, signer, queue_url, send, receive, work, crew) for _ in range(connections)]
    try:
        for consumer in consumers:
            consumer.begin()
        await crew.wait(seconds)
    finally:
        for consumer in consumers:
            consumer.connection.close()
    # Each consumer has deleted what it received before it finished.
    work.drained.deleted = messages - work.missing()
    work.drained.seconds = max(work.last_delete_at - began, 1e-9)
    return work.drained
