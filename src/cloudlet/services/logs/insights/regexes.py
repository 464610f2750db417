"""Regular expressions of queries, for the engine (RE2) that looks for them in linear time."""

from __future__ import annotations

import re

MOST_ITEMS = 2000
"""Of a regular expression, with all that is repeated: each may be looked at for each character of a text."""
_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()]|\{(\d*),?(\d*)\}|.", re.DOTALL)
_GROUP = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\(\?P?<([A-Za-z]\w*)>|\((?!\?)", re.DOTALL)


def translated(regex: str) -> str:
    """Return a regular expression of the query language (Java's) as the engine writes it."""
    return _GROUP.sub(lambda found: f"(?P<{found[1]}>" if found[1] else found[0], regex)


def names_of(regex: str) -> tuple[str, ...]:
    """Return the names of a regular expression's groups; groups without a name are passed over."""
    return tuple(found[1] for found in _GROUP.finditer(regex) if found[1])


def only_named(regex: str) -> str:
    """Return a regular expression whose groups without a name catch nothing."""
    return _GROUP.sub(lambda found: "(?:" if found[0] == "(" else found[0], translated(regex))


def of_glob(glob: str) -> str:
    """Return the regular expression of a glob: each asterisk is a group, the last one is greedy at the end."""
    parts = [re.escape(part).replace("\\/", "/") for part in glob.split("*")]
    if len(parts) > 1 and not parts[-1]:
        return "(?s)" + "(.*?)".join(parts[:-1]) + "(.*)"
    return "(?s)" + "(.*?)".join(parts)


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
