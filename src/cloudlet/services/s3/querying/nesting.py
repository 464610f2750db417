"""How deeply JSON is nested: DuckDB, and what reads its answers, take it only so deep."""

from __future__ import annotations

import re
from typing import BinaryIO

_CHUNK = 1 << 20
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"')
_EMPTY = re.compile(rb"\[\]|\{\}")
_MEANINGLESS = bytes(set(range(256)) - set(b'"[]{}'))


def is_deeper(source: BinaryIO, deepest: int) -> bool:
    """Whether arrays and objects are in each other more often than that, anywhere in a file.

    Pairs of brackets with nothing between them are taken out again and again: each time one level goes. Where a chunk
    begins within some levels, these are taken to be around all that is in it: half as many are never too many.
    """
    raw, brackets, around = b"", b"", 0
    while chunk := source.read(_CHUNK):
        raw += chunk
        # A backslash at the end belongs to what comes next.
        is_cut = (len(raw) - len(raw.rstrip(b"\\"))) % 2
        whole, raw = (raw[:-1], raw[-1:]) if is_cut else (raw, b"")
        brackets += _ESCAPE.sub(b"", whole).translate(None, _MEANINGLESS)
        brackets, is_in_string, _ = _STRING.sub(b"", brackets).partition(b'"')
        levels = 0
        while levels <= deepest:
            fewer = _EMPTY.sub(b"", brackets)
            if len(fewer) == len(brackets):
                break
            brackets = fewer
            levels += 1
        if levels + max(around, len(brackets)) > deepest:
            return True
        around = len(brackets)
        brackets += is_in_string
    return False


def unclosed(raw: bytes) -> int:
    """Return how many arrays and objects begin in a part of a text, less those that end; no string is cut by it."""
    brackets = _STRING.sub(b"", _ESCAPE.sub(b"", raw).translate(None, _MEANINGLESS))
    return brackets.count(b"[") + brackets.count(b"{") - brackets.count(b"]") - brackets.count(b"}")
