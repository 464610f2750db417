"""Regular expressions of templates, in time that grows with the text alone: RE2, which DuckDB carries.

Java has lookarounds and back references besides; what needs them is an error.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from threading import Lock, local
from typing import TYPE_CHECKING, Any

from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.apigateway.vtl import steps
from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.steps import CHARACTERS
from cloudlet.services.apigateway.vtl.values import LARGEST_LIST, LARGEST_TEXT

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PLAIN = re.compile(r"[\w\s\-\"'/:;,=<>!@#%&~`]*")
_GROUP = re.compile(r"\\(.)|\$(\d)", re.DOTALL)
_LONGEST_KNOWN = 200
_MOST_PARTS = LARGEST_LIST
_LONGEST_PATTERN = 4096
_STATES = 8
"""So many of what a pattern is made of make it take another time as long."""
_REPEATED = re.compile(r"\{(\d{1,4})?(?:,(\d{1,4})?)?\}")
_own = local()
_turn = Lock()
"""Templates are rendered in several threads, each of which has a connection to the engine."""


def steps_of(length: int, pattern: str) -> int:
    """Return as many steps as it takes at most to match so many characters with a pattern."""
    size = _size(pattern) if len(pattern) <= _LONGEST_PATTERN else len(pattern)
    return length // CHARACTERS * (1 + size // _STATES)


@lru_cache(1024)
def _size(pattern: str) -> int:
    """Return how many parts a pattern has, those that are repeated so many times as often."""
    sums, last, at = [0], 0, 0
    while at < len(pattern):
        character = pattern[at]
        repeated = _REPEATED.match(pattern, at)
        if repeated is not None and repeated.end() > at + 2:
            times = max((int(each) for each in repeated.groups() if each), default=1)
            sums[-1] += last * max(times - 1, 0)
            last, at = last * max(times, 1), repeated.end()
            continue
        if character == "(":
            sums.append(0)
            last = 0
        elif character == ")" and len(sums) > 1:
            last = sums.pop()
            sums[-1] += last
        else:
            if character == "[":
                end = pattern.find("]", at + 2)
                at = end if end > 0 else at
            elif character == "\\":
                at += 1
            last = 1
            sums[-1] += 1
        at += 1
    return sum(sums)


@cache
def _engine() -> DuckDBPyConnection:
    import duckdb

    engine = duckdb.connect(":memory:")
    engine.execute("SET threads = 1")
    return engine


def _ask(question: str, *values: Any) -> Any:
    import duckdb

    try:
        if not hasattr(_own, "connection"):
            with _turn:
                _own.connection = _engine().cursor()
        row = _own.connection.execute(question, list(values)).fetchone()
    except duckdb.Error as error:
        raise VtlError(f"the regular expression is not supported: {error}") from error
    return None if row is None else row[0]


def replaced(text: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    """Return a text with what a pattern matches replaced; the replacement has groups as `$1`."""
    if _PLAIN.fullmatch(pattern) and pattern and "$" not in replacement and "\\" not in replacement:
        _check_room(len(text) + (text.count(pattern) if everywhere else 1) * len(replacement))
        return text.replace(pattern, replacement, -1 if everywhere else 1)
    _take(text, pattern)
    groups = sum(match[2] is not None for match in _GROUP.finditer(replacement))
    if len(text) * (1 + groups + len(replacement)) > LARGEST_TEXT:
        _take(text, pattern)
        found = int(_ask("SELECT len(regexp_extract_all(?, ?))", text, pattern)) if everywhere else 1
        _check_room(len(text) * (1 + groups) + found * len(replacement))
    rewritten = _GROUP.sub(_group, replacement)
    options = "g" if everywhere else ""
    return str(_ask("SELECT regexp_replace(?, ?, ?, ?)", text, pattern, rewritten, options))


def _group(match: re.Match[str]) -> str:
    if match[2] is not None:
        return f"\\{match[2]}"
    return "\\\\" if match[1] == "\\" else match[1]


def _take(text: str, pattern: str) -> None:
    if len(pattern) > _LONGEST_PATTERN:
        raise VtlError(f"a regular expression has up to {_LONGEST_PATTERN} characters")
    steps.running().take(steps_of(len(text), pattern))


def _check_room(size: int) -> None:
    if size > LARGEST_TEXT:
        raise VtlError("the text is too large")


def found(text: str, pattern: str) -> bool:
    """Whether a pattern matches some part of a text."""
    _take(text, pattern)
    return _found_known(text, pattern) if len(text) <= _LONGEST_KNOWN else _found(text, pattern)


def _found(text: str, pattern: str) -> bool:
    return bool(_ask("SELECT regexp_matches(?, ?)", text, pattern))


_found_known = lru_cache(4096)(_found)


def found_in(texts: list[str], pattern: str) -> list[bool]:
    """Whether a pattern matches some part of each of several texts; that takes little longer than for one."""
    # What stands between them is in none: nobody can guess it.
    mark = random_bytes(16).hex()
    question = "SELECT [regexp_matches(text, $1) for text in string_split($2, $3)]"
    return list(_ask(question, pattern, mark.join(texts), mark))


def matches(text: str, pattern: str) -> bool:
    """Whether a pattern matches a whole text."""
    if _PLAIN.fullmatch(pattern):
        return text == pattern
    _take(text, pattern)
    return _matches_known(text, pattern) if len(text) <= _LONGEST_KNOWN else _matches(text, pattern)


def _matches(text: str, pattern: str) -> bool:
    return bool(_ask("SELECT regexp_full_match(?, ?)", text, pattern))


_matches_known = lru_cache(4096)(_matches)
"""Short texts, such as a status, come again and again."""


def split(text: str, pattern: str) -> list[str]:
    """Return the parts of a text between what a pattern matches; empty ones at the end are left out."""
    if pattern and _PLAIN.fullmatch(pattern):
        parts = text.split(pattern, _MOST_PARTS)
    else:
        _take(text, pattern)
        parts = list(_ask("SELECT string_split_regex(?, ?)[:?]", text, pattern, _MOST_PARTS + 1))
    if len(parts) > _MOST_PARTS:
        raise VtlError("the list is too long")
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts
