"""Filter patterns: which log events are meant.

User guide, "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live Tail".
"""

from __future__ import annotations

from functools import lru_cache

from cloudlet.services.logs.patterns import delimited, json_fields, terms
from cloudlet.services.logs.patterns.pattern import Pattern
from cloudlet.services.logs.patterns.problems import PatternProblem

__all__ = ["Pattern", "PatternProblem", "parse"]


@lru_cache(maxsize=1024)
def parse(text: str) -> Pattern:
    """Return the pattern that a text means. Raises PatternProblem."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return json_fields.parse(stripped)
    if stripped.startswith("["):
        return delimited.parse(stripped)
    return terms.parse(stripped)
