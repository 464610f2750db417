"""What polls a source: an event source mapping, or a pipe."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudlet.core import Arn
from cloudlet.core.aws.polling.pausing import Backoff
from cloudlet.core.aws.polling.source_record import Record
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block

if TYPE_CHECKING:
    from cloudlet.core.aws.polling.checkpoints import Checkpoint
    from cloudlet.core.aws.polling.shard import Shard

FOR_EVER = -1
"""As a maximum: there is none."""


class Source(NamedTuple):
    """What is polled, and how."""

    arn: Arn
    batch_size: int
    window: int
    """How long (s) a batch may gather."""
    room: int
    """How many bytes of records are worked off at once."""
    batches: int = 1
    """So many batches of a queue are under way at a time."""
    slows_down: bool = False
    """Whether the next batch of a queue is taken later after one of which something failed."""
    lanes: int = 1
    """In so many parts a shard's batch is worked off at a time; the changes of an item stay in one of them."""
    since: float | None = None
    """From when on (seconds since the epoch) a stream is read; None: all that it has."""
    maximum_age: int = FOR_EVER
    """How old (s) a stream's record may become."""
    letters: str = ""
    """The ARN of what is told of a stream's records that are given up; empty for nothing."""

    @property
    def api(self) -> str:
        """The service by whose API it is read."""
        return "dynamodbstreams" if self.arn.service == "dynamodb" else self.arn.service


class Poller(ABC):
    """One that polls in this process until it is told to stop."""

    def __init__(self, block: Block, id: str, arn: str, source: Source, lease: Lease) -> None:
        self.block = block
        self.id = id
        """By which its positions are kept."""
        self.arn = arn
        self.source = source
        self.lease = lease
        self.stopping = asyncio.Event()
        self.log = logging.getLogger(f"cloudlet.{block.service.name}")

    @abstractmethod
    async def call(self, arn: Arn, operation: str, params: dict[str, Any], *, service: str = "") -> dict[str, Any]:
        """Call the API of the service that has a resource, or another one where it is. Raises AwsError."""

    @abstractmethod
    async def passing(self, batch: list[Record]) -> list[Record]:
        """Return the records that match its filter."""

    @abstractmethod
    async def process_messages(self, batch: list[Record]) -> list[Record]:
        """Work off messages; return those that failed, which come again. Raises AwsError where none were taken."""

    @abstractmethod
    async def process_records(self, shard: Shard, batch: list[Record]) -> None:
        """Work off records of a shard until they have passed or are given up. Raises Stopped."""

    @abstractmethod
    async def send_dead_letter(self, shard: str, batch: list[Record], document: dict[str, Any]) -> None:
        """Give what there is to say of records that are given up to the source's `letters`. Raises AwsError."""

    async def ask(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call the source's API. Raises AwsError."""
        return await self.call(self.source.arn, operation, params, service=self.source.api)

    def shard(self, id: str, position: Checkpoint) -> Shard:
        """Return what reads a shard of the source from a position on."""
        from cloudlet.core.aws.polling.shard import Shard

        return Shard(self, id, position)

    def backoff(self) -> Backoff:
        return Backoff(self.block, self.stopping)
