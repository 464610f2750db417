"""Regular expressions of queries, for the engine (RE2) that looks for them in linear time."""

from __future__ import annotations

import re

MOST_ITEMS = 2000
"""Of a regular expression, with all that is repeated: each may be looked at for each character of a text."""
MOST_PARSED_ITEMS = 500
"""Of one whose groups are looked for, which takes several times as long."""
# A class that does not end goes to the end: to look for that from each bracket on would take its square of time.
_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]?|[()]|\{(\d*),?(\d*)\}|.", re.DOTALL)
_GROUP = re.compile(r"\\.|\[(?:\\.|[^\]\\])*+\]?|\(\?P?<([A-Za-z]\w*)>|\((?!\?)", re.DOTALL)


def translated(regex: str) -> str:
    """Return a regular expression of the query language (Java's) as the engine writes it."""
    return _GROUP.sub(lambda found: f"(?P<{found[1]}>" if found[1] else found[0], regex)


def names_of(regex: str) -> tuple[str, ...]:
    """Return the names of a regular expression's groups; groups without a name are passed over."""
    return tuple(found[1] for found in _GROUP.finditer(regex) if found[1])


def only_named(regex: str) -> str:
    """Return a regular expression whose groups without a name catch nothing."""
    return _GROUP.sub(lambda found: "(?:" if found[0] == "(" else found[0], translated(regex))


def items_in(regex: str) -> int:
    """Return how many items a regular expression has, those that are repeated so many times counted as often."""
    sizes, last = [0], [0]
    for found in _PARTS.finditer(regex):
        match found[0]:
            case "(":
                sizes.append(0)
                last.append(0)
            case ")" if len(sizes) > 1:
                inner = sizes.pop()
                last.pop()
                last[-1] = max(inner, 1)
                sizes[-1] += last[-1]
            case part if part.startswith("{") and len(part) > 1:
                times = max(int(found[1] or 0), int(found[2] or 0), 1)
                sizes[-1] += last[-1] * (times - 1)
                last[-1] *= times
            case "*" | "+" | "?" | "|":
                pass
            case _:
                last[-1] = 1
                sizes[-1] += 1
    return sum(sizes)
