"""Messages older than the queue's retention period are deleted."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.services.sqs import contents
from cloudlet.services.sqs.messages import decode
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.sequence import LEAD_MILLIS, first_of
from cloudlet.store.keys import pack_int

_AT_ONCE = 100


async def expire(tx: Transaction, queue: Queue, now: int) -> bool:
    """Delete messages that have expired by `now` (ms), at most some hundred; return whether there may be more."""
    horizon = now - queue.retention
    space = queue.messages
    # Places in a standard queue follow from the time, so that nothing is read where nothing has expired.
    end = space.end if queue.fifo else space.prefix + pack_int(first_of(horizon + 1 + LEAD_MILLIS))
    start = len(space.prefix)
    limit = 1
    while rows := await tx.range(space.begin, end, limit=limit):
        for key, value in rows:
            message = decode(value)
            if message.sent > horizon:
                return False
            await contents.remove(tx, queue, key[start:], message, now)
        if limit == _AT_ONCE:
            return True
        limit = _AT_ONCE
    return False
