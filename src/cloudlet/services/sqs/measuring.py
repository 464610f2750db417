"""What SQS measures of itself, for CloudWatch.

Developer guide, "Available CloudWatch metrics for Amazon SQS". What a queue did is counted as its calls are answered.
What it holds is read each minute, of queues that were used or held messages within the last six hours: letters come
to a dead-letter queue though nobody calls it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final, NamedTuple

from cloudlet.core import Context, Params, Result, Transaction, utf8
from cloudlet.core.attached import Attached
from cloudlet.core.block import Block
from cloudlet.core.metrics import PERIOD_SECONDS, Dimensions, Values, in_ended_minute, is_first, make_room
from cloudlet.services.sqs import contents, directory
from cloudlet.services.sqs.messages import decode
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.walking import queues_with_messages
from cloudlet.wire import WireError

_ACTIVE_SECONDS: Final = 6 * 3600
_MOST_QUEUES: Final = 10_000
"""Of those that are measured; the least recently used are forgotten."""
_SETTLED: Final = 1000


class _Name(NamedTuple):
    account: str
    region: str
    queue: str


class _Use:
    """What a queue did since the last report."""

    __slots__ = ("deleted", "empty", "last", "received", "sent", "sizes")

    def __init__(self) -> None:
        self.last = 0.0
        """When it was used, in seconds since the epoch."""
        self.reset()

    def reset(self) -> None:
        self.sent = self.deleted = self.empty = 0
        self.sizes = Values()
        """Of the messages that were sent, in bytes."""
        self.received = Values()
        """How many messages receives gave."""


_Uses = OrderedDict[_Name, _Use]
"""The least recently used first."""
_USES: Final[Attached[_Uses]] = Attached(lambda _: OrderedDict())


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Count a call that was answered."""
    if error is not None or not ctx.block.is_measured:
        return
    match operation:
        case "SendMessage":
            use = _of(ctx)
            use.sent += 1
            use.sizes.add(utf8.size(params["MessageBody"]))
        case "SendMessageBatch":
            use = _of(ctx)
            failed = {each["Id"] for each in _listed(result, "Failed")}
            # Messages that go together are often alike.
            sizes: dict[int, int] = {}
            for each in params["Entries"]:
                if each["Id"] not in failed:
                    size = utf8.size(each["MessageBody"])
                    sizes[size] = sizes.get(size, 0) + 1
            for size, count in sizes.items():
                use.sent += count
                use.sizes.add(size, count)
        case "ReceiveMessage":
            use, count = _of(ctx), len(_listed(result, "Messages"))
            if count:
                use.received.add(count)
            else:
                use.empty += 1
        case "DeleteMessage":
            _of(ctx).deleted += 1
        case "DeleteMessageBatch":
            _of(ctx).deleted += len(_listed(result, "Successful"))


def _listed(result: Result, name: str) -> list[Any]:
    return (result or {}).get(name) or []


def _of(ctx: Context) -> _Use:
    """Return the use of the queue that the call found, and was let at: a URL may say anything."""
    queue: Queue = ctx.measured
    record = queue.record
    return _used(_USES.of(ctx.block), _Name(record.account, record.region, record.name), ctx.now())


def _used(uses: _Uses, key: _Name, now: float) -> _Use:
    """Note that a queue is in use."""
    use = uses.get(key)
    if use is None:
        if len(uses) >= _MOST_QUEUES:
            uses.popitem(last=False)
        use = uses[key] = _Use()
    else:
        uses.move_to_end(key)
    use.last = now
    return use


async def measure(block: Block) -> None:
    """Add what all queues did and hold to the block's metrics."""
    now = block.clock.now()
    first = await is_first(block, "held", int(now) // PERIOD_SECONDS)
    uses = _USES.of(block)
    left = _MOST_QUEUES
    async for record in queues_with_messages(block):
        name = _Name(record.account, record.region, record.name)
        if name in uses or len(uses) < _MOST_QUEUES:
            # Those that are used, or were, do not make room for those that only hold messages.
            _used(uses, name, now)
        else:
            await _measure(block, name, None, now, first)
        left -= 1
        if not left:
            break
    for name in list(uses):
        await _measure(block, name, uses.get(name), now, first)


async def _measure(block: Block, name: _Name, use: _Use | None, now: float, first: bool) -> None:
    """Add what one queue did and holds, and forget it if it is not there any more or has not been used for long.

    Of a queue that holds something the first process tells; of an empty one others may be the only ones to know.
    """
    at = in_ended_minute(now)
    if use is not None:
        _add_use(block, name, use, at)
    held = await block.store.transact(lambda tx: _held(tx, name, now))
    if held is None or (use is not None and now - use.last > _ACTIVE_SECONDS):
        _USES.of(block).pop(name, None)
    told = held if held is not None and (first or not any(held.values())) else {}
    for metric, value in told.items():
        unit = "Seconds" if metric == "ApproximateAgeOfOldestMessage" else "Count"
        block.metrics.add(name.account, name.region, metric, _dimensions(name), at, value, unit=unit)
    await make_room(block)


def _add_use(block: Block, name: _Name, use: _Use, at: float) -> None:
    """Add what a queue did to the minute that has just ended, and count anew."""
    for metric, unit, values in (
        ("SentMessageSize", "Bytes", use.sizes),
        ("NumberOfMessagesReceived", "Count", use.received),
        ("NumberOfMessagesSent", "Count", Values.ones(use.sent)),
        ("NumberOfMessagesDeleted", "Count", Values.ones(use.deleted)),
        ("NumberOfEmptyReceives", "Count", Values.ones(use.empty)),
    ):
        block.metrics.include(name.account, name.region, metric, _dimensions(name), at, values, unit)
    use.reset()


def _dimensions(name: _Name) -> Dimensions:
    return (("QueueName", name.queue),)


async def _held(tx: Transaction, name: _Name, now: float) -> dict[str, float] | None:
    """Return what a queue holds, or None where there is no such queue."""
    queue = await directory.by_name(tx, name.account, name.region, name.queue)
    if queue is None:
        return None
    await contents.settle(tx, queue, int(now * 1000), _SETTLED)
    oldest = await tx.range(queue.messages.begin, queue.messages.end, limit=1)
    age = now - decode(oldest[0][1]).sent / 1000 if oldest else 0.0
    return {
        "ApproximateAgeOfOldestMessage": max(0.0, float(int(age))),
        "ApproximateNumberOfMessagesDelayed": await tx.counter(queue.delayed_count),
        "ApproximateNumberOfMessagesNotVisible": await tx.counter(queue.in_flight_count),
        "ApproximateNumberOfMessagesVisible": await contents.visible_count(tx, queue),
    }
