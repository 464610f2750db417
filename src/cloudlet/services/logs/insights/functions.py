"""The functions of the language. User guide, "Boolean, comparison, numeric, datetime, and other functions"."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
from cloudlet.services.logs.insights.scope import UNMASKED, Scope
from cloudlet.services.logs.insights.sql import Kind, Sql, once
from cloudlet.services.logs.insights.syntax import Call, Field, Period, Text

_NAMES: Final = {
    "ms": ("ms", "msec", "millisecond"),
    "s": ("s", "sec", "second"),
    "m": ("m", "min", "minute"),
    "h": ("h", "hr", "hour"),
    "d": ("d", "day"),
    "w": ("w", "week"),
    "mo": ("mo", "mon", "month"),
    "q": ("q", "qtr", "quarter"),
    "y": ("y", "yr", "year"),
}
_UNITS: Final = {
    form: unit
    for unit, names in _NAMES.items()
    for name in names
    for form in ((name, f"{name}s") if len(name) > 1 and name != "ms" else (name,))
}
_MILLIS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_INTERVALS: Final = {"w": (7, "DAYS"), "mo": (1, "MONTHS"), "q": (3, "MONTHS"), "y": (12, "MONTHS")}
_CAPS: Final = {"ms": 1000, "s": 60, "m": 60, "h": 24}
_SPECIAL: Final = ("bin", "datefloor", "dateceil", "now", "unmask")
_MOST_PERIODS = 10_000
_MOST_BINS = 100_000
"""As many as a query has results."""
_LONGEST = 1_000_000_000
"""No text is longer."""


@dataclass(frozen=True, slots=True)
class _Function:
    """How many arguments a function has, and the SQL of a call."""

    least: int
    most: int
    sql: Callable[[Sequence[Sql]], Sql]


def check(call: Call) -> None:
    """Raise QueryProblem for a function that is not known: what it would be of does not matter then."""
    if call.name not in (*_SPECIAL, *_SUBNETS, *_FUNCTIONS):
        raise QueryProblem(f"unknown function {call.name}", call.span.start, call.span.start + len(call.name))


def sql(call: Call, arguments: Sequence[Sql], scope: Scope, now: int) -> Sql:
    """Return the SQL of a call of a known function. Raises QueryProblem, and NotBuilt."""
    if call.name in ("bin", "datefloor", "dateceil"):
        return _rounded(call, arguments, scope)
    if call.name == "now":
        _check_count(call, 0, 0)
        return Sql(f"CAST({now} AS DOUBLE)", Kind.NUMBER)
    if call.name == "unmask":
        return _unmasked(call, scope)
    subnet = _SUBNETS.get(call.name)
    if subnet is not None:
        return _in_subnet(call, arguments, subnet)
    function = _FUNCTIONS[call.name]
    _check_count(call, function.least, function.most)
    for argument in call.arguments:
        if isinstance(argument, Period):
            raise QueryProblem(f"{call.name} takes no length of time", argument.span.start, argument.span.end)
    return function.sql(arguments)


def _check_count(call: Call, least: int, most: int) -> None:
    if not least <= len(call.arguments) <= most:
        message = f"{call.name} has {len(call.arguments)} arguments"
        raise QueryProblem(message, call.span.start, call.span.end)


def _unmasked(call: Call, scope: Scope) -> Sql:
    """User guide, "View unmasked data"."""
    _check_count(call, 1, 1)
    argument = call.arguments[0]
    if not isinstance(argument, Field) or argument.path != ("@message",):
        raise NotBuilt("unmask of anything but @message")
    if not scope.has_events:
        message = "unmask needs events, which are gone after the first stats"
        raise QueryProblem(message, call.span.start, call.span.end)
    return Sql(UNMASKED, Kind.TEXT)


# -- times


def _rounded(call: Call, arguments: Sequence[Sql], scope: Scope) -> Sql:
    if call.name == "bin":
        _check_count(call, 1, 1)
        period, time = call.arguments[0], scope.field(("@timestamp",))
    else:
        _check_count(call, 2, 2)
        period, time = call.arguments[1], arguments[0]
    if not isinstance(period, Period):
        raise QueryProblem(f"{call.name} needs a length of time, such as 5m", call.span.start, call.span.end)
    kind = _UNITS.get(period.unit.lower())
    if kind is None:
        raise QueryProblem(f"unknown unit of time {period.unit}", period.span.start, period.span.end)
    if not 1 <= period.count <= _CAPS.get(kind, _MOST_PERIODS):
        raise QueryProblem(f"a length of time has too many {period.unit}", period.span.start, period.span.end)
    value = time.time
    if kind in _MILLIS:
        step = str(period.count * _MILLIS[kind])
        floor = f"({value} // {step} * {step})"
        ceiling = f"(({value} + {step} - 1) // {step} * {step})"
    else:
        count, unit = _INTERVALS[kind]
        interval = f"INTERVAL {count * period.count} {unit}"
        bucket = f"time_bucket({interval}, make_timestamp_ms({{}}))"
        floor = f"epoch_ms({bucket.format(value)})"
        ceiling = f"epoch_ms({bucket.format(f'{value} - 1')} + {interval})"
    return Sql(ceiling if call.name == "dateceil" else floor, Kind.TIME)


def bins(period: Period, first: str, last: str) -> str:
    """Return SQL for the beginnings of the periods from one to another, so many at most, as a list of milliseconds."""
    kind = _UNITS[period.unit.lower()]
    if kind in _MILLIS:
        step = period.count * _MILLIS[kind]
        return f"range({first}, least({last}, {first} + {step * _MOST_BINS}) + 1, {step})"
    count, unit = _INTERVALS[kind]
    times = f"make_timestamp_ms({first}), make_timestamp_ms({last} + 1), INTERVAL {count * period.count} {unit}"
    return f"list_transform(range({times}), lambda t: epoch_ms(t))"


def millis(period: Period) -> int:
    """Return a length of time of up to some weeks in milliseconds. Raises QueryProblem."""
    kind = _UNITS.get(period.unit.lower(), "")
    step = _MILLIS["d"] * 7 if kind == "w" else _MILLIS.get(kind)
    if step is None or not 1 <= period.count <= _MOST_PERIODS:
        message = f"a length of time in weeks, days, or less is expected, and not {period.count}{period.unit}"
        raise QueryProblem(message, period.span.start, period.span.end)
    return period.count * step


# -- addresses

_SUBNETS: Final = {"isipinsubnet": (4, 6), "isipv4insubnet": (4,), "isipv6insubnet": (6,)}


def _in_subnet(call: Call, arguments: Sequence[Sql], versions: tuple[int, ...]) -> Sql:
    _check_count(call, 2, 2)
    subnet = call.arguments[1]
    if not isinstance(subnet, Text):
        raise QueryProblem(f"{call.name} needs a subnet as a quoted text", subnet.span.start, subnet.span.end)
    try:
        network = ipaddress.ip_network(subnet.value, strict=False)
    except ValueError:
        raise QueryProblem(f"{subnet.value} is no subnet", subnet.span.start, subnet.span.end) from None
    if network.version not in versions:
        raise QueryProblem(f"{subnet.value} is of the other version", subnet.span.start, subnet.span.end)
    first, last = network.network_address, network.broadcast_address
    if network.version == 4:
        within = f"insights_ip4({{0}}) BETWEEN {int(first)} AND {int(last)}"
    else:
        within = f"insights_ip6({{0}}) BETWEEN '{int(first):032x}' AND '{int(last):032x}'"
    return Sql(f"coalesce({once(within, arguments[0].shown)}, false)", Kind.TRUTH)


# -- all others


def _numeric(function: str) -> Callable[[Sequence[Sql]], Sql]:
    return lambda given: Sql(f"{function}({', '.join(one.number for one in given)})", Kind.NUMBER)


def _guarded(form: str) -> Callable[[Sequence[Sql]], Sql]:
    """A function that the engine makes an error of where it is not defined."""
    return lambda given: Sql(once(form, given[0].number), Kind.NUMBER)


def _textual(function: str) -> Callable[[Sequence[Sql]], Sql]:
    return lambda given: Sql(f"{function}({', '.join(one.shown for one in given)})", Kind.TEXT)


def _truth(form: str) -> Callable[[Sequence[Sql]], Sql]:
    return lambda given: Sql(once(form, *(one.shown for one in given)), Kind.TRUTH)


def _alike(given: Sequence[Sql]) -> tuple[Kind, list[str]]:
    """Values of which one is chosen: of their kind where they have one, else texts."""
    kinds = {one.kind for one in given}
    if len(kinds) == 1:
        return kinds.pop(), [one.text for one in given]
    return Kind.TEXT, [one.shown for one in given]


def _coalesced(given: Sequence[Sql]) -> Sql:
    kind, values = _alike(given)
    return Sql(f"coalesce({', '.join(values)})", kind)


def _chosen(given: Sequence[Sql]) -> Sql:
    """The value behind the first condition that holds: that at the end, which has none, or nothing, where none does."""
    pairs = len(given) // 2
    kind, values = _alike([*given[1 : 2 * pairs : 2], *given[2 * pairs :]])
    cases = " ".join(f"WHEN {given[2 * at].truth} THEN {values[at]}" for at in range(pairs))
    otherwise = f" ELSE {values[-1]}" if len(values) > pairs else ""
    return Sql(f"(CASE {cases}{otherwise} END)", kind)


def _substring(given: Sequence[Sql]) -> Sql:
    begin, *length = (f"least(greatest(TRY_CAST({one.number} AS BIGINT), 0), {_LONGEST})" for one in given[1:])
    return Sql(f"substring({', '.join([given[0].shown, f'{begin} + 1', *length])})", Kind.TEXT)


_FUNCTIONS: Final = {
    "abs": _Function(1, 1, _numeric("abs")),
    "ceil": _Function(1, 1, _numeric("ceil")),
    "floor": _Function(1, 1, _numeric("floor")),
    "greatest": _Function(1, 100, _numeric("greatest")),
    "least": _Function(1, 100, _numeric("least")),
    "log": _Function(1, 1, _guarded("CASE WHEN {0} > 0 THEN ln({0}) END")),
    "sqrt": _Function(1, 1, _guarded("CASE WHEN {0} >= 0 THEN sqrt({0}) END")),
    "frommillis": _Function(1, 1, lambda given: Sql(given[0].time, Kind.TIME)),
    "tomillis": _Function(1, 1, lambda given: Sql(given[0].number, Kind.NUMBER)),
    "ispresent": _Function(1, 1, lambda given: Sql(f"({given[0].text} IS NOT NULL)", Kind.TRUTH)),
    "coalesce": _Function(1, 100, _coalesced),
    "if": _Function(3, 3, _chosen),
    "case": _Function(2, 100, _chosen),
    "jsonparse": _Function(1, 1, lambda given: Sql(given[0].document, Kind.JSON)),
    "jsonstringify": _Function(1, 1, lambda given: Sql(f"CAST({given[0].document} AS VARCHAR)", Kind.TEXT)),
    "isvalidip": _Function(
        1, 1, _truth("coalesce(insights_ip4({0}) IS NOT NULL OR insights_ip6({0}) IS NOT NULL, false)")
    ),
    "isvalidipv4": _Function(1, 1, _truth("(insights_ip4({0}) IS NOT NULL)")),
    "isvalidipv6": _Function(1, 1, _truth("(insights_ip6({0}) IS NOT NULL)")),
    "isempty": _Function(1, 1, _truth("(coalesce({0}, '') = '')")),
    "isblank": _Function(1, 1, _truth("(trim(coalesce({0}, ''), ' \t\n\r') = '')")),
    "concat": _Function(1, 100, _textual("concat")),
    "ltrim": _Function(1, 2, _textual("ltrim")),
    "rtrim": _Function(1, 2, _textual("rtrim")),
    "trim": _Function(1, 2, _textual("trim")),
    "strlen": _Function(1, 1, lambda given: Sql(f"CAST(length({given[0].shown}) AS DOUBLE)", Kind.NUMBER)),
    "toupper": _Function(1, 1, _textual("upper")),
    "tolower": _Function(1, 1, _textual("lower")),
    "substr": _Function(2, 3, _substring),
    "md5": _Function(1, 1, _textual("md5")),
    "replace": _Function(3, 3, _textual("replace")),
    "sha256": _Function(1, 1, _textual("sha256")),
    "strcontains": _Function(2, 2, _truth("contains({0}, {1})")),
}
