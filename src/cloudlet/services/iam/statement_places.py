"""The places of statements in the texts of policies."""

from __future__ import annotations

import json


def locate_statements(text: str) -> list[tuple[int, int]]:
    """Return where the statements of a well-formed policy begin and end."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0) + 1
    while True:
        name, at = decoder.raw_decode(text, _skip(text, at))
        at = _skip(text, at)
        if name != "Statement":
            at = _skip(text, decoder.raw_decode(text, at)[1])
            continue
        if text[at] == "{":
            return [(at, decoder.raw_decode(text, at)[1])]
        places = []
        while text[at := _skip(text, at + 1)] == "{":
            places.append((at, decoder.raw_decode(text, at)[1]))
            at = _skip(text, places[-1][1], "")
        return places


def _skip(text: str, at: int, also: str = ":,") -> int:
    """Return where white space, and separators, end."""
    while text[at] in " \t\r\n" + also:
        at += 1
    return at


def show_position(text: str, at: int) -> dict[str, int]:
    """Return a place as AWS tells it: columns are counted from behind the character."""
    return {"Line": text.count("\n", 0, at) + 1, "Column": at - text.rfind("\n", 0, at) + 1}
