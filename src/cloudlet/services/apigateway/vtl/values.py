"""The values of templates: how they are written, compared and reckoned with, as Java does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cloudlet.services.apigateway.vtl import steps
from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.wire import json_text

LARGEST_TEXT = 10 << 20
LARGEST_LIST = 100_000
_LARGEST_NUMBER = 1 << 63


class JsonArray(list[Any]):
    """A list that came as JSON: it is written as such."""


class Entry:
    """An entry of a map, as `entrySet` gives it."""

    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value


def of_json(text: bytes | str) -> Any:
    """Return the value of a JSON text. Raises VtlError."""
    try:
        value = json_text.decode(text)
        steps.running().take_for_items(_count(value))
        return adopted(value)
    except (ValueError, RecursionError) as error:
        raise VtlError(f"this is not JSON: {error}") from error


def _count(value: Any) -> int:
    """Return how many values there are in a decoded JSON value."""
    count, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            waiting.extend(each.values())
    return count


def adopted(value: Any) -> Any:
    """Return a decoded JSON value whose arrays know that they are."""
    if isinstance(value, list):
        return JsonArray(adopted(each) for each in value)
    if isinstance(value, dict):
        return {key: adopted(each) for key, each in value.items()}
    return value


def to_json(value: Any) -> str:
    """Return a value as JSON. Raises VtlError."""
    _check_size(value)
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, RecursionError, UnicodeError) as error:
        raise VtlError("this cannot be written as JSON") from error


def _check_size(value: Any) -> None:
    """Raise VtlError for a value whose JSON would be too large: what is in it many times is once in memory."""
    size, waiting = 8, [value]
    while waiting:
        each = waiting.pop()
        # To go through a value takes as long as to write some characters.
        if isinstance(each, str):
            size += len(each)
        elif isinstance(each, (list, dict)):
            # What is in it is counted before it is looked at: it may hold itself many times.
            size += 8 * len(each)
            if isinstance(each, dict):
                size += sum(map(len, each))
            if size <= LARGEST_TEXT:
                waiting.extend(each.values() if isinstance(each, dict) else each)
        if size > LARGEST_TEXT:
            raise VtlError("the text is too large")
    steps.running().take_for_text(size)


class _Writer:
    """Writes a value, up to the most that a text may have."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self._steps = steps.running()

    def add(self, part: str) -> None:
        self.parts.append(part)
        # What is empty counts too: an empty list may hold many others.
        self.size += len(part) + 1
        if self.size > LARGEST_TEXT:
            raise VtlError("the text is too large")

    def write(self, value: Any, depth: int = 0) -> None:
        if depth > 100:
            raise VtlError("the value is nested too deeply")
        self._steps.take()
        if isinstance(value, str):
            self.add(value)
        elif isinstance(value, JsonArray):
            self.add(to_json(value))
        elif isinstance(value, list):
            self._all("[", value, "]", depth)
        elif isinstance(value, dict):
            self.add("{")
            for number, (key, each) in enumerate(value.items()):
                self.add(f"{', ' if number else ''}{_scalar(key)}=")
                self.write(each, depth + 1)
            self.add("}")
        elif isinstance(value, Entry):
            self.add(f"{_scalar(value.key)}=")
            self.write(value.value, depth + 1)
        else:
            self.add(_scalar(value))

    def _all(self, begin: str, values: Iterable[Any], end: str, depth: int) -> None:
        self.add(begin)
        for number, each in enumerate(values):
            if number:
                self.add(", ")
            self.write(each, depth + 1)
        self.add(end)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _double(value)
    return str(value)


def _double(value: float) -> str:
    """Return a number as Java writes a double."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        shown = repr(value)
        return shown if "e" not in shown else f"{value:.1f}"
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        digits = repr(value)
        mantissa, _, exponent = f"{value:.{len(digits)}e}".partition("e")
        mantissa = mantissa.rstrip("0")
        mantissa += "0" if mantissa.endswith(".") else ""
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}E{int(exponent)}"


def text(value: Any) -> str:
    """Return how a value is written. Raises VtlError for one that is too large."""
    if isinstance(value, str):
        return value
    writer = _Writer()
    writer.write(value)
    steps.running().take_for_text(writer.size)
    return "".join(writer.parts)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_true(value: Any) -> bool:
    """Whether a condition holds: everything does but false and what is not there."""
    return value is not None and value is not False


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same; those of different types where they are written alike."""
    if left is None or right is None:
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, bool) and isinstance(right, bool):
        return left is right
    written, other = text(left), text(right)
    if len(written) != len(other):
        return False
    steps.running().take_for_text(len(written))
    return written == other


def compared(operator: str, left: Any, right: Any) -> bool | None:
    """Return what a comparison of numbers, or of texts, says; None where it cannot be made."""
    if not (is_number(left) and is_number(right)) and not (isinstance(left, str) and isinstance(right, str)):
        return None
    if isinstance(left, str):
        steps.running().take_for_text(min(len(left), len(right)))
    match operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
    return bool(left >= right)


def reckoned(operator: str, left: Any, right: Any) -> Any:
    """Return the result of arithmetic, None where there is none; `+` joins texts."""
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)) and None not in (left, right):
        joined = text(left) + text(right)
        if len(joined) > LARGEST_TEXT:
            raise VtlError("the text is too large")
        return joined
    if not is_number(left) or not is_number(right):
        return None
    try:
        return _bounded(_arithmetic(operator, left, right))
    except (ZeroDivisionError, OverflowError):
        return None


def _arithmetic(operator: str, left: Any, right: Any) -> Any:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if isinstance(left, int) and isinstance(right, int):
        # Java rounds towards zero, and a remainder has the sign of what was divided.
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if operator == "/" else left - quotient * right
    return left / right if operator == "/" else left - right * int(left / right)


def _bounded(value: Any) -> Any:
    """Return a whole number as Java's 64 bits have it."""
    if isinstance(value, int):
        return (value + _LARGEST_NUMBER) % (2 * _LARGEST_NUMBER) - _LARGEST_NUMBER
    return value
