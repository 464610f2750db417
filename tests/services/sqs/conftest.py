"""A Cloudlet within the test's own process, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.clock import Clock
from cloudlet.core.cloud import Auth, Cloud, Config
from cloudlet.core.identity import Principal, root
from cloudlet.core.tokens import TokenSealer

ACCOUNT = "111111111111"
REGION = "eu-west-1"


class MovableClock(Clock):
    """Stands still until it is moved; timers run when it has reached them."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        timer = (when, callback)
        self._timers.append(timer)

        def cancel() -> None:
            if timer in self._timers:
                self._timers.remove(timer)

        return cancel

    def advance(self, seconds: float) -> None:
        self.time += seconds
        due = [timer for timer in self._timers if timer[0] <= self.time]
        self._timers = [timer for timer in self._timers if timer[0] > self.time]
        for _, callback in due:
            callback()


class Sqs:
    """Calls SQS operations as the root of an account, and moves the clock."""

    def __init__(self, folder: Path, auth: Auth = "open") -> None:
        self._runner = asyncio.Runner()
        self.clock = MovableClock()
        self._folder = folder
        self._auth: Auth = auth
        self._runner.get_loop()
        self.cloud = self._open()

    def _open(self) -> Cloud:
        return Cloud(Config(data=self._folder, auth=self._auth, durable=False), TokenSealer(b"k" * 32), self.clock)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(coroutine)

    def call(self, operation: str, *, by: Principal | None = None, account: str = ACCOUNT, **params: Any) -> Any:
        """Call an operation and return its result. Raises AwsError."""
        return self.run(self.calling(operation, by=by, account=account, **params))

    async def calling(
        self, operation: str, *, by: Principal | None = None, account: str = ACCOUNT, **params: Any
    ) -> Any:
        caller = by or root(account)
        return await self.cloud.call("sqs", operation, params, principal=caller, account=account, region=REGION) or {}

    def advance(self, seconds: float) -> None:
        """Move the clock, and let what waits for it run."""

        async def move() -> None:
            self.clock.advance(seconds)
            await self.settle()

        self.run(move())

    async def settle(self) -> None:
        """Let everything that can go on without the clock go on."""
        for _ in range(50):
            await asyncio.sleep(0)

    # -- in short

    def queue(self, name: str = "orders", **attributes: Any) -> str:
        """Create a queue and return its URL."""
        if name.endswith(".fifo"):
            attributes.setdefault("FifoQueue", "true")
            attributes.setdefault("ContentBasedDeduplication", "true")
        values = {key: str(value) for key, value in attributes.items()}
        return str(self.call("CreateQueue", QueueName=name, Attributes=values)["QueueUrl"])

    def send(self, url: str, body: str = "hello", **params: Any) -> Any:
        return self.call("SendMessage", QueueUrl=url, MessageBody=body, **params)

    def receive(self, url: str, count: int = 10, **params: Any) -> list[dict[str, Any]]:
        params.setdefault("MessageSystemAttributeNames", ["All"])
        found = self.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=count, **params)
        return list(found.get("Messages", []))

    def bodies(self, url: str, count: int = 10, **params: Any) -> list[str]:
        return [message["Body"] for message in self.receive(url, count, **params)]

    def delete(self, url: str, message: dict[str, Any]) -> None:
        self.call("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def counts(self, url: str) -> tuple[int, int, int]:
        """Return how many messages are visible, in flight and delayed."""
        shown = self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return (
            int(shown["ApproximateNumberOfMessages"]),
            int(shown["ApproximateNumberOfMessagesNotVisible"]),
            int(shown["ApproximateNumberOfMessagesDelayed"]),
        )

    def arn(self, url: str) -> str:
        shown = self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        return str(shown["Attributes"]["QueueArn"])

    def restart(self) -> None:
        """Close the cloud and open it again on the same data."""
        self.run(self.cloud.close())
        self.cloud = self._open()
        self.run(self._wake())

    async def _wake(self) -> None:
        self.cloud.wake()
        await self.settle()

    def close(self) -> None:
        self.run(self.cloud.close())
        self._runner.close()


@pytest.fixture
def sqs(tmp_path: Path) -> Iterator[Sqs]:
    """SQS in open mode, with a clock that the test moves."""
    server = Sqs(tmp_path)
    yield server
    server.close()


@pytest.fixture
def strict_sqs(tmp_path: Path) -> Iterator[Sqs]:
    """SQS that enforces permissions."""
    server = Sqs(tmp_path, "strict")
    yield server
    server.close()
