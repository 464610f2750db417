"""What SQS measures of itself, for CloudWatch.

Developer guide, "Available CloudWatch metrics for Amazon SQS". What a queue did is counted as its calls are answered.
What it holds is read each minute, of queues that were used or held messages within the last six hours: letters come
to a dead-letter queue though nobody calls it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any, Final

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws import utf8
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.telemetry.metrics import (
    PERIOD_SECONDS,
    Dimensions,
    Values,
    clamp_to_ended_minute,
    get_metrics,
    is_first,
    is_measured,
)
from cloudlet.core.telemetry.reporting import make_room
from cloudlet.services.sqs import contents, directory
from cloudlet.services.sqs.messages import decode
from cloudlet.services.sqs.queue import Queue, QueueName
from cloudlet.services.sqs.walking import queues_with_messages
from cloudlet.wire import WireError

_ACTIVE_SECONDS: Final = 6 * 3600
_MOST_QUEUES: Final = 10_000
"""Of those that are measured; the least recently used are forgotten, of the account that has most of them."""
_MOST_OF_ACCOUNT: Final = _MOST_QUEUES // 2
_SETTLED: Final = 1000


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


class _Uses:
    """The queues that are measured: very many of one account do not take the places of others'."""

    __slots__ = ("_by_account", "_count")

    def __init__(self) -> None:
        self._by_account: dict[str, OrderedDict[QueueName, _Use]] = {}
        """The least recently used first."""
        self._count = 0

    def of(self, name: QueueName, now: float) -> _Use:
        """Note that a queue is in use."""
        known = self._by_account.get(name.account)
        use = None if known is None else known.get(name)
        if known is None or use is None:
            use = self._added(name)
        else:
            known.move_to_end(name)
        use.last = now
        return use

    def _added(self, name: QueueName) -> _Use:
        if len(self._by_account.get(name.account, ())) >= _MOST_OF_ACCOUNT:
            self._drop_from(name.account)
        elif self.is_full:
            self._drop_from(max(self._by_account, key=lambda account: len(self._by_account[account])))
        use = _Use()
        self._by_account.setdefault(name.account, OrderedDict())[name] = use
        self._count += 1
        return use

    def find(self, name: QueueName) -> _Use | None:
        """Return what a queue did, if it is measured."""
        known = self._by_account.get(name.account)
        return None if known is None else known.get(name)

    def forget(self, name: QueueName) -> None:
        """Measure a queue no longer."""
        known = self._by_account.get(name.account)
        if known is not None and known.pop(name, None) is not None:
            self._count -= 1
            if not known:
                del self._by_account[name.account]

    @property
    def names(self) -> list[QueueName]:
        """All of them."""
        return [name for known in self._by_account.values() for name in known]

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        return self._count >= _MOST_QUEUES

    def _drop_from(self, account: str) -> None:
        self.forget(next(iter(self._by_account[account])))


_USES: Final[PerBlock[_Uses]] = PerBlock(lambda _: _Uses())


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Count a call that was answered."""
    if error is not None or not is_measured(ctx.block):
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
        case _ if ctx.measured is not None:
            _of(ctx)


def _listed(result: Result, name: str) -> list[Any]:
    return (result or {}).get(name) or []


def _of(ctx: Context) -> _Use:
    """Return the use of the queue that the call found, and was let at: a URL may say anything."""
    queue: Queue = ctx.measured
    return _USES.get(ctx.block).of(queue.name, ctx.now())


async def measure(block: Block) -> None:
    """Add what all queues did and hold to the block's metrics."""
    now = block.clock.now()
    first = await is_first(block, "held", int(now) // PERIOD_SECONDS)
    uses = _USES.get(block)
    left, seen = _MOST_QUEUES, Counter[str]()
    async for record in queues_with_messages(block):
        if seen[record.account] >= _MOST_OF_ACCOUNT:
            continue
        seen[record.account] += 1
        name = QueueName(record.account, record.region, record.name)
        if uses.find(name) is not None or not uses.is_full:
            # Those that are used, or were, do not make room for those that only hold messages.
            uses.of(name, now)
        else:
            await _measure(block, name, None, now, first)
        left -= 1
        if not left:
            break
    for name in uses.names:
        await _measure(block, name, uses.find(name), now, first)


async def _measure(block: Block, name: QueueName, use: _Use | None, now: float, first: bool) -> None:
    """Add what one queue did and holds, and forget it if it is not there any more or has not been used for long.

    Of a queue that holds something the first process tells; of an empty one others may be the only ones to know.
    """
    at = clamp_to_ended_minute(now)
    if use is not None:
        _add_use(block, name, use, at)
    held = await block.store.transact(lambda tx: _held(tx, name, now))
    if held is None or (use is not None and now - use.last > _ACTIVE_SECONDS):
        _USES.get(block).forget(name)
    told = held if held is not None and (first or not any(held.values())) else {}
    for metric, value in told.items():
        unit = "Seconds" if metric == "ApproximateAgeOfOldestMessage" else "Count"
        get_metrics(block).add(name.account, name.region, metric, _dimensions(name), at, value, unit=unit)
    await make_room(block)


def _add_use(block: Block, name: QueueName, use: _Use, at: float) -> None:
    """Add what a queue did to the minute that has just ended, and count anew."""
    for metric, unit, values in (
        ("SentMessageSize", "Bytes", use.sizes),
        ("NumberOfMessagesReceived", "Count", use.received),
        ("NumberOfMessagesSent", "Count", Values.ones(use.sent)),
        ("NumberOfMessagesDeleted", "Count", Values.ones(use.deleted)),
        ("NumberOfEmptyReceives", "Count", Values.ones(use.empty)),
    ):
        get_metrics(block).include(name.account, name.region, metric, _dimensions(name), at, values, unit)
    use.reset()


def _dimensions(name: QueueName) -> Dimensions:
    return (("QueueName", name.queue),)


async def _held(tx: Transaction, name: QueueName, now: float) -> dict[str, float] | None:
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
