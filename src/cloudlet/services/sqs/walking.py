"""Going through the queues of all accounts, page by page, for jobs: each page is a transaction of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.sqs import directory
from cloudlet.services.sqs.queue import messages_count_of
from cloudlet.services.sqs.queue_record import QueueRecord

_PAGE = 200


async def queues_with_messages(block: Block) -> AsyncIterator[QueueRecord]:
    """Yield the queues that hold messages. Those that are empty cost two reads each: most of very many are."""
    after = b""
    while True:

        async def page(tx: Transaction, after: bytes = after) -> tuple[bytes, list[QueueRecord]]:
            rows = await directory.records_after(tx, after, _PAGE)
            holding = [record for _, record in rows if await tx.counter(messages_count_of(record.id))]
            return rows[-1][0] if len(rows) == _PAGE else b"", holding

        after, holding = await block.store.transact(page)
        for record in holding:
            yield record
        if not after:
            return
