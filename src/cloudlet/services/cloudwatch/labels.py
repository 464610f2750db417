"""Labels of series. User guide, "Use dynamic labels"."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone

from cloudlet.services.cloudwatch import errors
from cloudlet.services.cloudwatch.expressions.series import Source, TimeSeries
from cloudlet.services.cloudwatch.metric import Metric

_DYNAMIC = re.compile(r"\$\{([^}]*)\}")
_PROPERTY = re.compile(r"PROP\('([^']*)'\)")
_ZONE = re.compile(r"([+-])(\d{2})(\d{2})")


def zone_of(text: str | None) -> timezone:
    """Return the time zone of a request's LabelOptions, as `+0130`. Raises AwsError."""
    if text is None:
        return UTC
    match = _ZONE.fullmatch(text)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise errors.validation(f"The value {text} for parameter LabelOptions.Timezone is invalid.")
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def of_found(metrics: Sequence[Metric]) -> list[str]:
    """Return the labels of metrics that a search has found: in what they differ from each other."""
    dimensions = [dict(metric.dimensions) for metric in metrics]
    names = sorted({name for one in dimensions for name in one})
    varying = [name for name in names if len({one.get(name) for one in dimensions}) > 1]
    by_name = len({metric.name for metric in metrics}) > 1 or not varying
    labels = []
    for metric, own in zip(metrics, dimensions, strict=True):
        parts = [own[name] for name in varying if name in own]
        labels.append(" ".join([*parts, metric.name] if by_name or not parts else parts))
    return labels


def filled(label: str, series: TimeSeries, default: str, now: float, zone: timezone) -> str:
    """Return a label with the values of its dynamic parts; what is not known stays as it is."""
    if "${" not in label:
        return label

    def value_of(match: re.Match[str]) -> str:
        text = match[1]
        if text == "LABEL":
            return default
        if named := _PROPERTY.fullmatch(text):
            return _property(named[1], series, match[0])
        function = _VALUES.get(text)
        if function is None:
            return match[0]
        if text == "DATAPOINT_COUNT":
            return str(len(series.points))
        return function(list(series.points.items()), now, zone) if series.points else "--"

    return _DYNAMIC.sub(value_of, label)


def _property(name: str, series: TimeSeries, otherwise: str) -> str:
    source: Source | None = series.source
    if source is None:
        return otherwise
    if name.startswith("Dim."):
        return dict(source.dimensions).get(name[4:], otherwise)
    known = {
        "AccountId": source.account,
        "MetricName": source.name,
        "Namespace": source.namespace,
        "Period": str(series.period),
        "Region": source.region,
        "Stat": source.statistic,
    }
    return known.get(name, otherwise)


# -- values

_Points = list[tuple[int, float]]


def _number(value: float) -> str:
    return f"{value:.6g}" if abs(value) < 1e15 else f"{value:g}"


def _time(time: float, zone: timezone) -> str:
    return datetime.fromtimestamp(time, zone).isoformat()


def _duration(seconds: float) -> str:
    """Return a time span as `1d2h3m4s`."""
    left, parts = round(abs(seconds)), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _lowest(points: _Points) -> tuple[int, float]:
    return min(points, key=lambda point: point[1])


def _highest(points: _Points) -> tuple[int, float]:
    return max(points, key=lambda point: point[1])


_VALUES: dict[str, Callable[[_Points, float, timezone], str]] = {
    "AVG": lambda points, now, zone: _number(sum(value for _, value in points) / len(points)),
    "DATAPOINT_COUNT": lambda points, now, zone: str(len(points)),
    "FIRST": lambda points, now, zone: _number(points[0][1]),
    "FIRST_LAST_RANGE": lambda points, now, zone: _number(points[-1][1] - points[0][1]),
    "FIRST_LAST_TIME_RANGE": lambda points, now, zone: _duration(points[-1][0] - points[0][0]),
    "FIRST_TIME": lambda points, now, zone: _time(points[0][0], zone),
    "FIRST_TIME_RELATIVE": lambda points, now, zone: _duration(now - points[0][0]),
    "LAST": lambda points, now, zone: _number(points[-1][1]),
    "LAST_TIME": lambda points, now, zone: _time(points[-1][0], zone),
    "LAST_TIME_RELATIVE": lambda points, now, zone: _duration(now - points[-1][0]),
    "MAX": lambda points, now, zone: _number(_highest(points)[1]),
    "MAX_TIME": lambda points, now, zone: _time(_highest(points)[0], zone),
    "MAX_TIME_RELATIVE": lambda points, now, zone: _duration(now - _highest(points)[0]),
    "MIN": lambda points, now, zone: _number(_lowest(points)[1]),
    "MIN_MAX_RANGE": lambda points, now, zone: _number(_highest(points)[1] - _lowest(points)[1]),
    "MIN_MAX_TIME_RANGE": lambda points, now, zone: _duration(_highest(points)[0] - _lowest(points)[0]),
    "MIN_TIME": lambda points, now, zone: _time(_lowest(points)[0], zone),
    "MIN_TIME_RELATIVE": lambda points, now, zone: _duration(now - _lowest(points)[0]),
    "SUM": lambda points, now, zone: _number(sum(value for _, value in points)),
}
MOST_DYNAMIC = 5


def check(path: str, label: str) -> None:
    """Raise AwsError for a label with more dynamic parts than AWS admits."""
    parts = _DYNAMIC.findall(label)
    if len(parts) > MOST_DYNAMIC or parts.count("LABEL") > 1:
        raise errors.validation(f"The parameter {path}.Label has too many dynamic labels.")
