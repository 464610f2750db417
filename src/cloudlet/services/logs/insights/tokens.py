"""The words of a query. What begins with a slash is a regular expression only where the parser asks for one."""

from __future__ import annotations

import re
from typing import NamedTuple

from cloudlet.services.logs.insights.problems import QueryProblem

_SPACE = re.compile(r"(?:\s+|#[^\n]*)*")
_NAME = r"(?:[A-Za-z_@$][\w@$]*|`[^`]+`)"
_TOKEN = re.compile(
    rf"(?P<name>{_NAME}(?:\.(?:[\w@$]+|`[^`]+`))*)"
    r"|(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w))"
    r"|(?P<period>\d+[A-Za-z]+(?!\w))"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<symbol>=~|!=|<=|>=|[=<>+\-*/^%(),|:\[\]])",
    re.DOTALL,
)
_DOTTED = re.compile(r"(?:\.(?:[\w@$]+|`[^`]+`))+")
_REGEX = re.compile(r"/((?:[^/\\\n]|\\.)+)/")
_PART = re.compile(r"`([^`]+)`|([^.`]+)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Token(NamedTuple):
    """A word, and where it is. Its kind is name, period, number, text, symbol or end."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """It as a keyword."""
        return self.text.lower() if self.kind == "name" else ""


class Tokens:
    """Reads a query's words, one after the other."""

    def __init__(self, query: str) -> None:
        self.query = query
        self._token: Token | None = None
        self._at = 0
        self.behind = 0
        """Where the last word ended that was taken."""

    def check(self) -> None:
        """Raises QueryProblem for a character that nothing is written with."""
        if (place := self.query.find("\x00")) >= 0:
            raise self.unexpected(place, place + 1)

    def peek(self) -> Token:
        """Return the next word. Raises QueryProblem."""
        if self._token is None:
            self._token = self._read()
        return self._token

    def take(self) -> Token:
        """Return the next word, and go on behind it."""
        token = self.peek()
        self._token = None
        self._at = self.behind = token.end
        return token

    def regex(self) -> str | None:
        """Return the regular expression that comes next, if one does, and go on behind it."""
        start = self.peek().start
        found = _REGEX.match(self.query, start)
        if found is None:
            return None
        self._token = None
        self._at = self.behind = found.end()
        return found[1].replace("\\/", "/")

    def dotted(self) -> str:
        """Return the names, each behind a dot, that come at once, and go on behind them."""
        found = _DOTTED.match(self.query, self.behind)
        if found is None:
            return ""
        self._token = None
        self._at = self.behind = found.end()
        return found[0]

    def _read(self) -> Token:
        space = _SPACE.match(self.query, self._at)
        start = space.end() if space is not None else self._at
        if start == len(self.query):
            return Token("end", "", start, start)
        found = _TOKEN.match(self.query, start)
        if found is None or found.lastgroup is None:
            raise self.unexpected(start, start + 1)
        return Token(found.lastgroup, found[0], start, found.end())

    def unexpected(self, start: int, end: int) -> QueryProblem:
        """Return the problem that something is where it cannot be."""
        line = self.query.count("\n", 0, start) + 1
        column = start - (self.query.rfind("\n", 0, start) + 1) + 1
        what = self.query[start:end] or "end of query"
        return QueryProblem(f"unexpected symbol found {what} at line {line} and position {column}", start, end)


def parts_of(name: str) -> tuple[str, ...]:
    """Return the parts of a name, between dots and without backticks."""
    return tuple(quoted or plain for quoted, plain in _PART.findall(name))


def text_of(literal: str) -> str:
    """Return the text that a quoted one means: a backslash stands before a quote, itself, or n, t, r."""
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], _plain(found[1])), literal[1:-1])


def _plain(character: str) -> str:
    return character if character in "\"'\\" else f"\\{character}"
