"""Metrics that are embedded in log events.

CloudWatch user guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec

from cloudlet.services.logs.patterns.json_fields import document_of

MARK = '"_aws"'
"""What each message with such metrics has."""
MOST_METRICS, MOST_DIMENSIONS, MOST_VALUES = 100, 30, 100
"""Of a directive, of a set of dimensions, of a metric."""
MOST_OF_EVENT = 10_000
"""Metrics, counted for each set of dimensions: a directive may have any number of sets."""
_OF_LAMBDA = "/aws/lambda/"
_METADATA = re.compile(r"(?:[^\t\n{]{1,200}\t){1,5}(?={)")
"""What Lambda may write before an event of its own log groups: time, request id, level."""
_LARGEST = 2.0**360
_LATEST = 2.0**53
"""In milliseconds since the epoch: JSON may have whole numbers of any length."""
_LONGEST_TEXT, _LONGEST_DIMENSION_NAME = 1024, 250
_SIZES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits")
_AMOUNTS = (*_SIZES, "Terabits", "Count")
_UNITS = frozenset(
    ("Seconds", "Microseconds", "Milliseconds", "Percent", "None", *_AMOUNTS, *(f"{one}/Second" for one in _AMOUNTS))
)


class _Metric(msgspec.Struct):
    Name: str
    Unit: str = "None"
    StorageResolution: int = 60


class _Directive(msgspec.Struct):
    Namespace: str
    Dimensions: list[list[str]]
    Metrics: list[_Metric]


class _Metadata(msgspec.Struct):
    CloudWatchMetrics: list[_Directive]
    Timestamp: Annotated[float, msgspec.Meta(ge=0, lt=_LATEST)]


class Embedded(NamedTuple):
    """One metric of an event, with one set of dimensions."""

    namespace: str
    name: str
    unit: str
    resolution: int
    """1 or 60 seconds."""
    dimensions: tuple[tuple[str, str], ...]
    timestamp: int
    """In milliseconds since the epoch."""
    values: list[float]


class Problems:
    """What was wrong in some events."""

    def __init__(self) -> None:
        self.parsing = 0
        """How many events do not have the form that is asked for."""
        self.validation = 0
        """How many metrics, or sets of dimensions, do not follow the specification."""


def is_there(messages: list[str]) -> bool:
    """Whether messages may have such metrics: quick to tell."""
    return MARK in "".join(messages)


def of_message(message: str, group: str, problems: Problems) -> Iterator[Embedded]:
    """Yield the metrics of a message of a log group, and count what is wrong in it."""
    if MARK not in message:
        return
    metadata = _METADATA.match(message) if group.startswith(_OF_LAMBDA) else None
    document = document_of(message if metadata is None else message[metadata.end() :])
    if not isinstance(document, dict):
        return
    about = document.get("_aws")
    if not isinstance(about, dict) or "CloudWatchMetrics" not in about:
        return
    try:
        told = msgspec.convert(about, _Metadata, strict=True)
    except msgspec.ValidationError:
        problems.parsing += 1
        return
    made = 0
    for directive in told.CloudWatchMetrics:
        for found in _of_directive(document, directive, int(told.Timestamp), problems):
            made += 1
            if made > MOST_OF_EVENT:
                problems.validation += 1
                return
            yield found


def _of_directive(
    document: dict[str, Any], directive: _Directive, timestamp: int, problems: Problems
) -> Iterator[Embedded]:
    if not _is_text(directive.Namespace) or len(directive.Metrics) > MOST_METRICS:
        problems.validation += 1
        return
    sets: dict[tuple[tuple[str, str], ...], None] = {}
    for names in directive.Dimensions or [[]]:
        dimensions = _dimensions(document, names)
        if dimensions is None:
            problems.validation += 1
        else:
            sets[dimensions] = None
    for metric in directive.Metrics:
        values = _values(document.get(metric.Name))
        if values is None or not _is_valid(metric):
            problems.validation += 1
            continue
        resolution = metric.StorageResolution
        for dimensions in sets:
            yield Embedded(directive.Namespace, metric.Name, metric.Unit, resolution, dimensions, timestamp, values)


def _is_valid(metric: _Metric) -> bool:
    return _is_text(metric.Name) and metric.Unit in _UNITS and metric.StorageResolution in (1, 60)


def _dimensions(document: dict[str, Any], names: list[str]) -> tuple[tuple[str, str], ...] | None:
    """Return a set of dimensions with its values; None where that is not allowed."""
    if len(names) > MOST_DIMENSIONS:
        return None
    found = []
    for name in dict.fromkeys(names):
        value = document.get(name)
        if not isinstance(value, str) or not _is_text(value) or not 0 < len(name) <= _LONGEST_DIMENSION_NAME:
            return None
        found.append((name, value))
    return tuple(found)


def _is_text(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TEXT and text.isascii() and not text.isspace()


def _values(value: Any) -> list[float] | None:
    """Return the numbers of a metric; None where it has none, or too many."""
    values = value if isinstance(value, list) else [value]
    if not 0 < len(values) <= MOST_VALUES:
        return None
    for one in values:
        if isinstance(one, bool) or not isinstance(one, int | float) or not abs(one) <= _LARGEST:
            return None
    return [float(one) for one in values]
