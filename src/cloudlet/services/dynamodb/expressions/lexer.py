"""The tokens of DynamoDB's expression languages.

Developer Guide, "Expression attribute names", "Expression attribute values": a name begins with a letter and goes on
with letters, digits and underscores; what follows `#` and `:` may begin with any of those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from cloudlet.core.aws import utf8
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, syntax_error

Kind = Literal["name", "#name", ":value", "number", "symbol", "end"]

LONGEST_EXPRESSION = 4096
"""Bytes of UTF-8."""

_TOKEN = re.compile(
    r"""[ \t\r\n\f]*(?:
        (?P<name>[A-Za-z][A-Za-z0-9_]*)
      | (?P<aname>\#[A-Za-z0-9_]+)
      | (?P<avalue>:[A-Za-z0-9_]+)
      | (?P<number>[0-9]+)
      | (?P<symbol><>|<=|>=|[=<>()\[\],.+-])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_KINDS: dict[str, Kind] = {
    "name": "name",
    "aname": "#name",
    "avalue": ":value",
    "number": "number",
    "symbol": "symbol",
    "end": "end",
}
_SPACES = " \t\r\n\f"
END = "<EOF>"


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `start` and `stop` are its place in the text. The last token of all is of the kind "end"."""

    kind: Kind
    text: str
    start: int
    stop: int

    @property
    def keyword(self) -> str:
        """A name in upper case, as keywords are compared; symbols as they are."""
        return self.text.upper() if self.kind == "name" else self.text


def tokens(text: str) -> list[Token]:
    """Return the tokens of an expression, an end token last. Raises ExpressionProblem."""
    if not text.strip(_SPACES):
        raise ExpressionProblem("The expression can not be empty;")
    size = utf8.size(text)
    if size > LONGEST_EXPRESSION:
        raise ExpressionProblem(
            f"Expression size has exceeded the maximum allowed size; expression size: {size}",
        )
    found: list[Token] = []
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unknown_character(text, position, found)
        group = match.lastgroup or "end"
        found.append(Token(_KINDS[group], match[group] or END, match.start(group), match.end()))
        if group == "end":
            return found
        position = match.end()


def near(text: str, before: int, start: int, after: int) -> str:
    """Return the surroundings of a token that AWS shows: from the token before to the one after."""
    return text[before if before >= 0 else start : after].strip(_SPACES)


def _unknown_character(text: str, position: int, found: list[Token]) -> ExpressionProblem:
    while text[position] in _SPACES:
        position += 1
    following = _TOKEN.match(text, position + 1)
    stop = following.end() if following else position + 2
    return syntax_error(text[position], near(text, found[-1].start if found else -1, position, stop))
