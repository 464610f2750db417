"""Fair queues: on a standard queue a tenant (message group) that takes too much does not hold up the others.

Developer Guide, "How Amazon SQS fair queues work". A tenant is a noisy neighbour while it has sent messages within
the last five minutes and either has at least 30 messages in flight that are more than 10 % of all in flight, or its
messages took more than 10 % of the time that consumers recently spent on messages. Messages of quiet tenants are
delivered first, in the order of arrival; where there are none, the noisy tenant with the fewest messages in flight
comes first. A message without a group is a tenant of its own.
"""

from __future__ import annotations

from heapq import heappop, heappush

from cloudlet.core import Transaction
from cloudlet.services.sqs.groups import Group, Picked
from cloudlet.services.sqs.messages import state_of
from cloudlet.services.sqs.queue import Queue

_LEAST_IN_FLIGHT = 30
_SHARE = 10
"""A tenth: at most nine tenants can exceed it by either measure."""
_QUIET_AFTER = 300_000
_BUCKET = 60_000
_LOOKED_AT = 2 * (_SHARE - 1) + 1


async def spent(tx: Transaction, queue: Queue, group: str | None, since: int, until: int) -> None:
    """Note that a consumer spent this time (ms since the epoch) on a message; of no interest without tenants."""
    elapsed = until - since
    if elapsed <= 0 or await tx.get(queue.grouped) is None:
        return
    bucket = until // _BUCKET
    total = queue.processing.key(bucket, "")
    if await tx.get(total) is None:
        tx.delete_range(queue.processing.begin, queue.processing.key(max(bucket - 1, 0)))
    tx.add(total, elapsed)
    if group is not None:
        tx.add(queue.processing.key(bucket, group), elapsed)


async def _recent(tx: Transaction, queue: Queue, group: str, now: int) -> int:
    """Return the milliseconds that consumers spent on a tenant's messages in this minute and the one before."""
    bucket = now // _BUCKET
    return await tx.counter(queue.processing.key(bucket, group)) + await tx.counter(
        queue.processing.key(bucket - 1, group)
    )


async def _is_noisy(tx: Transaction, queue: Queue, group: Group, in_flight: int, processing: int, now: int) -> bool:
    if group.sent < now - _QUIET_AFTER:
        return False
    if group.in_flight >= _LEAST_IN_FLIGHT and group.in_flight * _SHARE > in_flight:
        return True
    return processing > 0 and await _recent(tx, queue, group.name, now) * _SHARE > processing


async def take(tx: Transaction, queue: Queue, count: int, now: int) -> list[Picked]:
    """Take up to `count` visible messages, in the order that is fair."""
    start = len(queue.ready.prefix)
    free = await tx.range(queue.ready.begin, queue.ready.end, limit=count)
    heads = await tx.range(queue.available.begin, queue.available.end, limit=count + _LOOKED_AT)
    in_flight = await tx.counter(queue.in_flight_count)
    processing = await _recent(tx, queue, "", now)
    quiet: list[tuple[bytes, Group | None]] = [(key[start:], None) for key, _ in free]
    noisy: list[tuple[int, bytes, Group]] = []
    states = {key[start:]: value for key, value in free}
    for _, name in heads:
        group = await Group.read(tx, queue, name.decode())
        if await _is_noisy(tx, queue, group, in_flight, processing, now):
            heappush(noisy, (group.in_flight, group.head, group))
        else:
            quiet.append((group.head, group))
    quiet.sort(key=lambda entry: entry[0], reverse=True)
    taken: list[Picked] = []
    while quiet and len(taken) < count:
        place, owner = quiet.pop()
        if owner is None:
            tx.delete(queue.ready.prefix + place)
            taken.append((place, state_of(states[place])))
            continue
        rival = quiet[-1][0] if quiet else b"\xff"
        taken += await owner.take(tx, count - len(taken), before=rival)
        owner.write(tx)
        if owner.head:
            quiet.append((owner.head, owner))
            quiet.sort(key=lambda entry: entry[0], reverse=True)
    while noisy and len(taken) < count:
        _, _, group = heappop(noisy)
        taken += await group.take(tx, 1)
        group.write(tx)
        if group.head:
            heappush(noisy, (group.in_flight, group.head, group))
    return taken
