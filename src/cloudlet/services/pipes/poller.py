"""A pipe at work: what its source has goes through it."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn
from cloudlet.core.aws.messages import make_send_call, queue_url
from cloudlet.core.aws.polling import source_record
from cloudlet.core.aws.polling.poller import FOR_EVER, Poller, Source
from cloudlet.core.aws.polling.shard import Shard
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes import calling, filtering
from cloudlet.services.pipes.checking import SQS, STREAM
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.execution import execute
from cloudlet.services.pipes.pipe import Parameters, Pipe

_LARGEST_BATCH_BYTES = (6 << 20) - 1024
"""A little less than what a function takes at once: they come to it as an array."""
_KEPT_SECONDS = 86_400
"""So long a stream has its records."""
_ACTIONS = {"sqs": ("ReceiveMessage", "DeleteMessage"), "dynamodbstreams": ("GetShardIterator", "GetRecords")}
"""The actions on a source, by its API (user guide, "Execution role permissions")."""
_EXECUTIONS = 5
"""So many batches of a standard queue are under way at a time."""


def _oldest(given: Parameters) -> int:
    """Return how old (s) a record may become.

    API reference, "MaximumRetryAttempts": what fails is tried again until it expires in the source.
    """
    age: int = given.get("MaximumRecordAgeInSeconds", FOR_EVER)
    return _KEPT_SECONDS if age == FOR_EVER else min(age, _KEPT_SECONDS)


class PipePoller(Poller):
    """Polls for a pipe."""

    def __init__(self, block: Block, pipe: Pipe, lease: Lease) -> None:
        given = pipe.source_parameters[SQS if pipe.source_arn.service == "sqs" else STREAM]
        source = Source(
            pipe.source_arn,
            given["BatchSize"],
            given.get("MaximumBatchingWindowInSeconds") or 0,
            _LARGEST_BATCH_BYTES,
            # The order of a FIFO queue's groups is kept by doing one thing at a time.
            batches=1 if pipe.source.endswith(".fifo") else _EXECUTIONS,
            slows_down=True,
            lanes=given.get("ParallelizationFactor") or 1,
            since=pipe.started if given.get("StartingPosition") == "LATEST" else None,
            maximum_age=_oldest(given),
            letters=(given.get("DeadLetterConfig") or {}).get("Arn") or "",
        )
        super().__init__(block, pipe.id, pipe.arn, source, lease)
        self._pipe = pipe
        self._attempts: int = given.get("MaximumRetryAttempts", FOR_EVER)
        self._bisects = given.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT"

    async def check(self) -> None:
        """Raise AwsError unless the source is there, and the pipe's role may take from it."""
        policy = None
        if self.source.api == "sqs":
            asked = {"QueueUrl": queue_url(self.block, self.source.arn), "AttributeNames": ["Policy"]}
            policy = ((await self.ask("GetQueueAttributes", asked)).get("Attributes") or {}).get("Policy")
        else:
            await self.ask("DescribeStream", {"StreamArn": self._pipe.source})
        await calling.check_source(self.block, self._pipe, _ACTIONS[self.source.api], policy)

    async def call(self, arn: Arn, operation: str, params: dict[str, Any], *, service: str = "") -> dict[str, Any]:
        return await calling.call(self.block, self._pipe, arn, operation, params, service=service)

    async def passing(self, batch: list[Event]) -> list[Event]:
        return await filtering.passing(self._pipe, batch)

    async def process_messages(self, batch: list[Event]) -> list[Event]:
        return (await execute(self.block, self._pipe, batch)).failed

    async def process_records(self, shard: Shard, batch: list[Event]) -> None:
        backoff = self.backoff()
        attempts = 0
        while batch := await shard.without_old(batch, self._context("MaximumRecordAgeExceeded")):
            if len(batch) > 1 and source_record.size(batch) > self.source.room:
                await self._halves(shard, batch)
                return
            batch = await self.process_messages(batch)
            if len(batch) > 1 and self._bisects:
                await self._halves(shard, batch)
                return
            attempts += 1
            if batch and self._attempts != FOR_EVER and attempts > self._attempts:
                await shard.give_up(batch, self._context("RetryAttemptsExhausted"))
                return
            if batch:
                await backoff.insist()

    async def _halves(self, shard: Shard, batch: list[Event]) -> None:
        half = len(batch) // 2
        await self.process_records(shard, batch[:half])
        await self.process_records(shard, batch[half:])

    def _context(self, condition: str) -> dict[str, Any]:
        """User guide, "Understanding EventBridge Pipes error handling and troubleshooting"."""
        return {"context": {"partnerResourceArn": self.arn, "condition": condition}}

    async def send_dead_letter(self, shard: str, batch: list[Event], document: dict[str, Any]) -> None:
        target = Arn.parse(self.source.letters)
        operation, params = make_send_call(self.block, target, msgspec.json.encode(document).decode())
        await self.call(target, operation, params)
