"""A table's stream as a source. Lambda's developer guide, "Using AWS Lambda with Amazon DynamoDB"."""

from __future__ import annotations

import asyncio
from typing import Any

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.polling import checkpoints
from cloudlet.core.aws.polling.checkpoints import Checkpoint
from cloudlet.core.aws.polling.pausing import sleep_unless_stopped
from cloudlet.core.aws.polling.poller import Poller
from cloudlet.core.background.jobs import KeyedTasks

_LOOKS_SECONDS = 5.0
"""So often it is looked for shards that are new."""
_SHARDS = 100
_MOST_POSITIONS = 1000


class Stream:
    """Takes the records of a stream, those of a shard in their order, each shard after its parent."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._backoff = poller.backoff()
        self._works = KeyedTasks(poller.block)

    async def run(self) -> None:
        """Take records until the poller stops; what is under way is finished then."""
        poller = self._poller
        async with asyncio.TaskGroup() as group:
            while not poller.stopping.is_set():
                try:
                    shards = await self._shards()
                except AwsError as error:
                    poller.log.warning("%s cannot read %s: %s", poller.arn, poller.source.arn, error)
                    await self._backoff.wait()
                    continue
                self._backoff.succeed()
                await poller.lease.hold()
                for shard, position in await self._ready(shards):
                    what = f"reading {shard} for {poller.arn}"
                    self._works.start(group, shard, what, poller.shard(shard, position).run)
                await sleep_unless_stopped(poller.stopping, _LOOKS_SECONDS)

    async def _shards(self) -> dict[str, str | None]:
        """Return the shards of the stream, and their parents. Raises AwsError."""
        found: dict[str, str | None] = {}
        params: dict[str, Any] = {"StreamArn": str(self._poller.source.arn), "Limit": _SHARDS}
        while True:
            described = (await self._poller.ask("DescribeStream", params))["StreamDescription"]
            found |= {shard["ShardId"]: shard.get("ParentShardId") for shard in described["Shards"]}
            if described.get("LastEvaluatedShardId") is None:
                return found
            params["ExclusiveStartShardId"] = described["LastEvaluatedShardId"]

    async def _ready(self, shards: dict[str, str | None]) -> list[tuple[str, Checkpoint]]:
        """Return the shards that can be read now: they have not ended, and their parents have, or are gone."""
        poller = self._poller.id

        async def body(tx: Transaction) -> list[tuple[str, Checkpoint]]:
            known = {shard: await checkpoints.get(tx, poller, shard) or Checkpoint() for shard in shards}
            for shard in await checkpoints.shards(tx, poller, _MOST_POSITIONS):
                if shard not in shards:
                    checkpoints.forget(tx, poller, shard)

            def has_ended(shard: str | None) -> bool:
                return shard not in shards or known[shard].ended

            return [(shard, known[shard]) for shard in shards if not has_ended(shard) and has_ended(shards[shard])]

        return await self._poller.block.store.transact(body)
