"""Timestamps: epoch seconds inside, three formats on the wire."""

from __future__ import annotations

import re
import time
from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

_ISO: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,18}))?)?)?"
    r"(?:[Zz]|([+-])(\d{2}):?(\d{2})?)?\Z",
    re.ASCII,
)
_COMPACT: Final = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z\Z", re.ASCII)
_HTTP_DATE: Final = re.compile(
    r"(?:[A-Za-z]{3}, *)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,18}))? *"
    r"(?:GMT|UTC|Z|([+-])(\d{2})(\d{2}))?\Z",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,2})?\Z", re.ASCII)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

EARLIEST: Final = -62_135_596_800.0
LATEST: Final = 253_402_300_800.0


def parse(text: str, format: str) -> float:
    """Return the epoch seconds that `text` means; raise `ValueError` if it is no timestamp.

    The format says what is expected; the other two are understood too, as AWS's own front ends do.
    """
    text = text.strip()
    if format == "unixTimestamp" or _NUMBER.match(text):
        if not _NUMBER.match(text):
            return in_range(_parse_date(text))
        return in_range(float(text))
    # An offset from UTC can bring it into another year.
    return in_range(_parse_date(text))


def in_range(seconds: float) -> float:
    """Return `seconds`; raise `ValueError` if no calendar date between the years 1 and 9999 has them."""
    if not EARLIEST <= seconds < LATEST:
        raise ValueError("timestamp out of range")
    return seconds


def _parse_date(text: str) -> float:
    fraction = sign = off_hours = off_minutes = None
    if match := _ISO.match(text):
        year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
        number = int(month)
    elif match := _HTTP_DATE.match(text):
        day, name, year, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
        number = _MONTHS.index(name.lower()) + 1
    elif match := _COMPACT.match(text):
        year, month, day, hour, minute, second = match.groups()
        number = int(month)
    else:
        raise ValueError(f"not a timestamp: {text[:100]!r}")
    leap = second == "60"
    moment = datetime(
        int(year), number, int(day), int(hour or 0), int(minute or 0), 59 if leap else int(second or 0), tzinfo=UTC
    )
    seconds = timegm(moment.timetuple()) + leap
    if sign is not None:
        offset = int(off_hours or 0) * 3600 + int(off_minutes or 0) * 60
        seconds += offset if sign == "-" else -offset
    # One division keeps the float nearest to the decimal: adding a fraction would round twice.
    if fraction:
        scale = 10 ** len(fraction)
        return float((seconds * scale + int(fraction)) / scale)
    return float(seconds)


def epoch(value: Any) -> float | int:
    """Return the epoch seconds of a result's timestamp: a number, or a datetime (naive means UTC)."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        seconds = timegm(value.utctimetuple())
        return (seconds * 1_000_000 + value.microsecond) / 1_000_000 if value.microsecond else seconds
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise TypeError(f"a timestamp must be epoch seconds or a datetime, not {type(value).__name__}")


def as_datetime(value: Any) -> datetime:
    """Return a result's timestamp as an aware datetime."""
    return value if isinstance(value, datetime) else datetime.fromtimestamp(epoch(value), UTC)


def unix(value: Any) -> float | int:
    """Return epoch seconds as AWS writes them: to the microsecond at most, and whole if they are."""
    seconds = epoch(value)
    if isinstance(seconds, int):
        return seconds
    return int(seconds) if seconds.is_integer() else round(seconds, 6)


@lru_cache(1024)
def _date(days: int) -> str:
    year, month, day = time.gmtime(days * 86_400)[:3]
    return f"{year:04}-{month:02}-{day:02}"


def iso8601(value: Any) -> str:
    """Return `2015-01-25T08:00:00Z`, with milli- or microseconds where there are any."""
    return _iso8601(value if type(value) is int else epoch(value))


@lru_cache(1024)
def _minute(minutes: int) -> str:
    days, minute = divmod(minutes, 1440)
    return f"{_date(days)}T{minute // 60:02}:{minute % 60:02}:"


@lru_cache(1024)
def _iso8601(seconds: float) -> str:
    whole, fraction = int(seconds), 0
    if whole != seconds:
        whole, fraction = divmod(round(seconds * 1_000_000), 1_000_000)
    minutes, second = divmod(whole, 60)
    text = f"{_minute(minutes)}{second:02}"
    if not fraction:
        return f"{text}Z"
    if fraction % 1000:
        return f"{text}.{fraction:06}Z"
    return f"{text}.{fraction // 1000:03}Z"


def milliseconds(seconds: float) -> str:
    """Return `2015-01-25T08:00:00.000Z`, as events and records have times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def http_date(value: Any) -> str:
    """Return `Sun, 25 Jan 2015 08:00:00 GMT`; HTTP dates have whole seconds only."""
    return _http_date(int(epoch(value) // 1))


@lru_cache(1024)
def _http_date(seconds: int) -> str:
    parts = time.gmtime(seconds)
    month = _MONTHS[parts.tm_mon - 1].capitalize()
    return (
        f"{_DAYS[parts.tm_wday]}, {parts.tm_mday:02} {month} {parts.tm_year:04} "
        f"{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02} GMT"
    )


_SECONDS: Final = tuple(f"{second:02}.000Z" for second in range(60))


def _iso8601_milliseconds(value: Any) -> str:
    if type(value) is int:
        # Long lists have many of these, and seldom the same: minutes repeat.
        minutes, second = divmod(value, 60)
        return _minute(minutes) + _SECONDS[second]
    text = iso8601(value)
    return text if len(text) > _WHOLE_SECONDS else f"{text[:-1]}.000Z"


_WHOLE_SECONDS: Final = len("2015-01-25T08:00:00Z")
MILLISECONDS: Final = "iso8601-milliseconds"
"""A format that no model has: as iso8601, but whole seconds have milliseconds too."""

_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "iso8601": iso8601,
    MILLISECONDS: _iso8601_milliseconds,
    "rfc822": http_date,
    "unixTimestamp": lambda value: str(unix(value)),
}


def writer(format: str) -> Callable[[Any], str]:
    """Return the function that writes timestamps in a named format: iso8601, rfc822, unixTimestamp, `MILLISECONDS`."""
    return _WRITERS.get(format, iso8601)
