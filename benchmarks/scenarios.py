"""What is measured on one running server: how fast it sends, and receives and deletes; each result checked."""

import itertools
import random
import resource
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from benchmarks import loop_client, wrk
from benchmarks.api import JsonApi, SqsApi
from benchmarks.loop_client import BATCH
from benchmarks.process import ServerProcess, busy_cpu_seconds

CONNECTIONS = 16
BODY_BYTES = 100
BATCH_POOL = 64
UNBOUNDED = 1_000_000_000
# Consumers start on a queue of this many, and on a new one each time it is empty, until their time is over.
LAP_MESSAGES = 10_000

A = TypeVar("A", bound=JsonApi)

_random = random.Random(20)  # Fixed, so that every contender and every run gets the same.
_queue_numbers = itertools.count(1)


class Wrong(Exception):
    """The server answered every request with success, and yet the messages do not add up."""


@dataclass(frozen=True)
class Started(Generic[A]):
    """A running contender, and the way to the service that is measured."""

    process: ServerProcess
    api: A
    data: Path

    def disk_bytes(self) -> int:
        """What the data folder takes of the disk."""
        return sum(path.lstat().st_blocks for path in self.data.rglob("*")) * 512


class Server(Started[SqsApi]):
    """A running contender whose SQS is measured."""

    @contextmanager
    def queue(self) -> Iterator[str]:
        """The URL of a fresh queue, deleted afterwards."""
        url = self.api.create_queue(f"benchmark-{next(_queue_numbers)}")
        yield url
        self.api.delete_queue(url)

    def fill(self, queue_url: str, messages: int, seconds: float) -> loop_client.Filled:
        """Puts `messages` more into the queue, or as many as go in within `seconds`."""
        before = self.api.count_messages(queue_url)
        # Equal bodies would be compressed away by a server that writes to disk.
        batches = [_batch(queue_url) for _ in range(BATCH_POOL)]
        filled = loop_client.fill(self.api.signer, self.api.host, batches, messages, seconds, CONNECTIONS)
        _check_count(self.api.count_messages(queue_url) - before, filled.messages, filled.messages)
        return filled


@dataclass(frozen=True)
class Speed:
    """One measurement. Latencies are of a request."""

    messages: int
    repeated: int
    """Messages that came twice, besides."""
    seconds: float
    p50_ms: float
    p99_ms: float
    server_cpu_us_per_message: float
    client_cores: float
    other_cores: float
    """Cores that neither the server nor the client kept busy: more than a little, and the figure is doubtful."""

    @property
    def per_second(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def send(server: Server, queue_url: str, seconds: int) -> Speed:
    """SendMessage of 100 bytes by wrk."""
    return _replay(server, queue_url, "SendMessage", message(queue_url), 1, seconds)


def send_batch(server: Server, queue_url: str, seconds: int) -> Speed:
    """SendMessageBatch of ten messages of 100 bytes by wrk."""
    return _replay(server, queue_url, "SendMessageBatch", _batch(queue_url), BATCH, seconds)


def pass_through(server: Server, queue_url: str, seconds: float) -> Speed:
    """Each connection sends a message, receives one and deletes it: the queue is as good as empty."""
    meter = Meter(server.process)
    with meter:
        passed = wrk.consume(
            server.api.host, server.api.signer, queue_url, 1, UNBOUNDED, seconds, CONNECTIONS, message(queue_url)
        )
    left = passed.sent + passed.repeated - passed.deleted
    _check_count(_settled_count(server.api, queue_url), left - CONNECTIONS, left + CONNECTIONS)
    return _consumed([passed], meter)


def receive_and_delete(server: Server, queue_url: str, at_once: int, seconds: float) -> Speed:
    """Consumers on a queue of 10,000 messages, filled again whenever it is empty, for `seconds` of consuming.

    A server that is slow to fill gets half as long for it, and its consumers find fewer messages. Where all
    takes three times `seconds`, what was consumed by then counts.
    """
    give_up = time.monotonic() + 3 * seconds
    meter = Meter(server.process)
    laps: list[wrk.Consumed] = []
    while (left := seconds - sum(lap.seconds for lap in laps)) > 0.05 and time.monotonic() < give_up:
        filled = server.fill(queue_url, LAP_MESSAGES, seconds / 2)
        lap = _drain(server, meter, queue_url, at_once, filled.messages, left)
        laps.append(lap)
        if lap.deleted - lap.repeated < filled.messages:
            break
    return _consumed(laps, meter)


def receive_and_delete_deep(server: Server, queue_url: str, at_once: int, depth: int, seconds: float) -> Speed:
    """Consumers for `seconds` on a queue that holds `depth` messages already."""
    meter = Meter(server.process)
    drained = _drain(server, meter, queue_url, at_once, depth, seconds)
    return _consumed([drained], meter)


def _body() -> str:
    return "".join(_random.choices(string.ascii_letters + string.digits, k=BODY_BYTES))


def message(queue_url: str) -> bytes:
    """The body of a SendMessage of 100 letters and digits."""
    return msgspec.json.encode({"QueueUrl": queue_url, "MessageBody": _body()})


def _batch(queue_url: str) -> bytes:
    entries = [{"Id": str(number), "MessageBody": _body()} for number in range(BATCH)]
    return msgspec.json.encode({"QueueUrl": queue_url, "Entries": entries})


def _drain(server: Server, meter: "Meter", queue_url: str, at_once: int, messages: int, seconds: float) -> wrk.Consumed:
    with meter:
        drained = wrk.consume(server.api.host, server.api.signer, queue_url, at_once, messages, seconds, CONNECTIONS)
    left = messages + drained.repeated - drained.deleted
    _check_count(_settled_count(server.api, queue_url), max(0, left - CONNECTIONS * at_once), left)
    return drained


def _replay(server: Server, queue_url: str, operation: str, body: bytes, messages: int, seconds: int) -> Speed:
    before = server.api.count_messages(queue_url)
    headers = server.api.signer.headers(operation, body)
    meter = Meter(server.process)
    with meter:
        report = wrk.run(server.api.host, headers, body, CONNECTIONS, seconds)
    # When its time is over wrk drops what is under way: at most one request a connection.
    stored = _settled_count(server.api, queue_url) - before
    _check_count(stored, report.requests * messages, (report.requests + CONNECTIONS) * messages)
    return meter.speed(report.requests * messages, 0, report.seconds, report.p50_ms, report.p99_ms)


def _settled_count(api: SqsApi, queue_url: str) -> int:
    count = api.count_messages(queue_url)
    while True:
        time.sleep(0.1)
        count, before = api.count_messages(queue_url), count
        if count == before:
            return count


def _check_count(found: int, least: int, most: int) -> None:
    if not least <= found <= most:
        raise Wrong(f"{found} messages in the queue, and there should be {least}" + f" to {most}" * (most > least))


def _consumed(laps: list[wrk.Consumed], meter: "Meter") -> Speed:
    messages = sum(lap.deleted - lap.repeated for lap in laps)
    if not messages:
        raise Wrong("no message was received and deleted in the time given")
    longest = max(laps, key=lambda lap: lap.seconds)
    repeated = sum(lap.repeated for lap in laps)
    return meter.speed(messages, repeated, sum(lap.seconds for lap in laps), longest.p50_ms, longest.p99_ms)


class Meter:
    """Adds up processor time of the server, of the client and of the rest of the machine, while entered."""

    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self._server = self._client = self._busy = self._wall = 0.0

    def __enter__(self) -> None:
        self._add(-1)

    def __exit__(self, *_: object) -> None:
        self._add(1)

    def speed(self, messages: int, repeated: int, seconds: float, p50_ms: float, p99_ms: float) -> Speed:
        return Speed(
            messages=messages,
            repeated=repeated,
            seconds=seconds,
            p50_ms=p50_ms,
            p99_ms=p99_ms,
            server_cpu_us_per_message=self._server / messages * 1e6,
            client_cores=self._client / self._wall,
            other_cores=max(0.0, (self._busy - self._server - self._client) / self._wall),
        )

    def _add(self, sign: int) -> None:
        self._server += sign * self._process.cpu_seconds()
        # wrk is a child that has been waited for; who fills queues is this very process.
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            used = resource.getrusage(who)
            self._client += sign * (used.ru_utime + used.ru_stime)
        self._busy += sign * busy_cpu_seconds()
        self._wall += sign * time.perf_counter()
