"""What S3 measures of requests to buckets that have metrics configurations, for CloudWatch.

User guide, "Metrics and dimensions" ("Amazon S3 request metrics in CloudWatch") and "Creating a metrics configuration
that filters by prefix, object tag, or access point". Requests are counted as they are answered, before a body is sent.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from time import perf_counter
from typing import Any, Final

from cloudlet.core import Context, Params, Result
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.timing import duty_cycle, watching
from cloudlet.core.telemetry.metrics import Values, clamp_to_ended_minute, get_metrics, is_measured
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets import identified
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.buckets.walking import every_bucket
from cloudlet.wire import WireError, load

KIND: Final = "Metrics"
TOPIC: Final = b"metrics-configurations"
_MOST: Final = 10_000
"""Configurations of all buckets together, of one account half as many; requests are not measured by more."""
_OF_A_BUCKET: Final = 1000
_SHARE: Final = 4
"""Looking for them in all buckets, after each change, takes a quarter of the time at most."""
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CHANGES: Final = frozenset(("DeleteBucket", "DeleteBucketMetricsConfiguration", "PutBucketMetricsConfiguration"))
_BY_METHOD: Final = {
    "DELETE": "DeleteRequests",
    "GET": "GetRequests",
    "HEAD": "HeadRequests",
    "POST": "PostRequests",
    "PUT": "PutRequests",
}


class Measured:
    """What an operation measured of itself, as `Context.measured`."""

    __slots__ = ("bucket", "complete", "source", "source_tags", "tags")

    def __init__(self) -> None:
        self.tags: Mapping[str, str] = {}
        """Of the object that the request is about."""
        self.complete: float | None = None
        """When its body had come, by `time.perf_counter`."""
        self.source: tuple[str, str] | None = None
        """The bucket and the key of what was copied."""
        self.source_tags: Mapping[str, str] = {}
        self.bucket: Bucket | None = None
        """The bucket that was given a metrics configuration."""


def of(ctx: Context) -> Measured:
    """Return what a call has measured of itself, to be added to."""
    if ctx.measured is None:
        ctx.measured = Measured()
    measured: Measured = ctx.measured
    return measured


# -- configurations


@dataclass(slots=True)
class _Configuration:
    """A metrics configuration: what it filters by, and what was measured since the last report."""

    prefix: str
    tags: dict[str, str]
    is_filtered: bool
    values: dict[str, Values] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> _Configuration:
        given = value.get("Filter") or {}
        chosen = given.get("And") or given
        tags = chosen.get("Tags") or ([chosen["Tag"]] if chosen.get("Tag") else [])
        return cls(chosen.get("Prefix") or "", {tag["Key"]: tag["Value"] for tag in tags}, bool(given))

    def is_like(self, other: _Configuration) -> bool:
        return (self.prefix, self.tags, self.is_filtered) == (other.prefix, other.tags, other.is_filtered)

    def admits(self, key: str | None, tags: Mapping[str, str]) -> bool:
        """Whether it is about a request: `key` is that of the one object that it is about, None where there is none."""
        if not self.is_filtered:
            return True
        return key is not None and key.startswith(self.prefix) and self.tags.items() <= tags.items()

    def add(self, metric: str, value: float) -> None:
        values = self.values.get(metric)
        if values is None:
            values = self.values[metric] = Values()
        values.add(value)


@dataclass(slots=True)
class _Watched:
    """A bucket that has metrics configurations, by id."""

    account: str
    region: str
    configurations: dict[str, _Configuration] = field(default_factory=dict)


class _All:
    """The buckets of a block that have metrics configurations, by name."""

    def __init__(self) -> None:
        self.buckets: dict[str, _Watched] = {}
        self._counts: Counter[str] = Counter()
        """Of configurations, by account."""

    def keep(self, bucket: Bucket, id: str, value: Mapping[str, Any]) -> None:
        """Measure by a configuration, unless there are too many."""
        watched = self.buckets.get(bucket.name) or _Watched(bucket.account, bucket.region)
        is_new = id not in watched.configurations
        if is_new and (self._counts[bucket.account] >= _MOST // 2 or self._counts.total() >= _MOST):
            return
        self._counts[bucket.account] += is_new
        watched.configurations[id] = _Configuration.of(value)
        self.buckets[bucket.name] = watched

    def forget(self, bucket: str, id: str | None = None) -> None:
        """Measure by a configuration no longer, or by none of those of a bucket."""
        watched = self.buckets.get(bucket)
        for each in list(watched.configurations) if watched is not None else ():
            if watched is not None and id in (None, each):
                del watched.configurations[each]
                self._counts[watched.account] -= 1
        if watched is not None and not watched.configurations:
            del self.buckets[bucket]

    def take_over(self, before: _All) -> None:
        """Go on with what was measured by the configurations that are still the same."""
        for name, watched in self.buckets.items():
            known = before.buckets.get(name)
            for id, configuration in watched.configurations.items():
                old = None if known is None else known.configurations.get(id)
                if old is not None and old.is_like(configuration):
                    configuration.values = old.values


_ALL: Final = PerBlock(lambda _: _All())


def check(id: str, value: Mapping[str, Any]) -> None:
    """Raise AwsError for a configuration that says nothing, or filters by what is not there."""
    if not _ID.fullmatch(id):
        message = "The ID can be up to 64 characters long: letters, numbers, periods, dashes and underscores."
        raise errors.invalid_argument(message, "id", id)
    given = value.get("Filter")
    if given is None:
        return
    both = given.get("And")
    if len(given) != 1 or (both is not None and len(both) + max(0, len(both.get("Tags") or ()) - 1) < 2):
        raise errors.malformed_xml()
    if (both or given).get("AccessPointArn") is not None:
        raise errors.not_implemented("metrics of access points, which are not there")


async def follow_configurations(block: Block) -> None:
    """Know the metrics configurations of all buckets, until the block ends."""
    if not is_measured(block):
        return
    async with watching(block, TOPIC) as changed:
        works = KeyedTasks(block, changed)
        while True:
            changed.clear()
            async with duty_cycle(_SHARE):
                await _read(block, works)
            await changed.wait()


async def _read(block: Block, works: KeyedTasks) -> None:
    found = _All()
    async for bucket in every_bucket(block, works):
        if KIND in bucket.kinds:
            what = f"the metrics configurations of {bucket.name}"
            await works.attempt(bucket.name, what, partial(_keep_all, block, found, bucket))
    found.take_over(_ALL.get(block))
    _ALL.replace(block, found)


async def _keep_all(block: Block, found: _All, bucket: Bucket) -> None:
    for id, value in await block.store.transact(lambda tx: identified.listed(tx, bucket, KIND, "", _OF_A_BUCKET)):
        found.keep(bucket, id, value)


# -- requests


def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Count a request that was answered, if its bucket has metrics configurations."""
    if operation in _CHANGES and error is None and is_measured(ctx.block):
        _change(ctx, operation, params)
    known = _ALL.get(ctx.block)
    if not known.buckets:
        return
    watched = known.buckets.get(params.get("Bucket", ""))
    if watched is not None:
        kind, is_of_object = _kind(operation)
        measured = list(_measured(ctx, kind, result or {}, error))
        key = params.get("Key") if is_of_object else None
        for configuration in watched.configurations.values():
            if configuration.admits(key, of(ctx).tags):
                for metric, value in measured:
                    configuration.add(metric, value)
    if ctx.measured is not None and of(ctx).source is not None:
        _note_source(known, of(ctx))


def _change(ctx: Context, operation: str, params: Params) -> None:
    """Measure from now on by a configuration that was put, or not by one that was deleted."""
    known, bucket = _ALL.get(ctx.block), of(ctx).bucket
    if operation != "PutBucketMetricsConfiguration":
        known.forget(params["Bucket"], params.get("Id"))
    elif bucket is not None:
        known.keep(bucket, params["Id"], params["MetricsConfiguration"])


def _measured(
    ctx: Context, kind: str | None, result: Mapping[str, Any], error: WireError | None
) -> Iterator[tuple[str, float]]:
    """Yield the metrics of a request."""
    now = perf_counter()
    status = (error.status or 400) if error is not None else ctx.response_status or 200
    complete = None if ctx.measured is None else of(ctx).complete
    yield "AllRequests", 1.0
    if kind is not None:
        yield kind, 1.0
    yield "4xxErrors", float(400 <= status < 500)
    yield "5xxErrors", float(status >= 500)
    yield "TotalRequestLatency", _milliseconds(now - ctx.started)
    yield "FirstByteLatency", _milliseconds(now - (complete or ctx.started))
    if error is None and result.get("Body") is not None and result.get("ContentLength") is not None:
        yield "BytesDownloaded", float(result["ContentLength"])
    length = ctx.headers.get("x-amz-decoded-content-length") or ctx.headers.get("content-length") or "0"
    if error is None and length.isdecimal() and (size := int(length[:20])):
        yield "BytesUploaded", float(size)


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)


@lru_cache(256)
def _kind(operation: str) -> tuple[str | None, bool]:
    """Return the metric that requests of an operation are counted in, and whether they are about one object."""
    if operation.startswith("List"):
        return "ListRequests", False
    if operation == "DeleteObjects":
        return "DeleteRequests", False
    if operation == "SelectObjectContent":
        return "SelectRequests", True
    model = load("s3").operations[operation]
    is_of_object = "{Key" in model.uri or operation == "PostObject" or operation.endswith("WebsiteIndex")
    if model.http_method not in ("HEAD", "POST") and not is_of_object:
        return None, False
    return _BY_METHOD.get(model.http_method), is_of_object


def _note_source(known: _All, measured: Measured) -> None:
    """Count the read of what was copied."""
    name, key = measured.source or ("", "")
    watched = known.buckets.get(name)
    for configuration in () if watched is None else watched.configurations.values():
        if configuration.admits(key, measured.source_tags):
            configuration.add("GetRequests", 1.0)


def selected(ctx: Context, params: Params, scanned: int, returned: int) -> None:
    """Count the bytes of a query that has ended."""
    watched = _ALL.get(ctx.block).buckets.get(params["Bucket"])
    for configuration in () if watched is None else watched.configurations.values():
        if configuration.admits(params["Key"], of(ctx).tags):
            configuration.add("SelectBytesScanned", scanned)
            configuration.add("SelectBytesReturned", returned)


async def measure(block: Block) -> None:
    """Add what was measured of requests to the block's metrics, for the minute that has just ended."""
    at = clamp_to_ended_minute(block.clock.now())
    for name, watched in _ALL.get(block).buckets.items():
        for id, configuration in watched.configurations.items():
            measured, configuration.values = configuration.values, {}
            dimensions = (("BucketName", name), ("FilterId", id))
            for metric, values in measured.items():
                get_metrics(block).include(
                    watched.account, watched.region, metric, dimensions, at, values, _unit(metric)
                )


def _unit(metric: str) -> str:
    if "Bytes" in metric and metric != "FirstByteLatency":
        return "Bytes"
    return "Milliseconds" if metric.endswith("Latency") else "Count"
