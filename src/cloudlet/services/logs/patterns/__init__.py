"""Filter patterns: which log events are meant.

User guide, "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from cloudlet.services.logs.patterns import json_fields, reading
from cloudlet.services.logs.patterns.json_fields import Selector
from cloudlet.services.logs.patterns.pattern import Pattern
from cloudlet.services.logs.patterns.problems import PatternProblem

__all__ = ["Pattern", "PatternProblem", "extractor", "parse"]


@lru_cache(maxsize=1024)
def parse(text: str) -> Pattern:
    """Return the pattern that a text means. Raises PatternProblem."""
    found = reading.read(text)
    if isinstance(found, Selector):
        raise PatternProblem(f"the selector {found.text} is no pattern by itself")
    return found


def extractor(name: str, pattern: Pattern) -> Callable[[str], str | None]:
    """Return what finds a value in messages that match: `$.a.b` of JSON, or `$bytes` of a space-delimited pattern.

    Raises PatternProblem for what names nothing there.
    """
    if name in pattern.names:
        return lambda message: pattern.extract(message).get(name)
    if not pattern.is_json:
        raise PatternProblem(f"{name} is no field of the pattern")
    selector = reading.read(name)
    if not isinstance(selector, Selector):
        raise PatternProblem(f"{name} is no selector")

    def find(message: str) -> str | None:
        found = json_fields.values_at(json_fields.document_of(message), selector.path)
        return json_fields.written(found[0]) if found else None

    return find
