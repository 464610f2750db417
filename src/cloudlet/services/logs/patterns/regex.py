"""Regular expressions in filter patterns: a few characters and operators, and no groups.

User guide, "Supported regular expressions (regex) syntax".
"""

from __future__ import annotations

import re

from cloudlet.services.logs.patterns import automaton
from cloudlet.services.logs.patterns.automaton import Automaton
from cloudlet.services.logs.patterns.problems import PatternProblem

_ALLOWED = re.compile(r"(?:[A-Za-z0-9 :_#=@/;,\-^$?\[\]{}|*+.]|\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[^A-Za-z0-9]))+")


class Regex:
    """A regular expression that is looked for in texts."""

    def __init__(self, text: str) -> None:
        """Raises PatternProblem."""
        if not text.isascii() or not _ALLOWED.fullmatch(text):
            raise PatternProblem(f"the regular expression %{text}% has what is not supported")
        try:
            self._search = re.compile(text, re.ASCII).search
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternProblem(f"the regular expression %{text}% is invalid: {error}") from None
        self._shape = automaton.shape_of(text)
        self._automaton: Automaton | None = None

    def is_in(self, text: str) -> bool:
        """Whether it is anywhere in a text."""
        if self._shape.is_quick(len(text)):
            return self._search(text) is not None
        if self._automaton is None:
            self._automaton = Automaton(self._shape)
        return self._automaton.is_in(text)
