"""What a poller takes from a queue."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cloudlet.core import Arn, AwsError
from cloudlet.core.aws.polling.poller import Source
from cloudlet.core.aws.polling.queue import Queue, Room
from cloudlet.core.aws.polling.source_record import Record
from cloudlet.core.kernel.block import Block
from tests.in_process import in_block

_MESSAGE = {"MessageId": "m", "ReceiptHandle": "r", "Body": "hi", "MD5OfBody": ""}


def test_what_was_received_is_worked_off_though_no_more_can_be_received(tmp_path: Path) -> None:
    """It would come again only when it is visible again, and may be a dead letter by then."""
    taken: list[str] = []

    async def scenario(block: Block) -> None:
        stopping = asyncio.Event()
        answers: list[dict[str, Any]] = [{"Messages": [_MESSAGE]}]

        async def ask(operation: str, params: dict[str, Any]) -> dict[str, Any]:
            if operation == "DeleteMessageBatch":
                stopping.set()
                return {}
            if not answers:
                raise AwsError("ServiceUnavailable", "down", status=503)
            return answers.pop()

        async def passing(batch: list[Record]) -> list[Record]:
            return batch

        async def take(batch: list[Record]) -> list[Record]:
            taken.extend(each.id for each in batch)
            return []

        async def wait() -> None:
            stopping.set()

        poller: Any = SimpleNamespace(
            block=block,
            arn="poller",
            source=Source(Arn.parse("arn:aws:sqs:us-east-1:111122223333:q"), 10, window=300, room=1 << 20),
            stopping=stopping,
            ask=ask,
            passing=passing,
            process_messages=take,
            backoff=lambda: SimpleNamespace(wait=wait, succeed=lambda: None),
            log=SimpleNamespace(warning=lambda *_: None, exception=lambda *_: None),
        )
        async with asyncio.timeout(20):
            await Queue(poller).run()

    in_block("sqs", tmp_path, scenario)
    assert taken == ["m"]


def test_batches_are_few_at_first_and_more_step_by_step_while_they_succeed() -> None:
    async def scenario() -> None:
        room = Room(12)

        async def work() -> None:
            while room.size < 12:
                await room.take()
                sizes.add(room.size)
                await asyncio.sleep(0.01)
                room.give_back(has_succeeded=True)

        sizes = {room.size}
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(work())
        assert sizes == {5, 10, 12}
        await room.take()
        room.give_back(has_succeeded=False)
        assert room.size == 5

    asyncio.run(scenario())
