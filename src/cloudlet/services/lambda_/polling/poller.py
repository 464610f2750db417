"""A mapping at work: what it finds goes to its function, until that has taken it or it is given up."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError
from cloudlet.core.block import Block
from cloudlet.core.ids import uuid4
from cloudlet.core.lease import Lease
from cloudlet.core.polling import record
from cloudlet.core.polling.poller import FOR_EVER, Poller, Source
from cloudlet.core.polling.positions import Position
from cloudlet.core.polling.record import Record
from cloudlet.core.polling.shard import Shard
from cloudlet.services.lambda_ import destinations
from cloudlet.services.lambda_ import mapping as mappings
from cloudlet.services.lambda_.invoking import PAYLOAD_BYTES
from cloudlet.services.lambda_.mapping import FAILED, OK, Mapping
from cloudlet.services.lambda_.polling import calling, filtering
from cloudlet.services.lambda_.polling.calling import Answer
from cloudlet.services.lambda_.polling.windows import WindowedShard

_INVOCATIONS = 10
"""So many batches of a queue are under way at a time, where that is not said."""


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
            maximum_age=mapping.maximum_age,
            letters=mapping.on_failure,
        )
        super().__init__(block, mapping.id, mapping.arn, source, lease)
        self._mapping = mapping
        self._result = mapping.last_result

    async def call(self, arn: Arn, operation: str, params: dict[str, Any], *, service: str = "") -> dict[str, Any]:
        name = service or arn.service
        return await calling.call(self.block, self._mapping, name, operation, params, region=arn.region)

    async def passing(self, batch: list[Record]) -> list[Record]:
        return await filtering.passing(self._mapping, batch)

    async def take(self, batch: list[Record]) -> list[Record]:
        going = await calling.without_loops(self.block, self._mapping, batch)
        if len(going) == len(batch):
            return (await calling.invoke(self.block, self._mapping, batch)).failed
        kept = len(batch) - len(going)
        self.log.warning("%s: %d messages are kept from the function, which causes itself", self.arn, kept)
        failed = (await calling.invoke(self.block, self._mapping, going)).failed if going else []
        done = {record.id for record in going} - {record.id for record in failed}
        return [record for record in batch if record.id not in done]

    async def tell(self, shard: str, batch: list[Record], document: dict[str, Any]) -> None:
        target = Arn.parse(self.source.letters)
        if target.service == "s3":
            # A bucket has room for what they are.
            document = {**document, "payload": calling.event_of(batch).decode()}
        folder = f"{self.id}/{shard}"
        operation, params = destinations.call_of(self.block, target, msgspec.json.encode(document), folder)
        await self.call(target, operation, params)

    async def carry(self, shard: Shard, batch: list[Record]) -> None:
        await self._carry(shard, batch, 0)

    async def _carry(self, shard: Shard, batch: list[Record], attempts: int) -> None:
        """Give records to the function until they have passed or are given up. Raises Stopped.

        `attempts` is how often the function has failed with them.
        """
        mapping = self._mapping
        backoff = self.backoff()
        while batch := await shard.without_old(batch, self._context("RecordAgeExceeded", attempts, None)):
            if len(batch) > 1 and record.size(batch) > self.source.room:
                await self._halves(shard, batch, attempts)
                return
            answer = await self._invoke(shard, batch)
            await self._note(OK if answer is not None and not answer.failed else FAILED)
            if answer is not None:
                if isinstance(shard, WindowedShard) and answer.state is not None:
                    await shard.keep(answer.state)
                attempts += 1
                before = len(batch)
                batch = _from_first_failed(batch, answer)
                if not batch:
                    return
                if len(batch) < before:
                    # It has made headway: what is left counts anew.
                    attempts = 1
                    backoff.succeed()
                if mapping.attempts != FOR_EVER and attempts > mapping.attempts:
                    await shard.give_up(batch, self._context("RetryAttemptsExhausted", attempts, answer))
                    return
            await backoff.insist()
            if answer is not None and mapping.bisects and len(batch) > 1:
                await self._halves(shard, batch, attempts)
                return

    async def _halves(self, shard: Shard, batch: list[Record], attempts: int) -> None:
        half = len(batch) // 2
        await self._carry(shard, batch[:half], attempts)
        await self._carry(shard, batch[half:], attempts)

    async def _invoke(self, shard: Shard, batch: list[Record], window: dict[str, Any] | None = None) -> Answer | None:
        """Return what the function has made of a batch, None where it cannot be invoked now."""
        if window is None and isinstance(shard, WindowedShard):
            window = shard.shown()
        try:
            return await calling.invoke(self.block, self._mapping, batch, window)
        except AwsError as error:
            self.log.warning("%s: %s", self.arn, error)
            return None

    def shard(self, id: str, position: Position) -> Shard:
        seconds = self._mapping.tumbling_window
        return WindowedShard(self, id, position, seconds) if seconds else super().shard(id, position)

    async def end_window(self, shard: WindowedShard, window: dict[str, Any]) -> None:
        """Have the function end a window: nothing goes on before it has done so. Raises Stopped."""
        backoff = self.backoff()
        while True:
            answer = await self._invoke(shard, [], window)
            has_ended = answer is not None and answer.state is not None
            await self._note(OK if has_ended else FAILED)
            if has_ended:
                return
            await backoff.insist()

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
                **({"functionError": "Unhandled"} if answer.error else {}),
            }
        return context


def _from_first_failed(batch: list[Record], answer: Answer) -> list[Record]:
    """Return what is left to be done of a batch: all from the first record on that has failed.

    Developer guide, "Configuring partial batch response with DynamoDB and Lambda".
    """
    if not answer.failed:
        return []
    return batch[batch.index(answer.failed[0]) :]
