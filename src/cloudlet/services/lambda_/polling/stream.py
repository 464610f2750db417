"""A table's stream as an event source. Developer guide, "Using AWS Lambda with Amazon DynamoDB"."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from cloudlet.core import AwsError, Transaction
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.services.lambda_.mapping import Mapping
from cloudlet.services.lambda_.polling import positions
from cloudlet.services.lambda_.polling.calling import call
from cloudlet.services.lambda_.polling.pausing import Backoff, unless
from cloudlet.services.lambda_.polling.positions import Position
from cloudlet.services.lambda_.polling.shard import Shard

log = logging.getLogger("cloudlet.lambda")

_LOOKS_SECONDS = 5.0
"""So often it is looked for shards that are new."""
_SHARDS = 100
_MOST_POSITIONS = 1000


class Stream:
    """Gives the records of a stream to a function, those of a shard in their order, each shard after its parent."""

    def __init__(self, block: Block, mapping: Mapping, stopping: asyncio.Event, lease: Lease) -> None:
        self._block = block
        self._mapping = mapping
        self._stopping = stopping
        self._lease = lease
        self._backoff = Backoff(block, stopping)
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Take records until the mapping stops; what is under way is finished then."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                try:
                    shards = await self._shards()
                except AwsError as error:
                    log.warning("%s cannot read %s: %s", self._mapping.arn, self._mapping.source, error)
                    await self._backoff.wait()
                    continue
                self._backoff.succeed()
                for shard, position in await self._ready(shards):
                    if shard not in self._running:
                        work = Shard(self._block, self._mapping, self._stopping, self._lease, shard, position)
                        task = self._running[shard] = group.create_task(work.run())
                        task.add_done_callback(lambda _, shard=shard: self._running.pop(shard, None))  # type: ignore[misc]
                await unless(self._stopping, _LOOKS_SECONDS)

    async def _shards(self) -> dict[str, str | None]:
        """Return the shards of the stream, and their parents. Raises AwsError."""
        found: dict[str, str | None] = {}
        params: dict[str, Any] = {"StreamArn": self._mapping.source, "Limit": _SHARDS}
        while True:
            answer = await call(self._block, self._mapping, "dynamodbstreams", "DescribeStream", params)
            described = answer["StreamDescription"]
            found |= {shard["ShardId"]: shard.get("ParentShardId") for shard in described["Shards"]}
            if described.get("LastEvaluatedShardId") is None:
                return found
            params["ExclusiveStartShardId"] = described["LastEvaluatedShardId"]

    async def _ready(self, shards: dict[str, str | None]) -> list[tuple[str, Position | None]]:
        """Return the shards that can be read now: they have not ended, and their parents have, or are gone."""

        async def body(tx: Transaction) -> list[tuple[str, Position | None]]:
            known = {shard: await positions.get(tx, self._mapping, shard) for shard in shards}
            for shard in await positions.shards(tx, self._mapping, _MOST_POSITIONS):
                if shard not in shards:
                    positions.forget(tx, self._mapping, shard)

            def has_ended(shard: str | None) -> bool:
                position = known.get(shard or "")
                return shard not in shards or (position is not None and position.ended)

            return [(shard, known[shard]) for shard in shards if not has_ended(shard) and has_ended(shards[shard])]

        return await self._block.store.transact(body)
