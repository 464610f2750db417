"""Publishes what metric filters find in new events, and what is embedded there, through CloudWatch's API.

It does so at least once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background import keyed_queues
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.logs import embedded_metrics, encryption, measuring, metric_filter, pending, protection
from cloudlet.services.logs.default_values import Minutes, Seen
from cloudlet.services.logs.matching import AT_ONCE, each
from cloudlet.services.logs.metric_filter import MetricFilter, Observation, Observer
from cloudlet.services.logs.pending import Pending
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.row_record import Row, StoredRow

T = TypeVar("T")

log = logging.getLogger("cloudlet.logs")

_AT_ONCE = 50
_GROUPS_AT_ONCE, _GROUPS_OF_ACCOUNT = 16, 8
_PAUSE_SECONDS = 1.0
_UNAVAILABLE = (500, 503)
_MOST_VALUES, _MOST_DATA = 150, 500
_MINUTE_MILLIS = 60_000


class _Series(NamedTuple):
    """Which values belong together in a request."""

    account: str
    region: str
    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    begin: int
    """Of a minute, or of a second, in milliseconds since the epoch."""
    resolution: int = 60
    """In seconds."""


_Values = defaultdict[_Series, Counter[float]]


async def publish(block: Block, lease: Lease) -> None:
    """Have metric filters look at new events, for ever.

    Without a block of metrics in this cloud they wait on disk for one that has it.
    """
    if not block.cloud.has("cloudwatch"):
        return
    minutes, turns = Minutes(), FairSemaphore(_GROUPS_AT_ONCE, _GROUPS_OF_ACCOUNT)

    async def work(group: int) -> None:
        while (account := await block.store.transact(lambda tx: pending.account_of(tx, group))) is not None:
            async with turns.hold(account), lease.during():
                rows = await block.store.transact(lambda tx: pending.first(tx, group, _AT_ONCE))
                is_done = await _open_and_publish(block, rows, minutes)
            if not is_done:
                await back_off(block, _PAUSE_SECONDS)

    await keyed_queues.drain(block, pending.TOPIC, pending.groups, work)


async def _open_and_publish(block: Block, rows: list[tuple[Pending, StoredRow | None]], minutes: Minutes) -> bool:
    """Publish what is in some rows of a group, which may be encrypted. Return False to be tried again."""
    try:
        opened = [(one, None if row is None else await encryption.open_row(block, one.group, row)) for one, row in rows]
    except AwsError as error:
        log.info("events of a log group cannot be decrypted, and wait: %s", error)
        return False
    return await _publish(block, opened, minutes)


async def _publish(block: Block, rows: list[tuple[Pending, Row | None]], minutes: Minutes) -> bool:
    """Publish what is in some rows of a group; return False where that has to be tried again."""
    values: _Values = defaultdict(Counter)
    seen = Seen()

    async def read(tx: Transaction) -> list[tuple[Pending, Row, Mask, list[bytes]]]:
        found = []
        for one, row in rows:
            if row is not None:
                mask = await protection.mask_of(tx, one.group, one.account, one.region)
                filters = await metric_filter.stored(tx, one.account, one.region, one.name)
                found.append((one, row, mask, filters))
        return found

    for one, row, mask, filters in await block.store.transact(read):
        masked = await mask.of_row(row) if filters else row
        for raw in filters:
            observer = metric_filter.observer(raw)
            # It looks at what has come since it is there.
            if observer.filter.created <= row.ingested:
                seen.note(one, observer.filter, *await _observe(values, one, masked, observer))
        await _read_embedded(block, values, one, row)
    for one, of, minute in seen.due(minutes):
        default = of.transformation["defaultValue"]
        values[_series(one, of, Observation((), default), minute)][default] += 1
    try:
        for target, data in _requests(values):
            await _send(block, target, data)
    except AwsError as error:
        log.info("CloudWatch does not answer, and will be asked again: %s", error)
        return False

    async def done(tx: Transaction) -> None:
        for one, _ in rows:
            pending.remove(tx, one)

    await block.store.transact(done)
    seen.settle(minutes)
    return True


async def _send(block: Block, target: tuple[str, str, str], data: list[dict[str, Any]]) -> None:
    """Send data; what is refused is left out. Raises AwsError where it is to be tried again."""
    account, region, namespace = target
    params = {"Namespace": namespace, "MetricData": data}
    try:
        await block.call("cloudwatch", "PutMetricData", params, account=account, region=region)
    except AwsError as error:
        if error.status in _UNAVAILABLE:
            raise
        if len(data) > 1:
            for datum in data:
                await _send(block, target, [datum])
        else:
            log.warning("values of %s were refused by CloudWatch: %s", namespace, error)


async def _read_embedded(block: Block, values: _Values, one: Pending, row: Row) -> None:
    """Add what is embedded in a row."""
    problems = embedded_metrics.Problems()
    for number, message in enumerate(row.messages):
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
        for nth, found in enumerate(embedded_metrics.of_message(message, one.name, problems)):
            if nth % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            millis = found.resolution * 1000
            series = _Series(
                one.account,
                one.region,
                found.namespace,
                found.name,
                found.unit,
                found.dimensions,
                found.timestamp // millis * millis,
                found.resolution,
            )
            for value in found.values:
                values[series][value] += 1
    measuring.embedded_problems(block, one.account, one.region, one.name, problems.parsing, problems.validation)


async def _observe(values: _Values, one: Pending, row: Row, observer: Observer) -> tuple[set[int], set[int]]:
    """Add what a filter finds in a row; return the minutes (ms) in which it finds something, and those of the rest."""
    matched, missed = set(), set()
    observations = await each(one.account, observer.pattern, observer.observe, row.messages)
    for timestamp, observation in zip(row.timestamps, observations, strict=True):
        minute = timestamp // _MINUTE_MILLIS * _MINUTE_MILLIS
        if observation is None:
            missed.add(minute)
        else:
            matched.add(minute)
            values[_series(one, observer.filter, observation, minute)][observation.value] += 1
    return matched, missed


def _series(one: Pending, of: MetricFilter, observation: Observation, minute: int) -> _Series:
    made = of.transformation
    unit = made.get("unit", "None")
    return _Series(
        one.account,
        one.region,
        made["metricNamespace"],
        made["metricName"],
        unit,
        observation.dimensions,
        minute,
    )


def _requests(values: _Values) -> Iterator[tuple[tuple[str, str, str], list[dict[str, Any]]]]:
    """Yield for each request its account, region and namespace, and the data."""
    data: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for series, counted in values.items():
        for some in _parts(list(counted.items()), _MOST_VALUES):
            datum = {
                "MetricName": series.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions],
                "Timestamp": series.begin / 1000,
                "Unit": series.unit,
                "StorageResolution": series.resolution,
                "Values": [value for value, _ in some],
                "Counts": [float(count) for _, count in some],
            }
            data.setdefault(series[:3], []).append(datum)
    for target, all_of in data.items():
        for part in _parts(all_of, _MOST_DATA):
            yield target, list(part)


def _parts(whole: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for begin in range(0, len(whole), most):
        yield whole[begin : begin + most]
