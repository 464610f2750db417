"""The tokens of PartiQL statements.

Keywords are known in any case; names are as they are written, in double quotes where they are not plain words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation

Kind = Literal["word", "name", "string", "number", "parameter", "symbol", "end"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<word>[A-Za-z_$][A-Za-z0-9_$]*)
      | (?P<name>"(?:[^"]|"")*")
      | (?P<string>'(?:[^']|'')*')
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<parameter>\?)
      | (?P<symbol><<|>>|<>|!=|<=|>=|[=<>()\[\]{},.:*+-])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_KINDS: dict[str, Kind] = {
    "word": "word",
    "name": "name",
    "string": "string",
    "number": "number",
    "parameter": "parameter",
    "symbol": "symbol",
    "end": "end",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `text` is a name or string without its quotes, `keyword` a word in upper case."""

    kind: Kind
    text: str
    keyword: str


def malformed(reason: str) -> AwsError:
    """The error of a statement that cannot be read."""
    return validation(f"Statement wasn't well formed, can't be processed: {reason}")


def tokens(text: str) -> list[Token]:
    """Return the tokens of a statement, an end token last. Raises AwsError."""
    found: list[Token] = []
    position = 0
    # A semicolon may end the statement.
    text = text.rstrip().removesuffix(";")
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            raise malformed("")
        group = match.lastgroup or "end"
        found.append(_token(_KINDS[group], match[group] or ""))
        if group == "end":
            return found
        position = match.end()


def _token(kind: Kind, text: str) -> Token:
    if kind == "name":
        return Token(kind, text[1:-1].replace('""', '"'), "")
    if kind == "string":
        return Token(kind, text[1:-1].replace("''", "'"), "")
    return Token(kind, text, text.upper() if kind in ("word", "symbol") else "")
