"""A mapping at work: what it finds goes to its function, until that has taken it or it is given up."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError
from cloudlet.core.aws.polling import source_record
from cloudlet.core.aws.polling.checkpoints import Checkpoint
from cloudlet.core.aws.polling.poller import FOR_EVER, Poller, Source
from cloudlet.core.aws.polling.shard import Shard
from cloudlet.core.aws.polling.source_record import Record
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_ import destinations, measuring
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.invoking import PAYLOAD_BYTES
from cloudlet.services.lambda_.mappings import mapping as mappings
from cloudlet.services.lambda_.mappings.mapping import FAILED, OK, Mapping
from cloudlet.services.lambda_.mappings.mapping_source import describe_denied
from cloudlet.services.lambda_.polling import calling, filtering
from cloudlet.services.lambda_.polling.calling import Answer
from cloudlet.services.lambda_.polling.windows import WindowedShard

_INVOCATIONS = 10
"""The default limit of batches of a queue that are under way."""
_KEPT_SECONDS = 24 * 3600
"""For so long a stream has its records: no function is tried with what is older."""


class MappingPoller(Poller):
    """Polls for a mapping."""

    def __init__(self, block: Block, mapping: Mapping, lease: Lease) -> None:
        source = Source(
            Arn.parse(mapping.source),
            mapping.batch_size,
            mapping.window,
            PAYLOAD_BYTES - 1024,
            batches=mapping.maximum_concurrency or _INVOCATIONS,
            lanes=mapping.parallelization,
            since=mapping.created if mapping.position == "LATEST" else None,
            maximum_age=_KEPT_SECONDS if mapping.maximum_age == FOR_EVER else mapping.maximum_age,
            letters=mapping.on_failure,
        )
        super().__init__(block, mapping.id, mapping.arn, source, lease)
        self._mapping = mapping
        self._result = mapping.last_result

    async def call(self, arn: Arn, operation: str, params: dict[str, Any], *, service: str = "") -> dict[str, Any]:
        name = service or arn.service
        try:
            return await calling.call(self.block, self._mapping, name, operation, params, region=arn.region)
        except AwsError as error:
            if error.code == "AccessDeniedException" and name == "dynamodbstreams":
                await self._note(f"PROBLEM: {describe_denied(self._mapping)}")
            raise

    async def passing(self, batch: list[Record]) -> list[Record]:
        return await filtering.passing(self._mapping, batch)

    async def process_messages(self, batch: list[Record]) -> list[Record]:
        going = await calling.without_loops(self.block, self._mapping, batch)
        if len(going) == len(batch):
            return (await calling.invoke(self.block, self._mapping, batch)).failed
        kept = len(batch) - len(going)
        self.log.warning("%s: %d messages are kept from the function, which causes itself", self.arn, kept)
        failed = (await calling.invoke(self.block, self._mapping, going)).failed if going else []
        done = {source_record.id for source_record in going} - {source_record.id for source_record in failed}
        return [source_record for source_record in batch if source_record.id not in done]

    async def send_dead_letter(self, shard: str, batch: list[Record], document: dict[str, Any]) -> None:
        target = Arn.parse(self.source.letters)
        if target.service == "s3":
            # A bucket has room for what they are.
            document = {**document, "payload": calling.event_of(batch).decode()}
        folder = f"{self.id}/{shard}"
        operation, params = destinations.call_of(self.block, target, msgspec.json.encode(document), folder)
        try:
            await self.call(target, operation, params)
        except AwsError:
            found = self._mapping
            resolved = await self.block.store.transact(lambda tx: directory.resolve(tx, found.target))
            measuring.undelivered(self.block, resolved)
            raise

    async def process_records(self, shard: Shard, batch: list[Record]) -> None:
        mapping = self._mapping
        backoff = self.backoff()
        attempts = 0
        while batch := await shard.without_old(batch, self._context("RecordAgeExceeded", attempts, None)):
            if len(batch) > 1 and source_record.size(batch) > self.source.room:
                await self._halves(shard, batch)
                return
            answer = await self._invoke(shard, batch)
            await self._note(OK if answer is not None and not answer.failed else FAILED)
            goes_on = False
            if answer is not None:
                if isinstance(shard, WindowedShard) and answer.state is not None:
                    await shard.keep(answer.state)
                attempts += 1
                before = len(batch)
                batch = _from_first_failed(batch, answer)
                if not batch:
                    return
                goes_on = len(batch) < before
                if goes_on:
                    # It has made headway: what is left counts anew.
                    attempts = 1
                    backoff.succeed()
                # Of a batch that can be halved yet, only a part fails, perhaps.
                if self._exhausts(attempts) and not (mapping.bisects and len(batch) > 1):
                    await shard.give_up(batch, self._context("RetryAttemptsExhausted", attempts, answer))
                    return
            await backoff.insist()
            if answer is not None and mapping.bisects and not goes_on and len(batch) > 1:
                await self._halves(shard, batch)
                return

    async def _halves(self, shard: Shard, batch: list[Record]) -> None:
        """Work off both halves of a batch.

        Each has all of its attempts: developer guide, "Configuring error handling controls for DynamoDB event sources",
        "Splitting a batch doesn't count towards the retry quota".
        """
        half = len(batch) // 2
        await self.process_records(shard, batch[:half])
        await self.process_records(shard, batch[half:])

    def _exhausts(self, attempts: int) -> bool:
        """Whether so many attempts are all that there are."""
        return self._mapping.attempts != FOR_EVER and attempts > self._mapping.attempts

    async def _invoke(self, shard: Shard, batch: list[Record], window: dict[str, Any] | None = None) -> Answer | None:
        """Return what the function has made of a batch, None where it cannot be invoked now."""
        if window is None and isinstance(shard, WindowedShard):
            window = shard.shown()
        try:
            return await calling.invoke(self.block, self._mapping, batch, window)
        except AwsError as error:
            self.log.warning("%s: %s", self.arn, error)
            return None

    def shard(self, id: str, position: Checkpoint) -> Shard:
        seconds = self._mapping.tumbling_window
        return WindowedShard(self, id, position, seconds) if seconds else super().shard(id, position)

    async def end_window(self, shard: WindowedShard, window: dict[str, Any], end: float) -> None:
        """Have the function end a window: nothing goes on before it has done so, or is given up. Raises Stopped.

        `end` is when the window was over, in seconds since the epoch: none of its records is younger. Developer guide,
        "Implementing stateful DynamoDB stream processing in Lambda": "Tumbling windows fully support the existing retry
        policies maxRetryAttempts and maxRecordAge".
        """
        backoff = self.backoff()
        attempts = 0
        while self.block.clock.now() <= end + self.source.maximum_age:
            answer = await self._invoke(shard, [], window)
            has_ended = answer is not None and answer.state is not None
            await self._note(OK if has_ended else FAILED)
            if has_ended:
                return
            if answer is not None:
                attempts += 1
                if self._exhausts(attempts):
                    await shard.give_up([], self._context("RetryAttemptsExhausted", attempts, answer))
                    return
            await backoff.insist()
        await shard.give_up([], self._context("RecordAgeExceeded", attempts, None))

    async def _note(self, result: str) -> None:
        """Have the mapping show what came of it last."""
        if result == self._result:
            return
        found = self._mapping
        await self.block.store.transact(lambda tx: mappings.note(tx, found, result))
        self._result = result

    def _context(self, condition: str, attempts: int, answer: Answer | None) -> dict[str, Any]:
        """Return why records are given up, after so many attempts, of which the last had an answer.

        Developer guide, "Retain discarded batch records for a DynamoDB event source in Lambda".
        """
        context: dict[str, Any] = {
            "requestContext": {
                "requestId": uuid4() if answer is None else answer.request_id,
                "functionArn": self._mapping.target.arn,
                "condition": condition,
                "approximateInvokeCount": attempts,
            }
        }
        if answer is not None:
            context["responseContext"] = {
                "statusCode": 200,
                "executedVersion": answer.version,
                "functionError": "Unhandled" if answer.error else None,
            }
        return context


def _from_first_failed(batch: list[Record], answer: Answer) -> list[Record]:
    """Return what is left to be done of a batch: all from the first record on that has failed.

    Developer guide, "Configuring partial batch response with DynamoDB and Lambda".
    """
    if not answer.failed:
        return []
    return batch[batch.index(answer.failed[0]) :]
