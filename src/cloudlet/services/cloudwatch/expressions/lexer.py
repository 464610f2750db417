"""The tokens of metric math."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem

Kind = Literal["number", "name", "text", "symbol", "end"]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<symbol>==|!=|<=|>=|&&|\|\||[-+*/^()\[\],<>])
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_KINDS: dict[str, Kind] = {kind: kind for kind in ("number", "name", "text", "symbol", "end")}


class Token(NamedTuple):
    """A token and where it begins."""

    kind: Kind
    text: str
    at: int


def tokens(expression: str) -> list[Token]:
    """Return the tokens of an expression, an end token last. Raises ExpressionProblem."""
    found: list[Token] = []
    position = 0
    while True:
        match = _TOKEN.match(expression, position)
        if match is None or match.lastgroup is None:
            raise ExpressionProblem(f"Unexpected character at position {position + 1}")
        kind = _KINDS[match.lastgroup]
        found.append(Token(kind, match[kind], match.start(kind)))
        if kind == "end":
            return found
        position = match.end()
