"""What CloudWatch Logs measures of itself, for CloudWatch.

User guide, "Monitoring with CloudWatch metrics". What comes is counted in memory as calls are answered, and added up
once a minute, for each log group and for the account.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Context, Params, Result
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.telemetry.metrics import Dimensions, Values, clamp_to_ended_minute, get_metrics, is_measured
from cloudlet.services.logs.subscription import Subscription
from cloudlet.wire import WireError

_MOST_GROUPS: Final = 10_000
"""Of those that are counted between two reports; what comes into others is not measured."""
_DESTINATIONS: Final = {"lambda": "Lambda", "kinesis": "Kinesis Data Streams", "firehose": "Firehose"}

_Key = tuple[str, str, str]


class Incoming:
    """What a call has put into a log group, as `Context.measured`."""

    __slots__ = ("bytes", "events")

    def __init__(self, events: int, bytes: int) -> None:
        self.events = events
        self.bytes = bytes


class _Incoming:
    """What came into a log group since the last report."""

    __slots__ = ("bytes", "events")

    def __init__(self) -> None:
        self.bytes = Values()
        self.events = Values()


_NOTHING: Final = Incoming(0, 0)
_INCOMING: Final[PerBlock[dict[_Key, _Incoming]]] = PerBlock(lambda _: {})


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Count a call that was answered."""
    if operation != "PutLogEvents" or error is not None or not is_measured(ctx.block):
        return
    put: Incoming = ctx.measured or _NOTHING
    groups = _INCOMING.get(ctx.block)
    key = (ctx.account, ctx.region, params["logGroupName"])
    incoming = groups.get(key)
    if incoming is None:
        if len(groups) >= _MOST_GROUPS:
            return
        incoming = groups[key] = _Incoming()
    incoming.events.add(put.events)
    incoming.bytes.add(put.bytes)


async def measure(block: Block) -> None:
    """Add what came to the block's metrics, for the minute that has just ended."""
    groups = _INCOMING.pop(block)
    at = clamp_to_ended_minute(block.clock.now())
    totals: dict[tuple[str, str], _Incoming] = {}
    for (account, region, name), incoming in groups.items():
        total = totals.setdefault((account, region), _Incoming())
        for values, into in ((incoming.bytes, total.bytes), (incoming.events, total.events)):
            into.add(values.sum)
        _add(block, account, region, (("LogGroupName", name),), at, incoming)
    for (account, region), total in totals.items():
        _add(block, account, region, (), at, total)


def _add(block: Block, account: str, region: str, dimensions: Dimensions, at: float, incoming: _Incoming) -> None:
    get_metrics(block).include(account, region, "IncomingBytes", dimensions, at, incoming.bytes, "Bytes")
    get_metrics(block).include(account, region, "IncomingLogEvents", dimensions, at, incoming.events, "None")


def forwarded(block: Block, made: Subscription, group: str, service: str, events: int, size: int) -> None:
    """Note that so many events went to a subscriber, in so many compressed bytes."""
    _add_delivery(block, made, group, service, "ForwardedLogEvents", events)
    _add_delivery(block, made, group, service, "ForwardedBytes", size, unit="Bytes")


def not_forwarded(block: Block, made: Subscription, group: str, service: str, events: int, *, throttled: bool) -> None:
    """Note that a subscriber did not take so many events."""
    _add_delivery(block, made, group, service, "DeliveryThrottling" if throttled else "DeliveryErrors", events)


def _add_delivery(
    block: Block, made: Subscription, group: str, service: str, metric: str, value: float, *, unit: str = "None"
) -> None:
    if is_measured(block):
        dimensions = (
            ("LogGroupName", group),
            ("DestinationType", _DESTINATIONS[service]),
            ("FilterName", made.name),
        )
        get_metrics(block).add(made.account, made.region, metric, dimensions, block.clock.now(), value, unit=unit)


def embedded_problems(block: Block, account: str, region: str, group: str, parsing: int, validation: int) -> None:
    """Note that events with embedded metrics did not follow the specification."""
    if is_measured(block):
        dimensions = (("LogGroupName", group),)
        now = block.clock.now()
        for metric, count in (("EMFParsingErrors", parsing), ("EMFValidationErrors", validation)):
            if count:
                get_metrics(block).add(account, region, metric, dimensions, now, count, unit="None")


def findings(block: Block, made: Subscription, group: str, events: int) -> None:
    """Note in how many events a data protection policy found sensitive data."""
    if is_measured(block) and events:
        dimensions = (("LogGroupName", group), ("DataProtectionOperation", "Audit"))
        now = block.clock.now()
        get_metrics(block).add(made.account, made.region, "LogEventsWithFindings", dimensions, now, events, unit="None")
