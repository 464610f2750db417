"""What a picture of metrics shows. API reference, "Metric Widget Structure and Syntax"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timezone
from typing import Any, Literal

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.cloudwatch import errors, labels

View = Literal["timeSeries", "bar", "pie", "singleValue"]

MOST_METRICS = 100
_VIEWS = ("timeSeries", "bar", "pie", "singleValue")
_LARGEST = 2000
_HOUR = 3600
_PARTS = [rf"(?:(\d{{1,6}}){unit})?" for unit in "MWDHMS"]
_DURATION = re.compile(rf"(-?)P(?=.){''.join(_PARTS[:3])}(?:T(?=.){''.join(_PARTS[3:])})?")
_SECONDS = (30 * 86400, 7 * 86400, 86400, 3600, 60, 1)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_FIELDS = {
    *("annotations", "end", "height", "legend", "liveData", "metrics", "period", "region", "stacked", "start", "stat"),
    *("theme", "timezone", "title", "view", "width", "yAxis"),
}
_OPTIONS = {"accountId", "color", "expression", "id", "label", "period", "region", "stat", "visible", "yAxis"}
_LONGEST_PERIOD = 2**31
_LARGEST_NUMBER = 1e110
_LATEST = 253_000_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """How the series of one query are drawn."""

    query: dict[str, Any]
    """What is drawn, as GetMetricData takes it."""
    color: str | None
    right: bool
    """Whether it belongs to the axis on the right."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An annotation: a line at a value or a time (seconds since the epoch), or a band between two."""

    at: float
    to: float | None
    label: str | None
    color: str | None
    fill: str
    """`above`, `below`, `before`, `after` or nothing."""
    right: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """A vertical axis."""

    label: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Widget:
    """A picture. Times are in seconds since the epoch, sizes in pixels."""

    lines: list[Line]
    begin: float
    end: float
    width: int = 600
    height: int = 400
    title: str | None = None
    view: View = "timeSeries"
    stacked: bool = False
    legend: str = "bottom"
    left: Axis = field(default_factory=Axis)
    right: Axis = field(default_factory=Axis)
    horizontal: list[Mark] = field(default_factory=list)
    vertical: list[Mark] = field(default_factory=list)
    alarm: str | None = None
    """The ARN of an alarm whose metric and threshold are drawn."""
    zone: timezone = UTC
    dark: bool = False


def parse(text: str, region: str, account: str, now: float) -> Widget:
    """Return the picture that a request asks for. Raises AwsError."""
    try:
        given = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise _wrong("it is not valid JSON") from None
    if not isinstance(given, dict):
        raise _wrong("it must be an object")
    unknown = given.keys() - _FIELDS
    if unknown:
        raise errors.not_built(f"the property {min(unknown)} of metric widgets")
    if given.get("region", region) != region:
        raise errors.not_built("pictures of metrics in other regions")
    begin, end = span(given, now)
    annotations = _part(given, "annotations")
    alarms = annotations.get("alarms") or []
    if not isinstance(alarms, list) or len(alarms) > 1 or not all(isinstance(arn, str) for arn in alarms):
        raise _wrong("annotations.alarms must have one ARN")
    axes = _part(given, "yAxis")
    return Widget(
        lines=_lines(given, region, account, needed=not alarms),
        begin=begin,
        end=end,
        width=_size(given, "width", 600),
        height=_size(given, "height", 400),
        title=_text(given, "title"),
        view=_choice(given, "view", _VIEWS, "timeSeries"),  # type: ignore[arg-type]
        stacked=_flag(given, "stacked"),
        legend=_choice(_part(given, "legend"), "position", ("bottom", "right", "hidden"), "bottom"),
        left=_axis(_part(axes, "left")),
        right=_axis(_part(axes, "right")),
        horizontal=_marks(annotations, "horizontal", ("above", "below"), now),
        vertical=_marks(annotations, "vertical", ("before", "after"), now),
        alarm=alarms[0] if alarms else None,
        zone=labels.zone_of(_text(given, "timezone")),
        dark=_choice(given, "theme", ("light", "dark"), "light") == "dark",
    )


def span(given: Mapping[str, Any], now: float) -> tuple[float, float]:
    """Return from when to when a widget shows what it shows, by its `start` and `end`. Raises AwsError."""
    begin, end = _time(given, "start", now, now - 3 * _HOUR), _time(given, "end", now, now)
    if begin >= end:
        raise _wrong("start must be before end")
    return begin, end


def _wrong(what: str) -> AwsError:
    return errors.validation(f"Invalid MetricWidget: {what}.")


# -- parts


def _part(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = given.get(name, {})
    if not isinstance(value, dict):
        raise _wrong(f"{name} must be an object")
    return value


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(f"{name} must be a string")
    return value


def _flag(given: Mapping[str, Any], name: str, otherwise: bool = False) -> bool:
    value = given.get(name, otherwise)
    if not isinstance(value, bool):
        raise _wrong(f"{name} must be true or false")
    return value


def _choice(given: Mapping[str, Any], name: str, values: tuple[str, ...], otherwise: str) -> str:
    value = given.get(name, otherwise)
    if value not in values:
        raise _wrong(f"{name} must be one of {', '.join(values)}")
    return str(value)


def _size(given: Mapping[str, Any], name: str, otherwise: int) -> int:
    value = given.get(name, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST:
        raise _wrong(f"{name} must be a whole number from 1 to {_LARGEST}")
    return value


def _number(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST_NUMBER:
        raise _wrong(f"{name} must be a number")
    return float(value)


def _color(given: Mapping[str, Any]) -> str | None:
    value = _text(given, "color")
    if value is not None and not _COLOR.fullmatch(value):
        raise _wrong(f"{value} is no color such as #ff7f0e")
    return value


def _axis(given: dict[str, Any]) -> Axis:
    if given.keys() - {"label", "min", "max", "showUnits"} or given.get("showUnits"):
        raise errors.not_built("axes with units (yAxis)")
    low, high = _number(given, "min"), _number(given, "max")
    if low is not None and high is not None and low >= high:
        raise _wrong("the min of an axis must be below its max")
    return Axis(_text(given, "label"), low, high)


def _time(given: Mapping[str, Any], name: str, now: float, otherwise: float) -> float:
    text = _text(given, name)
    if text is None:
        return otherwise
    if match := _DURATION.fullmatch(text):
        sign, *parts = match.groups()
        ago = sum([int(part or 0) * size for part, size in zip(parts, _SECONDS, strict=True)])
        if ago > now:
            raise _wrong(f"{text} is too long ago")
        # Without a hyphen there is what the console writes for the present: P0D.
        if sign or not ago:
            return now - ago
    return _absolute(text)


def _absolute(text: object) -> float:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise _wrong(f"{text} is no time") from None
    time = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= time <= _LATEST:
        raise _wrong(f"{text} is too far away")
    return time


# -- metrics


def _lines(given: dict[str, Any], region: str, account: str, *, needed: bool) -> list[Line]:
    rows = given.get("metrics", [])
    if not isinstance(rows, list) or len(rows) > MOST_METRICS or (needed and not rows):
        raise _wrong(f"metrics must be an array of 1 to {MOST_METRICS} metrics")
    lines: list[Line] = []
    before: list[str] = []
    for at, row in enumerate(rows, 1):
        if not isinstance(row, list) or not row:
            raise _wrong("each of metrics must be an array")
        options = row[-1] if isinstance(row[-1], dict) else {}
        names = row[:-1] if isinstance(row[-1], dict) else row
        if not all(isinstance(name, str) for name in names):
            raise _wrong("each of metrics has strings, and then an object")
        unknown = options.keys() - _OPTIONS
        if unknown:
            raise errors.not_built(f"the property {min(unknown)} of metrics in widgets")
        if options.get("region", region) != region or options.get("accountId", account) != account:
            raise errors.not_built("pictures of metrics in other regions and accounts")
        query: dict[str, Any] = {"Id": _text(options, "id") or f"m{at}", "ReturnData": _flag(options, "visible", True)}
        if "label" in options:
            query["Label"] = _text(options, "label")
        period = options.get("period", given.get("period", 300))
        if not isinstance(period, int) or isinstance(period, bool) or not 1 <= period < _LONGEST_PERIOD:
            raise _wrong("period must be a whole number")
        if "expression" in options:
            query |= {"Expression": _text(options, "expression") or "", "Period": period}
        else:
            before = _expanded(names, before)
            stat = _text(options, "stat") or _text(given, "stat") or "Average"
            query["MetricStat"] = {"Metric": _metric(before), "Period": period, "Stat": stat}
        right = _choice(options, "yAxis", ("left", "right"), "left") == "right"
        lines.append(Line(query, _color(options), right))
    return lines


def _expanded(names: list[str], before: list[str]) -> list[str]:
    """Return the names of a metric: `.` stands for the one above it, `...` for all but those that follow."""
    if "..." in names:
        at = names.index("...")
        rest = names[at + 1 :]
        names = [*names[:at], *before[at : len(before) - len(rest)], *rest]
    try:
        return [before[at] if name == "." else name for at, name in enumerate(names)]
    except IndexError:
        raise _wrong("a metric refers to one before it that has fewer names") from None


def _metric(names: list[str]) -> dict[str, Any]:
    if len(names) < 2 or len(names) % 2:
        raise _wrong("a metric has a namespace, a name, and names and values of dimensions")
    pairs = zip(names[2::2], names[3::2], strict=True)
    dimensions = [{"Name": name, "Value": value} for name, value in pairs]
    return {"Namespace": names[0], "MetricName": names[1], "Dimensions": dimensions}


# -- annotations


def _marks(annotations: dict[str, Any], name: str, fills: tuple[str, str], now: float) -> list[Mark]:
    given = annotations.get(name) or []
    if not isinstance(given, list):
        raise _wrong(f"annotations.{name} must be an array")
    marks = []
    for one in given:
        both = one if isinstance(one, list) else [one]
        if len(both) not in (1, 2) or not all(isinstance(part, dict) for part in both):
            raise _wrong(f"each of annotations.{name} must be an object, or an array of two")
        if not _flag(both[0], "visible", True):
            continue
        first, *second = (_place(part, vertical=name == "vertical") for part in both)
        fill = _choice(both[0], "fill", (*fills, "none", "between"), "none")
        right = both[0].get("yAxis") == "right"
        color = _color(both[0])
        marks.append(Mark(first, second[0] if second else None, _text(both[0], "label"), color, fill, right))
    return marks


def _place(given: dict[str, Any], *, vertical: bool) -> float:
    value = _absolute(given.get("value")) if vertical else _number(given, "value")
    if value is None:
        raise _wrong("an annotation must have a value")
    return value
