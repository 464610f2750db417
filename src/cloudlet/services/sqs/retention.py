"""Messages older than the queue's retention period are deleted."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.sqs import contents
from cloudlet.services.sqs.messages import decode
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.sequence import LEAD_MILLIS, first_of
from cloudlet.store.tuple_keys import pack_int

_AT_ONCE = 100
_PAGE = 10
"""Messages that are read at once: each may have a megabyte."""


async def expire(tx: Transaction, queue: Queue, now: int) -> bool:
    """Delete messages that have expired by `now` (ms), at most some hundred; return whether there may be more."""
    horizon = now - queue.retention
    space = queue.messages
    # Places in a standard queue follow from the time, so that nothing is read where nothing has expired.
    end = space.end if queue.fifo else space.prefix + pack_int(first_of(horizon + 1 + LEAD_MILLIS))
    start = len(space.prefix)
    begin, limit, deleted = space.begin, 1, 0
    while rows := await tx.range(begin, end, limit=limit):
        for key, value in rows:
            message = decode(value)
            if message.sent > horizon:
                return False
            await contents.remove(tx, queue, key[start:], message, now)
        deleted += len(rows)
        if deleted >= _AT_ONCE:
            return True
        begin, limit = rows[-1][0] + b"\x00", _PAGE
    return False
