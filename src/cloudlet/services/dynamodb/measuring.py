"""What DynamoDB measures of itself, for CloudWatch: what tables and streams did, counted as calls are answered.

Developer guide, "DynamoDB Metrics and dimensions". What is provisioned is measured by `measuring_provisioned`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError, Context, Params, Result
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.telemetry.metrics import Dimensions, Values, clamp_to_ended_minute, get_metrics, is_measured
from cloudlet.services.dynamodb.requests.throttling import Kind, throttle
from cloudlet.services.dynamodb.tables import directory
from cloudlet.services.dynamodb.tables.table import Table, table_arn
from cloudlet.wire import WireError

_MOST_TABLES: Final = 10_000
"""Of those that were used since the last report; others are not measured."""
_READS: Final = frozenset(("BatchGetItem", "GetItem", "Query", "Scan", "TransactGetItems"))
_THROTTLED: Final = frozenset(("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"))
_SERVER_ERROR: Final = 500
_UNITS: Final = {"ReturnedBytes": "Bytes", "SuccessfulRequestLatency": "Milliseconds"}
_STEPS: Final = 50
"""So many different latencies are told apart in a millisecond."""
_AT_ONCE: Final = 256
"""So many different calls are noted before they are counted."""

Units = tuple[tuple[str, float], ...]
"""Units of indexes, with their names."""
Spent = tuple[Table, Kind, float, Units, int | None]
"""What a call consumed: of a table itself, in units, and of its indexes; and how many items it returned, for calls of
which that is measured.

`Context.measured` has one for each table. (Plain tuples: they are made for each call, and calls that are alike are
counted together, by their hashes.)
"""


class Fetched(NamedTuple):
    """What GetRecords read of a stream, as `Context.measured`; `size` is in bytes."""

    account: str
    region: str
    table: str
    label: str
    """Of the stream."""
    records: int
    size: int


class _Use:
    """What a table did since the last report."""

    __slots__ = ("account", "events", "name", "region", "units", "values")

    def __init__(self, account: str, region: str, name: str) -> None:
        self.account, self.region, self.name = account, region, name
        self.units: dict[tuple[Kind, str], Values] = {}
        """By the global index, "" for the table itself."""
        self.values: dict[tuple[str, str, str], Values] = {}
        """By metric, operation, and the label of a stream, "" where it is about none."""
        self.events: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By metric and operation, "" for metrics that do not tell operations apart."""


class _Uses:
    """What a block did since the last report."""

    def __init__(self) -> None:
        self.tables: dict[str, _Use] = {}
        """By ARN."""
        self.user_errors: defaultdict[tuple[str, str], int] = defaultdict(int)
        """By account and region."""

    def of(self, arn: str, account: str, region: str, name: str) -> _Use | None:
        use = self.tables.get(arn)
        if use is None and len(self.tables) < _MOST_TABLES:
            use = self.tables[arn] = _Use(account, region, name)
        return use


_USES: Final = PerBlock(lambda _: _Uses())


def spent(ctx: Context, spent: Spent) -> None:
    """Note what a call consumed of a table beside what it has consumed of it already.

    Not for transactions, which may run again.
    """
    if ctx.measured is not None:
        ((_, _, units_before, indexes_before, returned_before),) = ctx.measured
        table, kind, units, indexes, returned = spent
        total = dict(indexes_before)
        for name, each in indexes:
            total[name] = total.get(name, 0.0) + each
        spent = (table, kind, units_before + units, units_of(total), (returned_before or 0) + (returned or 0))
    ctx.measured = (spent,)


def units_of(indexes: Mapping[str, float]) -> Units:
    """Return units of indexes, given by their names, as they are noted."""
    return tuple(indexes.items()) if indexes else ()


def expired(block: Block, table: Table, count: int) -> None:
    """Count items that were deleted because their time to live was over."""
    if count and is_measured(block):
        use = _use_of(_USES.get(block), table)
        if use is not None:
            use.events["TimeToLiveDeletedItemCount", ""] += count


def _use_of(uses: _Uses, table: Table) -> _Use | None:
    record = table.record
    return uses.of(table.arn, record.account, record.region, record.name)


# -- as calls are answered


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Note a call that was answered."""
    block, measured = ctx.block, ctx.measured
    if not is_measured(block):
        return
    if error is not None:
        _failed(_USES.get(block), ctx, operation, params, error)
    elif measured is not None:
        noted = get_metrics(block).noted
        call = (operation, measured, int((perf_counter() - ctx.started) * (1000 * _STEPS)))
        try:
            noted[call] += 1
        except KeyError:
            noted[call] = 1
            if len(noted) >= _AT_ONCE:
                _count(block)
        if throttle is not None and result is not None:
            _count_unprocessed(_USES.get(block), _listed(measured), result)


def _count(block: Block) -> None:
    """Count the calls that were noted and have succeeded."""
    uses = _USES.get(block)
    noted, get_metrics(block).noted = get_metrics(block).noted, {}
    for (operation, measured, steps), count in noted.items():
        latency = steps / _STEPS
        if type(measured) is Fetched:
            _count_fetched(uses, measured, operation, latency, count)
            continue
        for spent in measured:
            use = _use_of(uses, spent[0])
            if use is not None:
                _consumed(use, spent, count)
                _add(use.values, ("SuccessfulRequestLatency", operation, ""), latency, count)
                if spent[4] is not None:
                    _add(use.values, ("ReturnedItemCount", operation, ""), spent[4], count)


def _listed(measured: tuple[Spent, ...] | Fetched | None) -> tuple[Spent, ...]:
    return () if measured is None or isinstance(measured, Fetched) else measured


def _add(values: dict[Any, Values], key: Any, value: float, count: int) -> None:
    of_key = values.get(key)
    if of_key is None:
        of_key = values[key] = Values()
    of_key.add(value, count)


def _consumed(use: _Use, spent: Spent, count: int) -> None:
    """Count what so many calls have consumed each: local indexes live on the table's throughput."""
    table, kind, units, indexes, _ = spent
    for name, each in indexes:
        if table.indexes[name].is_global:
            _add(use.units, (kind, name), each, count)
        else:
            units += each
    if units or not indexes:
        _add(use.units, (kind, ""), units, count)


def _count_unprocessed(uses: _Uses, spents: Iterable[Spent], result: Mapping[str, Any]) -> None:
    """Count what a batch left undone for lack of throughput."""
    for table in [spent[0] for spent in spents]:
        use = _use_of(uses, table)
        if use is not None:
            _count_left(use, table, result)


def _count_left(use: _Use, table: Table, result: Mapping[str, Any]) -> None:
    for metric, member in (("ReadThrottleEvents", "UnprocessedKeys"), ("WriteThrottleEvents", "UnprocessedItems")):
        left = result.get(member) or {}
        undone = left.get(table.name) or left.get(table.arn)
        if undone:
            use.events[metric, ""] += len(undone["Keys"] if isinstance(undone, dict) else undone)


def _count_fetched(uses: _Uses, fetched: Fetched, operation: str, latency: float, count: int) -> None:
    """Count what was read of a stream."""
    account, region, table, label, records, size = fetched
    use = uses.of(table_arn(account, region, table), account, region, table)
    if use is not None:
        _add(use.values, ("SuccessfulRequestLatency", operation, label), latency, count)
        _add(use.values, ("ReturnedRecordsCount", operation, label), records, count)
        _add(use.values, ("ReturnedBytes", operation, label), size, count)


def _failed(uses: _Uses, ctx: Context, operation: str, params: Params, error: WireError) -> None:
    """Count a call that failed, and what it consumed nevertheless."""
    is_condition = error.code == "ConditionalCheckFailedException"
    for spent in _listed(ctx.measured):
        use = _use_of(uses, spent[0])
        if use is not None:
            _consumed(use, spent, 1)
            if is_condition:
                use.events["ConditionalCheckFailedRequests", ""] += 1
    if is_condition:
        return
    if error.code in _THROTTLED:
        events = "ReadThrottleEvents" if operation in _READS else "WriteThrottleEvents"
        for use in _named(uses, ctx, params):
            use.events["ThrottledRequests", operation] += 1
            use.events[events, ""] += 1
    elif error.status is not None and error.status >= _SERVER_ERROR:
        for use in _named(uses, ctx, params):
            use.events["SystemErrors", operation] += 1
    elif (ctx.account, ctx.region) in uses.user_errors or len(uses.user_errors) < _MOST_TABLES:
        uses.user_errors[ctx.account, ctx.region] += 1


def _named(uses: _Uses, ctx: Context, params: Params) -> Iterator[_Use]:
    """Yield the tables that a request names."""
    for name in [params["TableName"]] if "TableName" in params else params.get("RequestItems") or ():
        try:
            place = directory.address(ctx, name)
        except AwsError:
            continue
        use = uses.of(table_arn(*place), *place)
        if use is not None:
            yield use


# -- each minute


async def measure(block: Block) -> None:
    """Add what all tables did to the block's metrics, for the minute that has just ended."""
    _count(block)
    uses = _USES.pop(block)
    at = clamp_to_ended_minute(block.clock.now())
    for (account, region), count in uses.user_errors.items():
        get_metrics(block).include(account, region, "UserErrors", (), at, Values.ones(count), "Count")
    for use in uses.tables.values():
        for metric, dimensions, values in _measured(use):
            unit = _UNITS.get(metric, "Count")
            get_metrics(block).include(use.account, use.region, metric, dimensions, at, values, unit)


def _measured(use: _Use) -> Iterator[tuple[str, Dimensions, Values]]:
    """Yield metrics of a table with their dimensions."""
    table = ("TableName", use.name)
    for (kind, index), values in use.units.items():
        yield (
            f"Consumed{kind}CapacityUnits",
            (table, ("GlobalSecondaryIndexName", index)) if index else (table,),
            values,
        )
    for (metric, operation, label), values in use.values.items():
        of_operation = (table, ("Operation", operation))
        yield metric, (*of_operation, ("StreamLabel", label)) if label else of_operation, values
    for (metric, operation), count in use.events.items():
        yield metric, (table, ("Operation", operation)) if operation else (table,), Values.ones(count)
