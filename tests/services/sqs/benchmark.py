"""Microseconds per call of the hot operations: handler and store, without HTTP and signatures.

    python -m tests.services.sqs.benchmark [messages already in the queue] [--durable]

Calls go to the block as the front door makes them, a hundred at a time. Without `--durable` the store keeps no log and
never syncs, so that this is the processor's time alone; with it, each hundred calls share one sync.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.core.telemetry.observers import OBSERVERS

_ACCOUNT, _REGION = "111111111111", "eu-west-1"
_CALLS = 5_000
_AT_ONCE = 100
_BODY = "x" * 200

Then = Callable[[Any], None]


class Caller:
    """Calls operations."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.context = Context(block, root(_ACCOUNT), _ACCOUNT, _REGION, "request", "http://localhost")

    def __call__(self, then: Then, operation: str, **params: Any) -> None:
        """Call an operation; `then(result)` is called once it is durable."""

        def done(result: Any, error: Exception | None) -> None:
            if error is not None:
                raise error
            then(result)

        self.block.invoke(self.context, operation, params, done)

    async def wait(self, operation: str, **params: Any) -> Any:
        """Call an operation and return its result."""
        return await self.block.run(self.context, operation, params)


def _ignore(result: Any) -> None:
    pass


async def _timed(name: str, calls: int, run: Callable[[], None]) -> None:
    started = time.perf_counter()
    for number in range(calls):
        run()
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    elapsed = time.perf_counter() - started
    await asyncio.sleep(0.1)
    print(f"{name:34} {elapsed / calls * 1e6:8.1f} us")  # noqa: T201


async def main(prefilled: int, durable: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud(Config(data=Path(folder), durable=durable), TokenSealer(b"k" * 32), observers=OBSERVERS)
        call = Caller(cloud.block("sqs"))
        url = (await call.wait("CreateQueue", QueueName="q"))["QueueUrl"]
        entries = [{"Id": str(index), "MessageBody": _BODY} for index in range(10)]
        for number in range(prefilled // 10):
            call(_ignore, "SendMessageBatch", QueueUrl=url, Entries=entries)
            if number % 100 == 0:
                await asyncio.sleep(0)
        print(f"{prefilled:,} messages in the queue; {_memory():.0f} MiB")  # noqa: T201
        await _standard(call, url, entries)
        empty = (await call.wait("CreateQueue", QueueName="empty"))["QueueUrl"]
        await _timed("ReceiveMessage (empty queue)", _CALLS, lambda: call(_ignore, "ReceiveMessage", QueueUrl=empty))
        await _fifo(call)
        print(f"{_memory():.0f} MiB")  # noqa: T201
        await cloud.close()


async def _standard(call: Caller, url: str, entries: list[dict[str, str]]) -> None:
    await _timed("SendMessage", _CALLS, lambda: call(_ignore, "SendMessage", QueueUrl=url, MessageBody=_BODY))
    await _timed(
        "SendMessageBatch (10)", _CALLS // 10, lambda: call(_ignore, "SendMessageBatch", QueueUrl=url, Entries=entries)
    )
    found: list[Any] = []
    await _timed("ReceiveMessage (1)", _CALLS, lambda: call(found.append, "ReceiveMessage", QueueUrl=url))
    handles = iter([result["Messages"][0]["ReceiptHandle"] for result in found])
    await _timed(
        "DeleteMessage", _CALLS, lambda: call(_ignore, "DeleteMessage", QueueUrl=url, ReceiptHandle=next(handles))
    )
    found.clear()
    await _timed(
        "ReceiveMessage (10)",
        _CALLS // 10,
        lambda: call(found.append, "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10),
    )
    batches = iter(
        [
            [{"Id": str(at), "ReceiptHandle": one["ReceiptHandle"]} for at, one in enumerate(result["Messages"])]
            for result in found
        ]
    )
    await _timed(
        "DeleteMessageBatch (10)",
        _CALLS // 10,
        lambda: call(_ignore, "DeleteMessageBatch", QueueUrl=url, Entries=next(batches)),
    )


async def _fifo(call: Caller) -> None:
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = (await call.wait("CreateQueue", QueueName="q.fifo", Attributes=attributes))["QueueUrl"]
    number = 0

    def send() -> None:
        nonlocal number
        number += 1
        call(_ignore, "SendMessage", QueueUrl=url, MessageBody=f"{number} {_BODY}", MessageGroupId=f"g{number % 500}")

    await _timed("SendMessage (FIFO)", _CALLS, send)
    found: list[Any] = []
    await _timed("ReceiveMessage (FIFO)", 500, lambda: call(found.append, "ReceiveMessage", QueueUrl=url))
    handles = iter([result["Messages"][0]["ReceiptHandle"] for result in found])
    await _timed(
        "DeleteMessage (FIFO)", 500, lambda: call(_ignore, "DeleteMessage", QueueUrl=url, ReceiptHandle=next(handles))
    )


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0, durable="--durable" in sys.argv))
