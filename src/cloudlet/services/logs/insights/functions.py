"""The functions of the language. User guide, "Boolean, comparison, numeric, datetime, and other functions"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from cloudlet.services.logs.insights import addresses, dates
from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
from cloudlet.services.logs.insights.scope import UNMASKED, Scope
from cloudlet.services.logs.insights.sql import Kind, Sql, once
from cloudlet.services.logs.insights.syntax import Call, Field, Period, Text
from cloudlet.services.logs.insights.times import Asked

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
_SPECIAL: Final = ("bin", "datefloor", "dateceil", "unmask")
_MOST_PERIODS = 10_000
_MOST_BINS = 100_000
"""As many as a query has results."""
_LONGEST = 1_000_000_000
"""No text is longer."""
_MOST_DIGITS = 15
_EARTH_KILOMETERS = 6371.0
_MOST_BRANCHES = 10
_SIGN = "CASE WHEN {0} <= -1 THEN '-0x' ELSE '0x' END"


@dataclass(frozen=True, slots=True)
class _Function:
    """How many arguments a function has, and the SQL of a call."""

    least: int
    most: int
    sql: Callable[[Sequence[Sql]], Sql]


@dataclass(frozen=True, slots=True)
class _Literal:
    """A function to which it matters how some of its arguments are written. Raises QueryProblem."""

    least: int
    most: int
    sql: Callable[[Call, Sequence[Sql]], Sql]


def check(call: Call) -> None:
    """Raise QueryProblem for a function that is not known: what it would be of does not matter then."""
    if call.name not in (*_SPECIAL, *_OF_QUERY, *_FUNCTIONS):
        raise QueryProblem(f"unknown function {call.name}", call.span.start, call.span.start + len(call.name))


def sql(call: Call, arguments: Sequence[Sql], scope: Scope, asked: Asked) -> Sql:
    """Return the SQL of a call of a known function. Raises QueryProblem, and NotBuilt."""
    if call.name in ("bin", "datefloor", "dateceil"):
        return _rounded(call, arguments, scope)
    if call.name in _OF_QUERY:
        _check_count(call, 0, 0)
        return Sql(f"CAST({_OF_QUERY[call.name](asked)} AS DOUBLE)", Kind.NUMBER)
    if call.name == "unmask":
        return _unmasked(call, scope)
    function = _FUNCTIONS[call.name]
    _check_count(call, function.least, function.most)
    for argument in call.arguments:
        if isinstance(argument, Period):
            raise QueryProblem(f"{call.name} takes no length of time", argument.span.start, argument.span.end)
    return function.sql(call, arguments) if isinstance(function, _Literal) else function.sql(arguments)


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
    if not 1 <= period.count <= _MOST_PERIODS:
        raise QueryProblem(f"a length of time has too many {period.unit}", period.span.start, period.span.end)
    value = time.time
    if kind in _MILLIS:
        step = str(_capped(period.count, kind) * _MILLIS[kind])
        floor = f"({value} // {step} * {step})"
        ceiling = f"(({value} + {step} - 1) // {step} * {step})"
    else:
        count, unit = _INTERVALS[kind]
        interval = f"INTERVAL {count * period.count} {unit}"
        bucket = f"time_bucket({interval}, make_timestamp_ms({{}}))"
        floor = f"epoch_ms({bucket.format(value)})"
        ceiling = f"epoch_ms({bucket.format(f'{value} - 1')} + {interval})"
    return Sql(ceiling if call.name == "dateceil" else floor, Kind.TIME)


def _capped(count: int, kind: str) -> int:
    """Return so many of a unit as AWS makes of them: as many as the next larger unit has at most."""
    return min(count, _CAPS.get(kind, count))


def bins(period: Period, first: str, last: str) -> str:
    """Return SQL for the beginnings of the periods from one to another, so many at most, as a list of milliseconds."""
    kind = _UNITS[period.unit.lower()]
    if kind in _MILLIS:
        step = _capped(period.count, kind) * _MILLIS[kind]
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


def _rounded_to(given: Sequence[Sql]) -> Sql:
    number, *digits = given
    if not digits:
        return Sql(f"round({number.number})", Kind.NUMBER)
    places = f"CAST(least(greatest({digits[0].number}, -{_MOST_DIGITS}), {_MOST_DIGITS}) AS INTEGER)"
    return Sql(f"round({number.number}, {places})", Kind.NUMBER)


def _distance(given: Sequence[Sql]) -> Sql:
    """The haversine formula."""
    form = (
        f"{2 * _EARTH_KILOMETERS} * asin(sqrt(least(1, pow(sin(radians({{2}} - {{0}}) / 2), 2) + "
        "cos(radians({0})) * cos(radians({2})) * pow(sin(radians({3} - {1}) / 2), 2))))"
    )
    return Sql(once(f"TRY({form})", *(one.number for one in given)), Kind.NUMBER)


def _integer(kind: str) -> Callable[[Sequence[Sql]], Sql]:
    """A whole number, without what is behind its point: as a text, which has all digits of long ones."""
    form = f"CAST(coalesce(TRY_CAST({{0}} AS {kind}), TRY_CAST(trunc({{1}}) AS {kind})) AS VARCHAR)"
    exact = "CASE WHEN regexp_full_match({0}, '[+-]?[0-9]+') THEN {0} END"
    return lambda given: Sql(
        once(form, once(exact, given[0].shown), given[0].number),
        Kind.TEXT,
    )


def _count_of_elements(given: Sequence[Sql]) -> Sql:
    form = "CASE WHEN json_type({0}) = 'ARRAY' THEN CAST(json_array_length({0}) AS DOUBLE) END"
    return Sql(once(form, given[0].document), Kind.NUMBER)


def _has_element(given: Sequence[Sql]) -> Sql:
    form = "CASE WHEN json_type({0}) = 'ARRAY' THEN list_contains(json_extract_string({0}, '$[*]'), {1}) END"
    return Sql(f"coalesce({once(form, given[0].document, given[1].shown)}, false)", Kind.TRUTH)


def _tried(form: str, kind: Kind = Kind.TEXT) -> Callable[[Sequence[Sql]], Sql]:
    """A function that the engine makes an error of for texts of which there is none."""
    return lambda given: Sql(once(f"TRY({form})", *(one.shown for one in given)), kind)


def _contained(call: Call, given: Sequence[Sql]) -> Sql:
    text, searched = (one.shown for one in given[:2])
    if len(given) == 3:
        flag = call.arguments[2]
        name = flag.name if isinstance(flag, Field) else flag.value if isinstance(flag, Text) else ""
        if name.lower() not in ("true", "false"):
            raise QueryProblem(f"{call.name} needs true or false", flag.span.start, flag.span.end)
        if name.lower() == "true":
            text, searched = f"lower({text})", f"lower({searched})"
    return Sql(f"contains({text}, {searched})", Kind.TRUTH)


def _replaced(call: Call, given: Sequence[Sql]) -> Sql:
    pattern = call.arguments[1]
    if not isinstance(pattern, Text):
        message = f"{call.name} needs a regular expression as a quoted text"
        raise QueryProblem(message, pattern.span.start, pattern.span.end)
    replaced = ", ".join(one.shown for one in given)
    return Sql(f"regexp_replace({replaced}, 'g')", Kind.TEXT)


def _substring(given: Sequence[Sql]) -> Sql:
    begin, *length = (f"least(greatest(TRY_CAST({one.number} AS BIGINT), 0), {_LONGEST})" for one in given[1:])
    return Sql(f"substring({', '.join([given[0].shown, f'{begin} + 1', *length])})", Kind.TEXT)


_OF_QUERY: Final[dict[str, Callable[[Asked], int]]] = {
    "now": lambda asked: asked.now,
    "querystarttime": lambda asked: asked.start,
    "queryendtime": lambda asked: asked.end,
    "querytimerange": lambda asked: asked.end - asked.start,
}
"""What is the same for all events of a query."""
_FUNCTIONS: Final[dict[str, _Function | _Literal]] = {
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
    "case": _Function(2, 2 * _MOST_BRANCHES + 1, _chosen),
    "round": _Function(1, 2, _rounded_to),
    "haversine": _Function(4, 4, _distance),
    "tonumber": _Function(1, 1, lambda given: given[0].as_number),
    "todouble": _Function(1, 1, lambda given: given[0].as_number),
    "toint": _Function(1, 1, _integer("INTEGER")),
    "tolong": _Function(1, 1, _integer("BIGINT")),
    "isnumeric": _Function(1, 1, lambda given: Sql(f"({given[0].number} IS NOT NULL)", Kind.TRUTH)),
    "messagesize": _Function(1, 1, lambda given: Sql(f"CAST(strlen({given[0].shown}) AS DOUBLE)", Kind.NUMBER)),
    "parsedate": _Literal(2, 3, dates.parsed),
    "formatdate": _Literal(2, 3, dates.formatted),
    "strftime": _Literal(2, 3, dates.formatted),
    "jsonarraysize": _Function(1, 1, _count_of_elements),
    "jsonarraycontains": _Function(2, 2, _has_element),
    "isipinsubnet": _Literal(2, 2, partial(addresses.in_subnet, versions=(4, 6))),
    "isipv4insubnet": _Literal(2, 2, partial(addresses.in_subnet, versions=(4,))),
    "isipv6insubnet": _Literal(2, 2, partial(addresses.in_subnet, versions=(6,))),
    "ipv4tonumber": _Function(1, 1, addresses.as_number),
    "isprivateip": _Function(1, 1, addresses.is_private),
    "ispublicip": _Function(1, 1, addresses.is_public),
    "isreservedip": _Function(1, 1, addresses.is_reserved),
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
    "strcontains": _Literal(2, 3, _contained),
    "startswith": _Function(2, 2, _truth("starts_with({0}, {1})")),
    "endswith": _Function(2, 2, _truth("ends_with({0}, {1})")),
    "regexreplace": _Literal(3, 3, _replaced),
    "split": _Function(
        2, 2, lambda given: Sql(f"to_json(string_split({given[0].shown}, {given[1].shown}))", Kind.JSON)
    ),
    "urlencode": _Function(1, 1, _textual("url_encode")),
    "urldecode": _Function(1, 1, _tried("url_decode({0})")),
    "base64encode": _Function(1, 1, lambda given: Sql(f"to_base64(encode({given[0].shown}))", Kind.TEXT)),
    "base64decode": _Function(1, 1, _tried("decode(from_base64({0}))")),
    "hextoascii": _Function(1, 1, _tried("decode(unhex(regexp_replace({0}, '^0[xX]', '')))")),
    "hextodec": _Function(
        1, 1, _tried("CAST(CAST('0x' || regexp_replace({0}, '^0[xX]', '') AS UBIGINT) AS DOUBLE)", Kind.NUMBER)
    ),
    "dectohex": _Function(
        1,
        1,
        lambda given: Sql(
            once(f"{_SIGN} || TRY(format('{{{{:x}}}}', CAST(trunc(abs({{0}})) AS BIGINT)))", given[0].number), Kind.TEXT
        ),
    ),
}
