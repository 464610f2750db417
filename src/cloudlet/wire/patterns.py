"""The models' patterns, written for Java, as Python's `re` understands them.

AWS matches the whole value. What Python lacks is translated: Unicode categories become character ranges, and
surrogate pairs the code points that they stand for.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_POSIX = {
    "ASCII": r"\x00-\x7f",
    "Alpha": "a-zA-Z",
    "Alnum": "a-zA-Z0-9",
    "Digit": "0-9",
    "Graph": r"\x21-\x7e",
    "IsWhitespace": r"\s",
    "Lower": "a-z",
    "Print": r"\x20-\x7e",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r"\s",
    "Upper": "A-Z",
}
_SPACED = re.compile(r"\[ \\t\]\*(\[[^\[\]]+\])\+\(\[ \\t\]\+\1\+\)\*\[ \\t\]\*")
"""Words with spaces and tabs between them, where a space may as well be part of a word: `re` would try each way to take
them, twice as many with each space, before it says that a text is none of these."""
_FLAGS = re.compile(r"\(\?([imsx]+)\)")
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?)(\w+)\}|([A-Z]))")
# Only these planes hold assigned characters other than private ones; scanning all of Unicode would take long.
_SCANNED = (range(0x33480), range(0xE0000, 0xE0200))
_HIGHEST = 0x10FFFF


def translate(pattern: str) -> str | None:
    """Return a pattern for `re.search` that matches what `pattern` matches whole, or None if there is no way to."""
    try:
        flags = _FLAGS.match(pattern)
        scope = f"(?{flags[1]}:" if flags else "(?:"
        text = rf"^{scope}{_rewrite(pattern[flags.end() :] if flags else pattern)})\Z"
        re.compile(text)
    except (re.error, KeyError, OverflowError, RecursionError):
        return None
    return text


def _rewrite(pattern: str) -> str:
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF").replace("(?<", "(?P<")
    pattern = pattern.replace("(?P<=", "(?<=").replace("(?P<!", "(?<!")
    pattern = _SPACED.sub(r"(?=[ \\t]*\1)(?:[ \\t]|(?![ \\t])\1)*", pattern)
    out = []
    position, depth = 0, 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            match = _PROPERTY.match(pattern, position)
            if match is None:
                escape = pattern[position : position + 2]
                # After a class like \w, a dash is itself; Python demands that this be said.
                if depth and escape in (r"\w", r"\d", r"\s") and pattern[position + 2 : position + 3] == "-":
                    ends = pattern[position + 3 : position + 4] == "]"
                    out.append(escape if ends else escape + r"\-")
                    position += 2 if ends else 3
                    continue
                out.append(escape)
                position += 2
                continue
            negated = (match[1] == "P") != bool(match[2])
            ranges = _ranges(match[3] or match[4], negated)
            out.append(ranges if depth else f"[{ranges}]")
            position = match.end()
            continue
        if char == "[":
            # Inside a class Java nests; a literal bracket is what the models mean.
            out.append(r"\[" if depth else "[")
            depth = 1
        else:
            if char == "]":
                depth = 0
            out.append(char)
        position += 1
    return "".join(out)


def _ranges(name: str, negated: bool) -> str:
    if not negated and name in _POSIX:
        return _POSIX[name]
    name = name.removeprefix("Is")
    return _category_ranges(name, negated)


@cache
def _categories() -> dict[str, list[tuple[int, int]]]:
    """Return the runs of code points of every general category."""
    runs: dict[str, list[tuple[int, int]]] = {}
    for scanned in _SCANNED:
        start, current = scanned.start, unicodedata.category(chr(scanned.start))
        for point in scanned:
            category = unicodedata.category(chr(point))
            if category != current:
                runs.setdefault(current, []).append((start, point - 1))
                start, current = point, category
        runs.setdefault(current, []).append((start, scanned.stop - 1))
    for start, stop in ((0x33480, 0xDFFFF), (0xE0200, 0xEFFFF)):
        runs["Cn"].append((start, stop))
    runs["Co"].append((0xF0000, _HIGHEST))
    return runs


@cache
def _category_ranges(name: str, negated: bool) -> str:
    chosen = sorted(run for category, runs in _categories().items() if category.startswith(name) for run in runs)
    if not chosen:
        raise KeyError(name)
    merged: list[tuple[int, int]] = []
    for start, stop in chosen:
        if merged and merged[-1][1] + 1 == start:
            merged[-1] = (merged[-1][0], stop)
        else:
            merged.append((start, stop))
    if negated:
        inverse, position = [], 0
        for start, stop in merged:
            if position < start:
                inverse.append((position, start - 1))
            position = stop + 1
        if position <= _HIGHEST:
            inverse.append((position, _HIGHEST))
        merged = inverse
    return "".join(f"\\U{start:08x}-\\U{stop:08x}" for start, stop in merged)
