"""The structure that messages have in common: what `pattern` groups them by.

User guide, "pattern": what differs from message to message is shown as `<type-number>`, the rest as it is. AWS does not
say how it finds that; here it is what looks like a time, an address, a number, or has a digit in it.
"""

from __future__ import annotations

from cloudlet.services.logs.insights.sql import Kind, Sql, literal

_MARK = chr(2)
"""Stands behind the type of what differs, until that has its number."""
_DIFFERENT = (
    ("UUID", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    ("DateTime", r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"),
    ("DateTime", r"\b\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?"),
    ("Date", r"\b\d{4}[-/]\d\d[-/]\d\d\b"),
    ("Time", r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"),
    ("IPAddress", r"\b(?:\d{1,3}\.){3}\d{1,3}\b"),
    ("HexNumber", r"\b0x[0-9a-fA-F]+\b"),
    ("Token", r"[\w-]*[A-Za-z_][\w-]*\d[\w-]*|[\w-]*\d[\w-]*[A-Za-z_][\w-]*|\d+-[\w-]*"),
    ("Number", r"-?\d+(?:\.\d+)?"),
)
"""Types, and what is of them: an earlier one comes before a later one."""
_SEVERITIES = (
    ("Error", r"(?i)\b(?:error|err|fatal|critical|severe|exception|panic)\b"),
    ("Warning", r"(?i)\b(?:warning|warn)\b"),
    ("Debug", r"(?i)\b(?:debug|trace|verbose)\b"),
    ("Info", r"(?i)\b(?:info|notice)\b"),
)


def structure(text: str) -> str:
    """Return SQL for the structure of a text, given as SQL; what differs has no numbers yet."""
    for kind, pattern in _DIFFERENT:
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(f'<{kind}{_MARK}')}, 'g')"
    return text


def _numbered(text: str) -> str:
    """Return SQL for a structure whose differing parts have the numbers of their places."""
    parts = f"string_split({text}, {literal(_MARK)})"
    # The last part is apart: what is asked for each part, such as how many there are, is found anew for each.
    numbered = f"list_transform(list_slice({parts}, 1, -2), lambda part, place: part || '-' || place || '>')"
    return f"(array_to_string({numbered}, '') || list_extract({parts}, -1))"


def columns(text: str, current: str) -> dict[str, Sql]:
    """Return what is told of each structure, of records that are grouped by it; of those that a condition tells."""
    count = f"count(*) FILTER (WHERE {current})"
    return {
        "@pattern": Sql(_numbered(text), Kind.TEXT),
        "@ratio": Sql(f"{count} / nullif(sum({count}) OVER (), 0)", Kind.NUMBER),
        "@sampleCount": Sql(f"CAST({count} AS DOUBLE)", Kind.NUMBER),
        "@severityLabel": Sql(_severity(text), Kind.TEXT),
    }


def difference(current: str) -> dict[str, Sql]:
    """Return how many more records there are for which a condition holds than others."""
    more = f"count(*) FILTER (WHERE {current}) - count(*) FILTER (WHERE NOT {current})"
    return {"@differenceEventCount": Sql(f"CAST({more} AS DOUBLE)", Kind.NUMBER)}


def _severity(text: str) -> str:
    """Return SQL for how bad it is what a text tells; null where it does not say."""
    cases = [
        f"WHEN regexp_matches({text}, {literal(words)}) THEN {literal(severity)}" for severity, words in _SEVERITIES
    ]
    return f"CASE {' '.join(cases)} END"
