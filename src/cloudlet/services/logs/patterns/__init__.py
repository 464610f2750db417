"""Filter patterns: which log events are meant.

User guide, "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from cloudlet.services.logs.patterns import delimited, json_fields, terms
from cloudlet.services.logs.patterns.pattern import Pattern
from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.reading import Reader

__all__ = ["Pattern", "PatternProblem", "extractor", "parse"]


@lru_cache(maxsize=1024)
def parse(text: str) -> Pattern:
    """Return the pattern that a text means. Raises PatternProblem."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return json_fields.parse(stripped)
    if stripped.startswith("["):
        return delimited.parse(stripped)
    return terms.parse(stripped)


def extractor(name: str, pattern: Pattern) -> Callable[[str], str | None]:
    """Return what finds a value in messages that match: `$.a.b` of JSON, or `$bytes` of a space-delimited pattern.

    Raises PatternProblem for what names nothing there.
    """
    if name in pattern.names:
        return lambda message: pattern.extract(message).get(name)
    if not pattern.is_json:
        raise PatternProblem(f"{name} is no field of the pattern")
    reader = Reader(name)
    _, path = json_fields.selector(reader)
    if not reader.ended():
        raise PatternProblem(f"{name} is no selector")

    def find(message: str) -> str | None:
        found = json_fields.values_at(json_fields.document_of(message), path)
        return json_fields.written(found[0]) if found else None

    return find
