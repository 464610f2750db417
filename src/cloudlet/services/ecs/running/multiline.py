"""Events of several lines, whose first lines are known by a pattern or a time.

Developer guide, "awslogs-multiline-pattern" and "awslogs-datetime-format"; the fields are those of Docker's driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Protocol

_FIELDS: Final = {
    "%a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "%A": "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    "%w": "[0-6]",
    "%d": r"(?:0[1-9]|[12]\d|3[01])",
    "%b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%m": r"(?:0[1-9]|1[0-2])",
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%H": r"(?:[01]\d|2[0-3])",
    "%I": r"(?:0[1-9]|1[0-2])",
    "%p": "[AP]M",
    "%M": r"[0-5]\d",
    "%S": r"[0-5]\d",
    "%f": r"\d{6}",
    "%L": r"\.\d{3}",
    "%z": r"[+-]\d{4}",
    "%Z": "[A-Z]{1,4}T",
    "%j": r"(?:0[0-9][1-9]|[1-2]\d\d|3[0-5]\d|36[0-6])",
    "%%": "%",
}
_MAX_EVENT_CHARACTERS: Final = 64 << 10


class Line(Protocol):
    """A line as it was printed: when, its text, and whether more of it follows."""

    t: int
    l: str  # noqa: E741 - as it is written
    p: bool


def compile_format(text: str | None) -> re.Pattern[str] | None:
    """Return the pattern of times in a format of strftime's kind."""
    if not text:
        return None
    parts = re.split(r"(%[A-Za-z%])", text)
    return re.compile("".join(_FIELDS.get(part, re.escape(part)) for part in parts))


def join(lines: Iterable[Line], begins: re.Pattern[str] | None) -> list[tuple[int, str]]:
    """Return events of lines: the time in milliseconds, and the text."""
    events: list[tuple[int, str]] = []
    has_more = False
    for line in lines:
        is_new = not events or not (has_more or (begins is not None and not begins.search(line.l)))
        if is_new or len(events[-1][1]) > _MAX_EVENT_CHARACTERS:
            events.append((line.t, line.l))
        else:
            at, text = events[-1]
            events[-1] = at, text + ("" if has_more else "\n") + line.l
        has_more = line.p
    # CloudWatch Logs has no empty events.
    return [(at, text) for at, text in events if text]
