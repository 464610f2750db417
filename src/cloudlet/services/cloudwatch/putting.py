"""What PutMetricData takes. API reference, "PutMetricData" and "MetricDatum"."""

from __future__ import annotations

from typing import Any, NamedTuple

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.background.workers import offload_if
from cloudlet.services.cloudwatch import cell as cells
from cloudlet.services.cloudwatch import errors
from cloudlet.services.cloudwatch.cell import Cell
from cloudlet.services.cloudwatch.metric import UNIT_CODES, Metric, dimensions_of

MOST_DATA = 1000
MOST_VALUES = 150
_MANY_VALUES = 1000
"""Of a request: to check and add up more takes milliseconds, and is done beside the event loop."""
LARGEST = 2.0**360
_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""The names of values that are no numbers, in AWS's messages."""
_PAST_SECONDS = 14 * 86400
_FUTURE_SECONDS = 2 * 3600


class Datum(NamedTuple):
    """Values of a metric that fall into one cell. Times are seconds since the epoch."""

    metric: Metric
    unit: int
    time: int
    resolution: int
    cell: Cell


async def data_of(ctx: Context, params: Params) -> list[Datum]:
    """Return the data of a request, one for each cell. Raises AwsError."""
    namespace = params["Namespace"]
    if namespace.startswith("AWS/") and ctx.principal.kind != "service":
        raise errors.invalid_value("The value AWS/ for parameter Namespace is invalid.")
    _check_text("Namespace", namespace)
    if params.get("EntityMetricData"):
        raise errors.not_built("entities of metrics (EntityMetricData)")
    given = params.get("MetricData")
    if not given:
        raise errors.missing("MetricData")
    if len(given) > MOST_DATA:
        raise errors.invalid_value(f"The collection MetricData must not have a size greater than {MOST_DATA}.")
    takes_long = sum(len(one.get("Values") or ()) for one in given) > _MANY_VALUES
    return await offload_if(takes_long, ctx.account, _data, ctx, namespace, given)


def _data(ctx: Context, namespace: str, given: list[dict[str, Any]]) -> list[Datum]:
    now = ctx.now()
    found: dict[tuple[Metric, int, int, int], Datum] = {}
    for at, one in enumerate(given, 1):
        datum = _datum(ctx, namespace, f"MetricData.member.{at}", one, now)
        known = found.setdefault(datum[:4], datum)
        if known is not datum:
            cells.add(known.cell, datum.cell)
    return list(found.values())


def _datum(ctx: Context, namespace: str, path: str, given: dict[str, Any], now: float) -> Datum:
    resolution = given.get("StorageResolution", 60)
    if resolution not in (1, 60):
        raise errors.invalid_value(f"The value {resolution} for parameter {path}.StorageResolution is invalid.")
    time = given.get("Timestamp")
    if time is None:
        time = now
    elif time < now - _PAST_SECONDS:
        raise errors.invalid_value(f"The parameter {path}.Timestamp must specify a time within the past two weeks.")
    elif time > now + _FUTURE_SECONDS:
        raise errors.invalid_value(
            f"The parameter {path}.Timestamp must specify a time no more than two hours in the future."
        )
    _check_text(f"{path}.MetricName", given["MetricName"])
    dimensions = given.get("Dimensions")
    if dimensions:
        _check_dimensions(path, dimensions)
    metric = Metric(ctx.account, ctx.region, namespace, given["MetricName"], dimensions_of(dimensions))
    unit = UNIT_CODES[given.get("Unit", "None")]
    return Datum(metric, unit, int(time // resolution) * resolution, resolution, _cell(path, given))


def _check_text(path: str, text: str) -> None:
    if not text.isascii() or not text.isprintable() or not text.strip():
        raise errors.invalid_value(f"The value {text} for parameter {path} is invalid.")


def _check_dimensions(path: str, dimensions: list[dict[str, str]]) -> None:
    names = set()
    for at, one in enumerate(dimensions, 1):
        for part in ("Name", "Value"):
            if part not in one:
                raise errors.missing(f"{path}.Dimensions.member.{at}.{part}")
            _check_text(f"{path}.Dimensions.member.{at}.{part}", one[part])
        if one["Name"].startswith(":") or one["Name"] in names:
            raise errors.invalid_value(
                f"The value {one['Name']} for parameter {path}.Dimensions.member.{at}.Name is invalid."
            )
        names.add(one["Name"])


def _cell(path: str, given: dict[str, Any]) -> Cell:
    forms = [form for form in ("Value", "Values", "StatisticValues") if given.get(form) is not None]
    if not forms:
        raise errors.invalid_combination("At least one of the parameters must be specified.")
    if len(forms) > 1:
        raise errors.invalid_combination(
            f"The parameters {path}.{forms[0]} and {path}.{forms[1]} are mutually exclusive and you have specified "
            "both."
        )
    if forms[0] == "Value":
        if given.get("Counts"):
            raise errors.invalid_combination(
                f"The parameters {path}.Value and {path}.Counts are mutually exclusive and you have specified both."
            )
        return cells.of_value(_number(f"{path}.Value", given["Value"]))
    if forms[0] == "Values":
        return _cell_of_values(path, given["Values"], given.get("Counts"))
    return _cell_of_statistics(f"{path}.StatisticValues", given["StatisticValues"])


def _cell_of_values(path: str, values: list[float], counts: list[float] | None) -> Cell:
    if not values:
        raise errors.missing(f"{path}.Values")
    for name, numbers in (("Values", values), ("Counts", counts)):
        if numbers and len(numbers) > MOST_VALUES:
            raise errors.invalid_value(f"The collection {path}.{name} must not have a size greater than {MOST_VALUES}.")
    if counts is not None and len(counts) != len(values):
        raise errors.invalid_value(f"The parameters {path}.Values and {path}.Counts must be of the same size.")
    checked = _numbers(f"{path}.Values", values)
    times = _numbers(f"{path}.Counts", counts) if counts else [1.0] * len(values)
    if min(times) <= 0:
        at = next(at for at, count in enumerate(times, 1) if count <= 0)
        raise _invalid_number(f"{path}.Counts.member.{at}", times[at - 1])
    return cells.of_values(checked, times)


def _numbers(path: str, values: list[float]) -> list[float]:
    for at, value in enumerate(values, 1):
        if not abs(value) <= LARGEST:
            raise _invalid_number(f"{path}.member.{at}", value)
    return list(map(float, values))


def _cell_of_statistics(path: str, given: dict[str, float]) -> Cell:
    names = ("SampleCount", "Sum", "Minimum", "Maximum")
    count, total, low, high = (_number(f"{path}.{name}", given[name]) for name in names)
    if count <= 0:
        raise _invalid_number(f"{path}.SampleCount", count)
    if low > high:
        raise errors.invalid_value(f"The value of {path}.Minimum must not be greater than that of {path}.Maximum.")
    return Cell(count, total, low, high)


def _number(path: str, value: float) -> float:
    # JSON may bring whole numbers too large for a double, and NaN is not less than anything.
    if not abs(value) <= LARGEST:
        raise _invalid_number(path, value)
    return float(value)


def _invalid_number(path: str, value: float) -> AwsError:
    shown = _SPECIAL.get(str(value)) or str(value)[:50]
    return errors.invalid_value(f"The value {shown} for parameter {path} is invalid.")
