"""Which records of a batch pass a filter."""

from __future__ import annotations

from collections.abc import Callable

from cloudlet.core.aws.polling.source_record import Record, size
from cloudlet.core.background.workers import LARGE, offload_if


async def filter_records(account: str, batch: list[Record], passes: Callable[[Record], bool]) -> list[Record]:
    """Return the records that pass; those of a large batch, of MiB perhaps, are looked at beside the event loop."""
    return await offload_if(size(batch) >= LARGE, account, _passing, batch, passes)


def _passing(batch: list[Record], passes: Callable[[Record], bool]) -> list[Record]:
    return [each for each in batch if passes(each)]
