"""Reading a filter pattern from left to right: words, quoted text, regular expressions, symbols."""

from __future__ import annotations

import re

from cloudlet.services.logs.patterns.problems import PatternProblem
from cloudlet.services.logs.patterns.regex import Regex

MOST_REGEXES = 2
_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_REGEX = re.compile(r"%((?:[^%\\]|\\.)+)%", re.DOTALL)


class Reader:
    """A text, and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.regexes = 0

    @property
    def rest(self) -> str:
        """The next few characters, for messages."""
        return self.text[self.at : self.at + 20]

    def skip(self) -> None:
        """Pass over spaces."""
        match = _SPACE.match(self.text, self.at)
        self.at = self.at if match is None else match.end()

    def ended(self) -> bool:
        """Whether nothing but spaces is left."""
        self.skip()
        return self.at == len(self.text)

    def take(self, symbol: str) -> bool:
        """Read a symbol, after spaces, if it is next."""
        self.skip()
        if not self.text.startswith(symbol, self.at):
            return False
        self.at += len(symbol)
        return True

    def expect(self, symbol: str) -> None:
        if not self.take(symbol):
            raise PatternProblem(f"{symbol} is expected at: {self.rest!r}")

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """Read what a pattern fits here, if it does; its first group."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[1]

    def quoted(self) -> str | None:
        """Read a text in double quotes, if one is next; a backslash may be before a quote or a backslash."""
        if not self.text.startswith('"', self.at):
            return None
        text = self.match(_QUOTED)
        if text is None:
            raise PatternProblem("a quotation mark is not closed")
        return _ESCAPED.sub(r"\1", text)

    def regex(self) -> Regex | None:
        """Read a regular expression between percent signs, if one is next."""
        if not self.text.startswith("%", self.at):
            return None
        text = self.match(_REGEX)
        if text is None:
            raise PatternProblem("a percent sign is not closed")
        self.regexes += 1
        if self.regexes > MOST_REGEXES:
            raise PatternProblem(f"a pattern can have {MOST_REGEXES} regular expressions at most")
        return Regex(text)
