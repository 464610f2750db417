"""How S3 Select writes timestamps: TO_STRING's patterns, in DuckDB's SQL.

User guide, "SQL reference for Amazon S3 Select" ("Date functions", "TO_STRING").
"""

from __future__ import annotations

import re

from cloudlet.core import AwsError

_TOKEN = re.compile(r"'(?P<text>(?:[^']|'')*)'|(?P<quote>')|(?P<letters>([A-Za-z])\4*)|(?P<other>.)", re.DOTALL)
_STRFTIME = {
    "yy": "%y",
    "yyyy": "%Y",
    "M": "%-m",
    "MM": "%m",
    "MMM": "%b",
    "MMMM": "%B",
    "d": "%-d",
    "dd": "%d",
    "a": "%p",
    "h": "%-I",
    "hh": "%I",
    "H": "%-H",
    "HH": "%H",
    "m": "%-M",
    "mm": "%M",
    "s": "%-S",
    "ss": "%S",
    # Timestamps are in UTC.
    **dict.fromkeys(("X", "XX", "XXX", "XXXX", "XXXXX"), "Z"),
    "x": "+00",
    **dict.fromkeys(("xx", "xxxx"), "+0000"),
    **dict.fromkeys(("xxx", "xxxxx"), "+00:00"),
}
_MOST_FRACTION_DIGITS = 9


def formatted(sql: str, pattern: str) -> str:
    """Return the SQL of a timestamp as a text. Raises AwsError for what is no pattern."""
    sql = f"CAST({sql} AS TIMESTAMP)"
    pieces = [_piece(sql, match) for match in _TOKEN.finditer(pattern)]
    return f"({' || '.join(pieces)})" if pieces else "''"


def _piece(sql: str, match: re.Match[str]) -> str:
    letters = match["letters"]
    if match["quote"] is not None:
        raise AwsError(
            "EvaluatorUnterminatedTimestampFormatPatternToken",
            "The timestamp format pattern contains an unterminated token in the SQL expression.",
            status=400,
        )
    if letters is None:
        # '' stands for a quote, within quotes and without.
        literal = match["other"] if match["text"] is None else match["text"].replace("''", "'") or "'"
        return "'" + literal.replace("'", "''") + "'"
    if letters in _STRFTIME:
        return f"strftime({sql}, '{_STRFTIME[letters]}')"
    if letters == "y":
        return f"CAST(year({sql}) AS VARCHAR)"
    if letters == "MMMMM":
        return f"left(strftime({sql}, '%B'), 1)"
    if letters == "n":
        return f"CAST(CAST(strftime({sql}, '%n') AS BIGINT) AS VARCHAR)"
    if letters[0] == "S" and len(letters) <= _MOST_FRACTION_DIGITS:
        return f"left(strftime({sql}, '%n'), {len(letters)})"
    raise AwsError(
        "EvaluatorInvalidTimestampFormatPatternSymbol",
        "The timestamp format pattern contains an invalid symbol in the SQL expression.",
        status=400,
    )
