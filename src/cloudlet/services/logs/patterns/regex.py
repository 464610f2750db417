"""Regular expressions in filter patterns: a few characters and operators, and no groups.

User guide, "Supported regular expressions (regex) syntax".
"""

from __future__ import annotations

import re

from cloudlet.services.logs.patterns.problems import PatternProblem

_ALLOWED = re.compile(r"(?:[A-Za-z0-9 :_#=@/;,\-^$?\[\]{}|*+.]|\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[^A-Za-z0-9]))+")


def compiled(text: str) -> re.Pattern[str]:
    """Return the regular expression between two percent signs. Raises PatternProblem."""
    if not text.isascii() or not _ALLOWED.fullmatch(text):
        raise PatternProblem(f"the regular expression %{text}% has what is not supported")
    try:
        return re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternProblem(f"the regular expression %{text}% is invalid: {error}") from None
