"""EventBridge within the test's own process, whose deliveries the test makes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from cloudlet.services.events.delivery_record import Delivery, Lane
from tests.in_process import InProcess

ACCOUNT, OTHER, REGION = "111111111111", "222222222222", "eu-west-1"


class Local(InProcess):
    """EventBridge within the test, whose deliveries the test makes."""

    block = "events"

    def __init__(self, folder: Path) -> None:
        super().__init__(Config(data=folder, durable=False))
        self.tried: list[Delivery] = []
        self.fails = False
        self.open = asyncio.Event()
        """Set while deliveries are not held up."""

    async def attempt(self, block: Block, lane: Lane, due: list[Delivery]) -> list[Delivery | None]:
        self.tried += due
        await self.open.wait()
        if not self.fails:
            return [None] * len(due)
        return [replace(each, due=each.due + 1000, attempts=each.attempts + 1) for each in due]

    def call(self, operation: str, account: str = ACCOUNT, **params: Any) -> Any:
        return self.run(self.calling(operation, account, **params))

    async def calling(self, operation: str, account: str = ACCOUNT, **params: Any) -> Any:
        return await self.cloud.call(
            "events", operation, params, principal=root(account, account), account=account, region=REGION
        )

    def rules(self, count: int, account: str = ACCOUNT) -> None:
        """Put so many rules for all events of the source "shop", with five topics each."""
        for number in range(count):
            self.call("PutRule", account, Name=f"r{number}", EventPattern='{"source":["shop"]}')
            topics = [{"Id": str(id), "Arn": f"arn:aws:sns:{REGION}:{account}:t{id}"} for id in range(5)]
            self.call("PutTargets", account, Rule=f"r{number}", Targets=topics)

    def put(self, size: int, account: str = ACCOUNT) -> None:
        detail = json.dumps({"text": "x" * size})
        entry = {"Source": "shop", "DetailType": "order", "Detail": detail}
        assert self.call("PutEvents", account, Entries=[entry])["FailedEntryCount"] == 0

    def tries(self, count: int) -> None:
        """Wait until so many deliveries are tried; no more are then."""
        self.until(lambda: len(self.tried) >= count)
        self.run(self.settle())
        assert len(self.tried) == count

    def left(self, *spaces: str) -> list[tuple[bytes, bytes]]:
        """Return the rows of parts of the store."""

        async def body(tx: Transaction) -> list[tuple[bytes, bytes]]:
            parts = [Subspace(name) for name in spaces]
            return [row for part in parts for row in await tx.range(part.begin, part.end, limit=10_000)]

        return self.transact(body)

    def nothing_is_left(self) -> bool:
        return not self.left("delivery", "event", "event-deliveries")
