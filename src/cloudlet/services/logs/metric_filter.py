"""A metric filter, as it is stored, and what it takes. API reference, "PutMetricFilter"."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Params, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.logs import errors, filtering, patterns
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.patterns import PatternProblem

_FILTERS = Subspace("metric-filter")
MOST = 100
_MOST_WITH_REGEX = 5
_MOST_DIMENSIONS = 3
_LARGEST = 2.0**360
_NOT_BUILT = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions")


class MetricFilter(msgspec.Struct, array_like=True, frozen=True):
    """A metric filter."""

    group: str
    name: str
    pattern: str
    transformation: dict[str, Any]
    """As the API has it."""
    created: int
    """In milliseconds since the epoch."""


class Observation(NamedTuple):
    """What a message means for a metric."""

    dimensions: tuple[tuple[str, str], ...]
    value: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(MetricFilter).decode


def checked(ctx: Context, params: Params) -> MetricFilter:
    """Return the filter that a request is about. Raises AwsError."""
    for name in _NOT_BUILT:
        if params.get(name):
            raise errors.not_built(f"metric filters with {name}")
    (transformation,) = params["metricTransformations"]
    if not transformation["metricNamespace"] or not transformation["metricName"]:
        raise errors.invalid("A metric needs a name and a namespace.")
    if transformation["metricNamespace"].startswith("AWS/"):
        raise errors.invalid("The namespace of a metric must not begin with AWS/.")
    dimensions = transformation.get("dimensions") or {}
    if len(dimensions) > _MOST_DIMENSIONS:
        raise errors.invalid(f"A metric filter can have {_MOST_DIMENSIONS} dimensions at most.")
    default = transformation.get("defaultValue")
    if default is not None and dimensions:
        raise errors.invalid("Invalid metric transformation: dimensions and defaultValue are mutually exclusive.")
    if default is not None and not abs(default) <= _LARGEST:
        raise errors.invalid("Invalid metric transformation: defaultValue is out of range.")
    made = MetricFilter(
        params["logGroupName"],
        params["filterName"],
        params["filterPattern"],
        {name: value for name, value in transformation.items() if value is not None},
        int(ctx.now() * 1000),
    )
    filtering.pattern_of(made.pattern)
    try:
        Observer(made)
    except PatternProblem as problem:
        raise errors.invalid(f"Invalid metric transformation: {problem}") from None
    return made


class Observer:
    """Finds values for a filter's metric in messages. Raises PatternProblem."""

    def __init__(self, of: MetricFilter) -> None:
        self.filter = of
        self.pattern = pattern = patterns.parse(of.pattern)
        value = of.transformation["metricValue"]
        self._constant = None if value.startswith("$") else _number(value)
        if self._constant is None and not value.startswith("$"):
            raise PatternProblem(f"the value {value} is neither a number nor a field")
        self._value = patterns.extractor(value, pattern) if self._constant is None else None
        dimensions = of.transformation.get("dimensions") or {}
        self._dimensions = [(name, patterns.extractor(field, pattern)) for name, field in dimensions.items()]

    def observe(self, message: str) -> Observation | None:
        """Return what a message means; None where it does not match or has no number there."""
        if not self.pattern.matches(message):
            return None
        value = self._constant if self._value is None else _number(self._value(message))
        if value is None:
            return None
        dimensions = tuple((name, find(message)) for name, find in self._dimensions)
        if not all(text for _, text in dimensions):
            return None
        return Observation(tuple((name, text or "") for name, text in dimensions), value)


@lru_cache(maxsize=1024)
def observer(raw: bytes) -> Observer:
    """Return the observer of a filter as it is stored."""
    return Observer(_decode(raw))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= _LARGEST else None


# -- in the store


async def put(tx: Transaction, group: Group, made: MetricFilter) -> bool:
    """Store a filter; return whether it is a new one. Raises AwsError where a group has as many as it can."""
    space = _FILTERS.sub(group.account, group.region, group.name)
    others = [one for one in await of_group(tx, group) if one.name != made.name]
    with_regex = sum(1 for one in others if patterns.parse(one.pattern).regexes)
    if len(others) >= MOST:
        raise AwsError("LimitExceededException", f"A log group can have {MOST} metric filters at most.")
    if patterns.parse(made.pattern).regexes and with_regex >= _MOST_WITH_REGEX:
        raise AwsError(
            "LimitExceededException", f"A log group can have {_MOST_WITH_REGEX} patterns with regular expressions."
        )
    key = space.key(made.name)
    is_new = await tx.get(key) is None
    tx.put(key, _encode(made))
    return is_new


async def of_group(tx: Transaction, group: Group) -> list[MetricFilter]:
    return [_decode(raw) for raw in await stored(tx, group.account, group.region, group.name)]


async def stored(tx: Transaction, account: str, region: str, group: str) -> list[bytes]:
    """Return the filters of a group as they are stored."""
    space = _FILTERS.sub(account, region, group)
    return [raw for _, raw in await tx.range(space.begin, space.end, limit=MOST)]


async def remove(tx: Transaction, group: Group, name: str) -> None:
    """Remove a filter. Raises AwsError."""
    key = _FILTERS.key(group.account, group.region, group.name, name)
    if await tx.get(key) is None:
        raise errors.no_filter()
    tx.delete(key)


def remove_all(tx: Transaction, group: Group) -> None:
    """Remove the filters of a group."""
    space = _FILTERS.sub(group.account, group.region, group.name)
    tx.delete_range(space.begin, space.end)


async def page(
    ctx: Context,
    tx: Transaction,
    group: str | None,
    token: str | None,
    most: int,
    wanted: Callable[[MetricFilter], bool],
) -> tuple[list[MetricFilter], str | None]:
    """Return those filters of one group, or of all, that are wanted, and the next page's token. Raises AwsError."""
    space = _FILTERS.sub(ctx.account, ctx.region) if group is None else _FILTERS.sub(ctx.account, ctx.region, group)

    def select(raw: bytes) -> MetricFilter | None:
        one = _decode(raw)
        return one if wanted(one) else None

    return await listing.list_page(tx, space, token, most, select, errors.invalid_token())
