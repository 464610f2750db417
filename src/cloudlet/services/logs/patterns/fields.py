"""The fields of a message between spaces, and ruling messages out by them without dividing them.

A field is what stands between spaces, in double quotes, or in square brackets. What rules out may let through more than
what fits, and never less.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from cloudlet.services.logs.patterns.comparing import Comparison

ELLIPSIS = "..."
_FIELD = re.compile(r"""\s*(?:"([^"]*)"|\[([^\]]*)\]|(\S+))""")
_UNBRACKETED_FIELD = re.compile(r"""\s*(?:"([^"]*)"|(?!)()|(\S+))""")
_MOST_UNCLOSED = 50
"""Square brackets that never close; each costs a look at all that follows."""
_ENCLOSED = r"""(?:"[^"]*"|\[[^\]]*\])"""
_ANY_FIELD = rf"""(?>{_ENCLOSED}|\S+)"""

_MOST_PIECES = 2

Sieve = Callable[[str], bool]


def values_of(message: str) -> list[str]:
    """Return the fields of a message."""
    if '"' not in message and "[" not in message:
        return message.split()
    return [quoted or bracketed or plain for quoted, bracketed, plain in _divided(message)]


def _divided(message: str) -> Iterable[tuple[str, str, str]]:
    """Return the fields of a message: each quoted, bracketed or plain, and empty as what it is not."""
    closing = message.rfind("]")
    if message.count("[", closing + 1) <= _MOST_UNCLOSED:
        return _FIELD.findall(message)
    found: list[tuple[str, str, str]] = []
    at = 0
    while (match := (_FIELD if at <= closing else _UNBRACKETED_FIELD).match(message, at)) is not None:
        found.append(match.groups(""))  # type: ignore[arg-type]
        at = match.end()
    return found


def form_of(comparison: Comparison) -> str:
    """Return a regular expression for a field of which a comparison may hold; empty: for any."""
    number = comparison.number_form()
    if number is not None:
        number += "[0-9.eE+-]*"
        return rf'(?:"{number}"|\[{number}\]|{number}(?!\S))'
    operand = comparison.operand
    if not isinstance(operand, str) or '"' in operand or "]" in operand:
        return ""
    pieces = operand.split("*")
    if len(pieces) > _MOST_PIECES:
        # To look for what is between asterisks would take the longer the more of them there are.
        if comparison.operator != "=":
            return ""
        pieces = [pieces[0], pieces[-1]]
    quoted, bracketed, plain = (any_one.join(map(re.escape, pieces)) for any_one in ('[^"]*', r"[^\]]*", r"\S*"))
    equal = rf'(?:"{quoted}"|\[{bracketed}\]|(?!{_ENCLOSED}){plain}(?!\S))'
    return equal if comparison.operator == "=" else f"(?!{equal})"


def sieve_of(names: Sequence[str], forms: Sequence[str]) -> Sieve | None:
    """Return what tells whether a message may have fields of such forms; None where that rules nothing out."""
    if ELLIPSIS not in names:
        return _from_left(forms, r"\s*\Z") if any(forms) else None
    before = names.index(ELLIPSIS)
    left, right = forms[:before], forms[before + 1 :]
    sieves = [_from_left(left, "")] if any(left) else []
    sieves += [_from_right(right)] if any(right) else []
    if len(sieves) == 2:
        first, other = sieves
        return lambda message: first(message) and other(message)
    return sieves[0] if sieves else None


def _from_left(forms: Sequence[str], end: str) -> Sieve:
    # Fields are atomic: how a message is divided does not depend on what is looked for.
    parts = [rf"\s*+(?={form}){_ANY_FIELD}" if form else rf"\s*+{_ANY_FIELD}" for form in forms]
    match = re.compile("".join(parts) + end).match
    return lambda message: match(message) is not None


def _from_right(forms: Sequence[str]) -> Sieve:
    count = len(forms)
    tests = [(number - count, re.compile(form).match) for number, form in enumerate(forms) if form]

    def may_fit(message: str) -> bool:
        words = message.rsplit(None, count)
        if len(words) <= count:
            return True
        rest = message[len(words[0]) :]
        if '"' in rest or "]" in rest:
            # Words are fields only where nothing that is quoted or bracketed ends.
            return True
        return all(match(words[at]) is not None for at, match in tests)

    if len(tests) > 1:
        return may_fit
    ((at, match),) = tests

    def may_fit_one(message: str) -> bool:
        words = message.rsplit(None, count)
        if len(words) <= count or match(words[at]) is not None:
            return True
        rest = message[len(words[0]) :]
        return '"' in rest or "]" in rest

    return may_fit_one
