"""Regular expressions of templates, in time that grows with the text alone: RE2, which DuckDB carries.

Java has lookarounds and back references besides; what needs them is an error.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from cloudlet.core.ids import random_bytes
from cloudlet.services.apigateway.vtl.error import VtlError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PLAIN = re.compile(r"[\w\s\-\"'/:;,=<>!@#%&~`]*")
_GROUP = re.compile(r"\\(.)|\$(\d)", re.DOTALL)
_LONGEST_KNOWN = 200
_turn = Lock()
"""Templates are rendered in several threads; the engine is for one at a time."""


@cache
def _engine() -> DuckDBPyConnection:
    import duckdb

    engine = duckdb.connect(":memory:")
    engine.execute("SET threads = 1")
    return engine


def _ask(question: str, *values: Any) -> Any:
    import duckdb

    try:
        with _turn:
            row = _engine().execute(question, list(values)).fetchone()
    except duckdb.Error as error:
        raise VtlError(f"the regular expression is not supported: {error}") from error
    return None if row is None else row[0]


def replaced(text: str, pattern: str, replacement: str, *, everywhere: bool) -> str:
    """Return a text with what a pattern matches replaced; the replacement has groups as `$1`."""
    if _PLAIN.fullmatch(pattern) and pattern and "$" not in replacement and "\\" not in replacement:
        return text.replace(pattern, replacement, -1 if everywhere else 1)
    rewritten = _GROUP.sub(_group, replacement)
    options = "g" if everywhere else ""
    return str(_ask("SELECT regexp_replace(?, ?, ?, ?)", text, pattern, rewritten, options))


def _group(match: re.Match[str]) -> str:
    if match[2] is not None:
        return f"\\{match[2]}"
    return "\\\\" if match[1] == "\\" else match[1]


def found(text: str, pattern: str) -> bool:
    """Whether a pattern matches some part of a text."""
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
    return _matches_known(text, pattern) if len(text) <= _LONGEST_KNOWN else _matches(text, pattern)


def _matches(text: str, pattern: str) -> bool:
    return bool(_ask("SELECT regexp_full_match(?, ?)", text, pattern))


_matches_known = lru_cache(4096)(_matches)
"""Short texts, such as a status, come again and again."""


def split(text: str, pattern: str) -> list[str]:
    """Return the parts of a text between what a pattern matches; empty ones at the end are left out."""
    if pattern and _PLAIN.fullmatch(pattern):
        parts = text.split(pattern)
    else:
        parts = list(_ask("SELECT string_split_regex(?, ?)", text, pattern))
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts
