"""Replicas of blocks on one PostgreSQL, and clients that use all of them at once."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cloudlet.engines.postgres_server import free_port
from cloudlet.testing.server import Aws, Server, fresh_account

LOST = (BotoCoreError, ClientError)
"""What a client gets from a replica that is killed, or that has lost its database."""

_ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=40)


@dataclass
class Replicas:
    """Some processes of one block."""

    block: str
    store: str
    folder: Path
    peers: tuple[str, ...] = ()
    data: Path | None = None
    """The data folder of all; None: each has one of its own."""
    account: str = field(default_factory=fresh_account)
    key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    """The master key that all processes of one Cloudlet share."""
    servers: list[Server] = field(default_factory=list)
    _ports: list[int] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Start one more."""
        self._ports.append(free_port())
        self.servers.append(self._serve(len(self.servers)))

    def kill(self, number: int) -> None:
        """Kill one at once."""
        self.servers[number].kill()

    def revive(self, number: int) -> None:
        """Start a killed one again, where it was."""
        self.servers[number] = self._serve(number)

    def client(self, number: int) -> Any:
        """Return a client of one replica that never tries again by itself."""
        return Aws(self.servers[number].endpoint, self.account).client(self.block, config=_ONCE)

    def endpoint(self, number: int) -> str:
        return self.servers[number].endpoint

    def _serve(self, number: int) -> Server:
        peers = [word for peer in self.peers for word in ("--peer", peer)]
        data = self.data or self.folder / f"{self.block}-{number}"
        options = ["--listen", f"127.0.0.1:{self._ports[number]}", "--data", str(data), "--store", self.store, *peers]
        return self._stack.enter_context(Server.serve(self.block, *options, env={"CLOUDLET_MASTER_KEY": self.key}))

    def close(self) -> None:
        self._stack.close()


@contextmanager
def replicas(block: str, store: str, folder: Path, number: int = 2, **options: Any) -> Iterator[Replicas]:
    """Run replicas of a block; `options` are fields of `Replicas`."""
    running = Replicas(block, store, folder, **options)
    try:
        for _ in range(number):
            running.start()
        yield running
    finally:
        running.close()


class Traffic:
    """Producers and consumers of one queue, in threads, half of them on either replica.

    What a producer sends is `body(number)`; a consumer notes what it receives, in the order of receiving, then deletes
    it. `failures` are errors, of which clients of a replica that is killed get some; they do not know what became of
    what they asked last.
    """

    def __init__(self, running: Replicas, queue: str, producers: int = 4, consumers: int = 4) -> None:
        self.sent: set[str] = set()
        self.received: list[str] = []
        self.deleted: dict[str, float] = {}
        """When their deletion was acknowledged."""
        self.after_deletion: list[str] = []
        """Received by who asked after that."""
        self.failures: list[Exception] = []
        self._running = running
        self._queue = queue
        self._numbers = count()
        self._sends = True
        self._receives = True
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(producers + consumers)
        self._producers = [self._threads.submit(self._produce, n % 2) for n in range(producers)]
        self._consumers = [self._threads.submit(self._consume, n % 2) for n in range(consumers)]

    def _produce(self, replica: int) -> None:
        client = self._running.client(replica)
        while self._sends:
            body = f"message {next(self._numbers)}"
            try:
                client.send_message(QueueUrl=self._queue, MessageBody=body)
            except LOST as error:
                self._failed(error)
            else:
                self.sent.add(body)

    def _consume(self, replica: int) -> None:
        client = self._running.client(replica)
        while self._receives:
            asked = time.monotonic()
            try:
                answer = client.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=5, WaitTimeSeconds=1)
                for message in answer.get("Messages", ()):
                    self._take(client, message, asked)
            except LOST as error:
                self._failed(error)

    def _take(self, client: Any, message: Any, asked: float) -> None:
        body = message["Body"]
        with self._lock:
            self.received.append(body)
            if self.deleted.get(body, asked) < asked:
                self.after_deletion.append(body)
        client.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        with self._lock:
            self.deleted.setdefault(body, time.monotonic())

    def _failed(self, error: Exception) -> None:
        self.failures.append(error)
        time.sleep(0.05)

    def more(self, messages: int = 60) -> None:
        """Return once so many more messages were sent, received and deleted."""
        sent, deleted = len(self.sent) + messages, len(self.deleted) + messages
        until(lambda: len(self.sent) >= sent and len(self.deleted) >= deleted)

    def end(self) -> None:
        """Stop the producers, then the consumers when all that was acknowledged is there."""
        self._sends = False
        for producer in self._producers:
            producer.result()
        try:
            until(lambda: self.sent <= set(self.received))
        finally:
            self._receives = False
            for consumer in self._consumers:
                consumer.result()
            self._threads.shutdown()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
