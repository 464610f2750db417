"""What AWS's Event Ruler asks of one value, as far as all services that match with it agree.

The rules and the words of the errors are those of the library (https://github.com/aws/event-ruler), where the guides
are silent. Numbers, and what may be combined with what, differ between SNS and EventBridge: they have those themselves.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

Test: TypeAlias = Callable[[Any], bool]
Path: TypeAlias = tuple[str, ...]

_ADDRESS_CHARACTERS = 45
_PIECE = re.compile(r"\\(.)|\*|\\$", re.DOTALL)


class PatternError(ValueError):
    """A pattern that Event Ruler does not admit, in its words."""


class Whole:
    """A whole event, of which is known what it lacks: each of thousands of elements of an array may ask for that."""

    __slots__ = ("_event", "_is_lacking", "_known")

    def __init__(self, event: dict[str, Any], is_lacking: Callable[[dict[str, Any], Path], bool]) -> None:
        """`is_lacking` says whether an event has no values at a path."""
        self._event = event
        self._is_lacking = is_lacking
        self._known: dict[Path, bool] = {}

    def lacks(self, path: Path) -> bool:
        """Whether there are no values at a path."""
        lacking = self._known.get(path)
        if lacking is None:
            lacking = self._known[path] = self._is_lacking(self._event, path)
        return lacking


NOT_ASKED: Final = Whole({}, lambda event, path: True)
"""Stands for the whole event where it is not asked what that lacks."""


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text(operand: Any, name: str) -> str:
    """Return the operand of an operator that takes a string. Raises PatternError."""
    if not isinstance(operand, str):
        raise PatternError(f"{name} match pattern must be a string")
    return operand


def equals_ignore_case(operand: Any) -> Test:
    folded = text(operand, "equals-ignore-case").lower()
    return lambda value: type(value) is str and value.lower() == folded


def wildcard(operand: Any) -> Test:
    """Match `*` with any characters; `\\*` and `\\\\` stand for themselves. Takes time linear in the value."""
    first, *rest = pieces(text(operand, "wildcard"))
    if not rest:
        return lambda value: type(value) is str and value == first
    *middle, last = rest

    def test(value: Any) -> bool:
        if type(value) is not str or not value.startswith(first) or not value.endswith(last):
            return False
        at, end = len(first), len(value) - len(last)
        for piece in middle:
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return at <= end

    return test


def pieces(pattern: str) -> list[str]:
    """Return what stands between the asterisks of a wildcard pattern. Raises PatternError.

    Its errors name positions as Event Ruler counts them: in bytes, after a quotation mark.
    """

    def position(at: int) -> int:
        return 1 + len(pattern[:at].encode(errors="replace"))

    found = [""]
    at = after_star = 0
    for match in _PIECE.finditer(pattern):
        found[-1] += pattern[at : match.start()]
        at = match.end()
        if match[0] == "*":
            if 0 < after_star == match.start():
                raise PatternError(f"Consecutive wildcard characters at pos {position(match.start() - 1)}")
            after_star = match.end()
            found.append("")
        elif match[1] in ("*", "\\"):
            found[-1] += match[1]
        else:
            raise PatternError(f"Invalid escape character at pos {position(match.start())}")
    found[-1] += pattern[at:]
    return found


def cidr(operand: Any) -> Test:
    within = network(text(operand, "prefix"))

    def test(value: Any) -> bool:
        found = address(value)
        return found is not None and found in within

    return test


def address(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a value is, or None."""
    if type(value) is not str or len(value) > _ADDRESS_CHARACTERS:
        return None
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def network(written: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return the network of a `cidr` pattern. Raises PatternError."""
    address, slash, bits = written.partition("/")
    if not slash or "/" in bits:
        raise PatternError("Malformed CIDR, one '/' required")
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", bits):
        raise PatternError("Malformed CIDR, mask bits must be an integer")
    if int(bits) < 0:
        raise PatternError("Malformed CIDR, mask bits must not be negative")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError as error:
        raise PatternError(f"Nonstandard IP address: {address}") from error
    if int(bits) >= parsed.max_prefixlen:
        raise PatternError(f"IPv{parsed.version} mask bits must be < {parsed.max_prefixlen}")
    return ipaddress.ip_network((parsed, int(bits)), strict=False)
