"""Patterns in which `*` stands for any characters, matched in linear time."""

from __future__ import annotations


def is_match(pattern: str, text: str) -> bool:
    """Whether a text is as a pattern says."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    if not text.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(last) >= at and text.endswith(last)
