"""A table's stream as the source of a pipe. User guide, "Amazon DynamoDB stream as a source for EventBridge Pipes"."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.block import Block
from cloudlet.core.lease import Lease
from cloudlet.services.pipes import positions
from cloudlet.services.pipes.calling import call
from cloudlet.services.pipes.pausing import Backoff, unless
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.positions import Position
from cloudlet.services.pipes.shard import Shard

log = logging.getLogger("cloudlet.pipes")

_LOOKS_SECONDS = 5.0
"""So often it is looked for shards that are new."""
_SHARDS = 100
_MOST_POSITIONS = 1000


class StreamSource:
    """Takes the records of a stream through a pipe, those of a shard in their order, each shard after its parent."""

    def __init__(self, block: Block, pipe: Pipe, stopping: asyncio.Event, lease: Lease) -> None:
        self._block = block
        self._pipe = pipe
        self._stopping = stopping
        self._lease = lease
        self._looking = Backoff(block, stopping)
        self._running: dict[str, asyncio.Task[None]] = {}

    async def check(self) -> None:
        """Raise AwsError unless the stream is there."""
        await self._describe(None)

    async def run(self) -> None:
        """Take records until the pipe stops; what is under way is finished then."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                try:
                    shards = await self._shards()
                except AwsError as error:
                    log.warning("%s cannot read %s: %s", self._pipe.arn, self._pipe.source, error)
                    await self._looking.wait()
                    continue
                self._looking.succeed()
                for shard, position in await self._ready(shards):
                    if shard not in self._running:
                        work = Shard(self._block, self._pipe, self._stopping, self._lease, shard, position)
                        task = self._running[shard] = group.create_task(work.run())
                        task.add_done_callback(lambda _, shard=shard: self._running.pop(shard, None))  # type: ignore[misc]
                await unless(self._stopping, _LOOKS_SECONDS)

    async def _describe(self, after: str | None) -> dict[str, Any]:
        params: dict[str, Any] = {"StreamArn": self._pipe.source, "Limit": _SHARDS}
        if after is not None:
            params["ExclusiveStartShardId"] = after
        answer = await call(
            self._block, self._pipe, self._pipe.source_arn, "DescribeStream", params, service="dynamodbstreams"
        )
        described: dict[str, Any] = answer["StreamDescription"]
        return described

    async def _shards(self) -> dict[str, str | None]:
        """Return the shards of the stream, and their parents."""
        found: dict[str, str | None] = {}
        after: str | None = None
        while True:
            described = await self._describe(after)
            found |= {shard["ShardId"]: shard.get("ParentShardId") for shard in described["Shards"]}
            after = described.get("LastEvaluatedShardId")
            if after is None:
                return found

    async def _ready(self, shards: dict[str, str | None]) -> list[tuple[str, Position | None]]:
        """Return the shards that can be read now: they have not ended, and their parents have, or are gone."""

        async def body(tx: Any) -> list[tuple[str, Position | None]]:
            known = {shard: await positions.get(tx, self._pipe, shard) for shard in shards}
            for shard in await positions.shards(tx, self._pipe, _MOST_POSITIONS):
                if shard not in shards:
                    positions.forget(tx, self._pipe, shard)

            def has_ended(shard: str | None) -> bool:
                position = known.get(shard or "")
                return shard not in shards or (position is not None and position.ended)

            return [(shard, known[shard]) for shard in shards if not has_ended(shard) and has_ended(shards[shard])]

        return await self._block.store.transact(body)
