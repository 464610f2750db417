"""Numbers as they are written, and regular expressions that find those which may satisfy a comparison.

Those make no numbers of what they find. They may find more than what satisfies it, and never less: what is behind the
point is not looked at, and whatever has an exponent is found.
"""

from __future__ import annotations

import math
import re

_WHOLE = re.compile(r"[+-]?\d{1,300}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_REST = r"(?![0-9])"
_ANY_WITH_EXPONENT = r"[+-]?[0-9.]+[eE]"


def read(text: str) -> float | None:
    """Return the number that a text is, a whole one exactly: ids have many digits. None for any other text."""
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def form(operator: str, number: float) -> str | None:
    """Return what numbers look like of which `operator number` may hold; None where that rules nothing out."""
    if not math.isfinite(number) or abs(number) >= 1e15 or operator == "!=":
        return None
    whole = math.floor(abs(number))
    positive, negative = r"\+?", "-"
    if operator == "=":
        sign = "[+-]?" if number == 0 else positive if number > 0 else negative
        return _numbers(f"{sign}0*{_exactly(whole)}")
    is_above = operator in (">", ">=")
    if is_above:
        # What is above a negative number is nearly everything.
        return _numbers(f"{positive}0*{_at_least(whole)}") if number >= 1 else None
    if number < 0:
        return _numbers(f"{negative}0*{_at_least(whole)}")
    return _numbers(f"{negative}|{positive}0*{_at_most(whole)}")


def _numbers(whole: str) -> str:
    return f"(?:{_ANY_WITH_EXPONENT}|(?:{whole}))"


def _exactly(whole: int) -> str:
    return f"{whole or ''}{_REST}"


def _at_least(whole: int) -> str:
    """Return the digits of what is at least so large, without leading zeros."""
    if whole == 0:
        return ""
    digits = str(whole)
    choices = [rf"[1-9][0-9]{{{len(digits)},}}", digits]
    for place, digit in enumerate(digits):
        if digit != "9":
            choices.append(rf"{digits[:place]}[{int(digit) + 1}-9][0-9]{{{len(digits) - place - 1}}}")
    return f"(?:{'|'.join(choices)}){_REST}"


def _at_most(whole: int) -> str:
    digits = str(whole) if whole else ""
    choices = [digits]
    if len(digits) > 1:
        choices.append(rf"[1-9][0-9]{{0,{len(digits) - 2}}}")
    for place, digit in enumerate(digits):
        least = 1 if place == 0 else 0
        if int(digit) > least:
            choices.append(rf"{digits[:place]}[{least}-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}")
    if whole:
        choices.append("")
    return f"(?:{'|'.join(choices)}){_REST}"
