"""Dates as texts: parseDate, which takes patterns of Java's DateTimeFormatter, and formatDate, which takes strftime's.

User guide, "Datetime functions". Time zones are names, or offsets such as +02:00; without one, times are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.sql import Kind, Sql, literal
from cloudlet.services.logs.insights.syntax import Call, Expression, Text

_JAVA: Final = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|.", re.DOTALL)
_LETTERS: Final = {
    **dict.fromkeys(("yyyy", "uuuu", "y", "u"), "%Y"),
    **dict.fromkeys(("yy", "uu"), "%y"),
    **dict.fromkeys(("MMMM", "LLLL"), "%B"),
    **dict.fromkeys(("MMM", "LLL"), "%b"),
    **dict.fromkeys(("MM", "M", "LL", "L"), "%m"),
    **dict.fromkeys(("dd", "d"), "%d"),
    **dict.fromkeys(("DDD", "D"), "%j"),
    **dict.fromkeys(("HH", "H"), "%H"),
    **dict.fromkeys(("hh", "h"), "%I"),
    **dict.fromkeys(("mm", "m"), "%M"),
    **dict.fromkeys(("ss", "s"), "%S"),
    "SSS": "%g",
    "SSSSSS": "%f",
    "SSSSSSSSS": "%n",
    "a": "%p",
    "EEEE": "%A",
    **dict.fromkeys(("EEE", "EE", "E"), "%a"),
    **dict.fromkeys(("X", "XX", "XXX", "x", "xx", "xxx", "Z", "ZZ", "ZZZ"), "%z"),
}
"""What the engine calls what letters of Java's patterns stand for."""
_SPECIFIER: Final = re.compile(r"%(-?[dmyHIMSj]|[aAbBcfgGnpuUVwWxXYzZ%])?")
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?")


def parsed(call: Call, given: Sequence[Sql]) -> Sql:
    """Return the SQL of parseDate: milliseconds since the epoch. Raises QueryProblem."""
    form = _of_java(call)
    text = given[0].shown
    if "%z" in form:
        # The engine does not know the letter that stands for UTC.
        moment = f"try_strptime(regexp_replace({text}, 'Z$', '+00'), {literal(form)})"
    else:
        moment = _in_zone(call, f"try_strptime({text}, {literal(form)})", to_utc=True)
    return Sql(f"CAST(epoch_ms(TRY({moment})) AS DOUBLE)", Kind.NUMBER)


def formatted(call: Call, given: Sequence[Sql]) -> Sql:
    """Return the SQL of formatDate. Raises QueryProblem."""
    form = _text(call, 1, "a format")
    if any(not found[1] for found in _SPECIFIER.finditer(form)):
        raise _problem(call.arguments[1], "formatDate takes a format as strftime does, such as %Y-%m-%d")
    moment = _in_zone(call, f"make_timestamp_ms({given[0].time})", to_utc=False)
    return Sql(f"strftime({moment}, {literal(form)})", Kind.TEXT)


def _text(call: Call, at: int, what: str) -> str:
    argument = call.arguments[at]
    if not isinstance(argument, Text):
        raise _problem(argument, f"{call.name} needs {what} as a quoted text")
    return argument.value


def _problem(expression: Expression, message: str) -> QueryProblem:
    return QueryProblem(message, expression.span.start, expression.span.end)


def _of_java(call: Call) -> str:
    """Return the engine's format for a call's pattern of Java's. Raises QueryProblem."""
    parts = []
    for found in _JAVA.finditer(_text(call, 1, "a pattern")):
        quoted, letter = found[1], found[2]
        if quoted is not None:
            parts.append((quoted.replace("''", "'") or "'").replace("%", "%%"))
        elif letter is None:
            parts.append("%%" if found[0] == "%" else found[0])
        elif found[0] in _LETTERS:
            parts.append(_LETTERS[found[0]])
        else:
            raise _problem(call.arguments[1], f"the letters {found[0]} of a pattern for dates are not known")
    return "".join(parts)


def _in_zone(call: Call, moment: str, *, to_utc: bool) -> str:
    """Return SQL for a moment of a call's time zone in UTC, or the other way. Raises QueryProblem."""
    if len(call.arguments) < 3:
        return moment
    name = _text(call, 2, "a time zone")
    if offset := _OFFSET.fullmatch(name):
        sign = "-" if (offset[1] == "+") is to_utc else "+"
        return f"({moment} {sign} INTERVAL {int(offset[2]) * 60 + int(offset[3] or 0)} MINUTES)"
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise _problem(call.arguments[2], f"unknown time zone {name}") from None
    return f"timezone({literal(name)}, {moment if to_utc else f'CAST({moment} AS TIMESTAMPTZ)'})"
