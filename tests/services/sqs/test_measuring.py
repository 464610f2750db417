"""Which queues are measured where there are very many: each account has its part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloudlet.core.kernel.block import Block
from cloudlet.services.sqs import measuring
from cloudlet.services.sqs.queue import QueueName
from cloudlet.services.sqs.queue_record import QueueRecord
from tests.services.sqs.conftest import REGION, Sqs


def test_queues_of_one_account_do_not_take_the_places_of_others() -> None:
    uses = measuring._Uses()
    uses.of(QueueName("few", REGION, "q"), 0)
    for number in range(12_000):
        uses.of(QueueName("many", REGION, str(number)), number)
    assert uses.find(QueueName("few", REGION, "q")) is not None
    assert uses.find(QueueName("many", REGION, "11999")) is not None
    for number in range(8_000):
        uses.of(QueueName(str(number), REGION, "q"), number)
    assert uses.is_full
    assert len(uses.names) == 10_000
    assert uses.find(QueueName("few", REGION, "q")) is not None
    for name in uses.names:
        uses.forget(name)
    assert not uses.is_full


@pytest.mark.interpreted
def test_a_dead_letter_queue_is_measured_though_another_account_has_very_many(
    sqs: Sqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked = [
        *(QueueRecord(number, "000000000001", REGION, f"q{number}", 0, 0, {}, {}) for number in range(12_000)),
        QueueRecord(12_000, "000000000002", REGION, "dead", 0, 0, {}, {}),
    ]
    measured: list[str] = []

    async def walk(block: Block) -> AsyncIterator[QueueRecord]:
        for record in walked:
            yield record

    async def measure(block: Block, name: measuring._Name, *_: Any) -> None:
        measured.append(name.queue)

    monkeypatch.setattr(measuring, "queues_with_messages", walk)
    monkeypatch.setattr(measuring, "_measure", measure)

    async def run() -> None:
        await measuring.measure(sqs.cloud.block("sqs"))

    sqs.run(run())
    assert "dead" in measured
    assert len(measured) == 5_001
