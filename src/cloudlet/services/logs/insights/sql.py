"""Pieces of SQL, and what kind of values they give.

Values of events are texts, and become numbers where something is done with them that needs numbers, as in AWS's engine.
Whatever makes no sense, such as a number that is not there, a root of a negative one, is null.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

_SHOWN_DECIMALS = 4
_SORTED_BY = 1000
"""So many first characters of a text."""
EXACT = 2**53
"""Whole numbers below are exact as doubles."""
SO_FAR = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
"""What a window has of the records in its order."""
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
_SIMPLE = re.compile(r"\w+|'(?:[^']|'')*'|CAST\([\w.+-]+ AS \w+\)")
"""A column or a constant."""


class Kind(Enum):
    """What a piece of SQL gives."""

    TEXT = auto()
    """A text, which may be a number."""
    NUMBER = auto()
    """A double."""
    TRUTH = auto()
    """A boolean."""
    TIME = auto()
    """Milliseconds since the epoch, shown as a date."""
    JSON = auto()
    """A structure, or what is in one: a text of JSON."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL."""

    text: str
    kind: Kind

    @property
    def number(self) -> str:
        """It as a double; null for what is none."""
        match self.kind:
            case Kind.NUMBER:
                return self.text
            case Kind.JSON:
                return f"TRY_CAST(json_extract_string({self.text}, '$') AS DOUBLE)"
            case _:
                return f"TRY_CAST({self.text} AS DOUBLE)"

    @property
    def time(self) -> str:
        """It as milliseconds since the epoch; null for what is none, or not of the years 1 to 9999."""
        if self.kind is Kind.TIME:
            return self.text
        return once(f"CASE WHEN {{0}} BETWEEN {_FIRST} AND {_LAST} THEN CAST({{0}} AS BIGINT) END", self.number)

    @property
    def shown(self) -> str:
        """It as a text, as results have it."""
        match self.kind:
            case Kind.TEXT:
                return self.text
            case Kind.NUMBER:
                return f"regexp_replace(CAST(round({self.text}, {_SHOWN_DECIMALS}) AS VARCHAR), '\\.0$', '')"
            case Kind.TRUTH:
                return f"CAST(CAST({self.text} AS INTEGER) AS VARCHAR)"
            case Kind.TIME:
                return f"strftime(make_timestamp_ms({self.text}), '%Y-%m-%d %H:%M:%S.%g')"
            case Kind.JSON:
                return once("insights_leaf({0})", self.text)

    @property
    def truth(self) -> str:
        """It as a boolean: numbers are true unless they are 0."""
        return self.text if self.kind is Kind.TRUTH else f"({self.number} <> 0)"

    @property
    def document(self) -> str:
        """It as JSON; null for what is none."""
        if self.kind is Kind.JSON:
            return self.text
        return once("insights_json({0})", self.shown)

    @property
    def as_number(self) -> Sql:
        return Sql(self.number, Kind.NUMBER)

    @property
    def as_number_or_text(self) -> Sql:
        """It as something that a number may take the place of."""
        return self if self.kind is Kind.NUMBER else Sql(self.shown, Kind.TEXT)

    def as_kind(self, kind: Kind) -> str:
        """Return it as one of another kind."""
        match kind:
            case Kind.NUMBER:
                return self.number
            case Kind.TIME:
                return self.time
            case Kind.TRUTH:
                return self.truth
            case Kind.JSON:
                return self.document
        return self.shown

    @property
    def key(self) -> str:
        """It as a text that is the same for what is equal: of numbers, if they are exact as doubles, their value."""
        # Adding zero makes one of both zeros.
        canonical = f"CASE WHEN abs({{0}}) < {EXACT} THEN CAST({{0}} + 0.0 AS VARCHAR) ELSE {{1}} END"
        return once(canonical, self.number, self.shown)

    @property
    def sort_keys(self) -> tuple[str, ...]:
        """What it is sorted by: whatever is no number comes before numbers. User guide, "sort"."""
        if self.kind in (Kind.NUMBER, Kind.TIME, Kind.TRUTH):
            return (self.text,)
        # Of long texts the first characters are enough: to look at all of them took half a second for each megabyte.
        return (f"{self.number} IS NOT NULL", self.number, f"insights_natural(left({self.shown}, {_SORTED_BY}))")


NULL = Sql("CAST(NULL AS VARCHAR)", Kind.TEXT)

MACROS = (
    # A text as JSON.
    "CREATE MACRO insights_json(t) AS CASE WHEN json_valid(t) THEN t END",
    # A value of JSON as a text: truths are 1 and 0, as AWS shows them.
    "CREATE MACRO insights_leaf(j) AS CASE j WHEN 'true' THEN '1' WHEN 'false' THEN '0' "
    "ELSE json_extract_string(j, '$') END",
    # What texts are sorted by: digits that follow each other by their count first. Numbers are equal before.
    "CREATE MACRO insights_natural(t) AS CASE WHEN TRY_CAST(t AS DOUBLE) IS NOT NULL THEN t "
    "WHEN regexp_matches(t, '[0-9]') THEN array_to_string(list_transform(regexp_extract_all(t, '(?s)[0-9]+|[^0-9]+'), "
    "lambda c: CASE WHEN regexp_matches(c, '^[0-9]') THEN '0' || lpad(CAST(length(c) AS VARCHAR), 7, '0') || c "
    "ELSE c END), '') ELSE t END",
    # An IPv4 address as a number.
    "CREATE MACRO insights_ip4(t) AS CASE WHEN regexp_full_match(t, "
    "'((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3})') THEN "
    "list_reduce(list_transform(string_split(t, '.'), lambda p: CAST(p AS BIGINT)), lambda a, b: a * 256 + b) END",
    # An IPv6 address whose end may be written as an IPv4 address, with groups only.
    "CREATE MACRO insights_groups(t) AS CASE WHEN contains(t, '.') THEN "
    "CASE WHEN insights_ip4(regexp_extract(t, '[^:]*$')) IS NOT NULL THEN regexp_extract(t, '^(.*:)', 1) "
    "|| format('{:x}:{:x}', insights_ip4(regexp_extract(t, '[^:]*$')) // 65536, "
    "insights_ip4(regexp_extract(t, '[^:]*$')) % 65536) END ELSE t END",
    "CREATE MACRO insights_is_ip6(g) AS regexp_full_match(g, '[0-9A-Fa-f:]+') AND NOT contains(g, ':::') "
    "AND len(string_split(g, '::')) <= 2 "
    "AND NOT regexp_matches(g, '[0-9A-Fa-f]{5}') "
    "AND NOT regexp_matches(g, '^:[^:]|[^:]:$') "
    "AND CASE WHEN contains(g, '::') THEN len(list_filter(string_split(g, ':'), lambda p: p <> '')) <= 7 "
    "ELSE len(string_split(g, ':')) = 8 END",
    # An IPv6 address as 32 hexadecimal digits.
    "CREATE MACRO insights_hex(g) AS CASE WHEN insights_is_ip6(g) THEN lower(array_to_string(list_transform("
    "string_split(trim(replace(g, '::', ':' || repeat('0:', "
    "8 - len(list_filter(string_split(g, ':'), lambda p: p <> '')))), ':'), ':'), "
    "lambda p: lpad(p, 4, '0')), '')) END",
    "CREATE MACRO insights_ip6(t) AS insights_hex(insights_groups(t))",
)


def once(form: str, *texts: str) -> str:
    """Return a piece of SQL in which others stand, maybe several times ({0}, {1}), but are computed once.

    Without that, what is nested would grow with each level.
    """
    if all(_SIMPLE.fullmatch(text) for text in texts):
        return form.format(*texts)
    packed = ", ".join(f"v{number} := {text}" for number, text in enumerate(texts))
    body = form.format(*(f"v.v{number}" for number in range(len(texts))))
    return f"list_transform([struct_pack({packed})], lambda v: {body})[1]"


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def json_path(path: tuple[str | int, ...]) -> str:
    """Return where something is in a JSON document; numbers are places in lists."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{_quoted(step)}" for step in path)


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
