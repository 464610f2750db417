"""What the alternatives of one operator ask of a value, all at once: a message may have 100,000 values, a policy 150
alternatives for each of them.

Each test takes as long as the value has characters, however many alternatives there are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from cloudlet.core.aws.event_ruler import Test, address

Bound = tuple[int | float, int]
"""A place on the line of numbers: (number, 0) is right before a number, (number, 1) right behind it."""


def starts_with(prefixes: Iterable[str]) -> Test:
    """Whether a text begins with one of these."""
    by_length = _by_length(prefixes)
    return lambda value: (
        type(value) is str and any(length <= len(value) and value[:length] in known for length, known in by_length)
    )


def ends_with(suffixes: Iterable[str]) -> Test:
    """Whether a text ends with one of these."""
    by_length = _by_length(suffixes)
    return lambda value: (
        type(value) is str
        and any(length <= len(value) and value[len(value) - length :] in known for length, known in by_length)
    )


def _by_length(texts: Iterable[str]) -> list[tuple[int, set[str]]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    for text in texts:
        found[len(text)].add(text)
    return list(found.items())


def is_in_any_case(texts: Iterable[str]) -> Test:
    """Whether a text is one of these, but for the case of its letters."""
    folded = frozenset(text.lower() for text in texts)
    return lambda value: type(value) is str and value.lower() in folded


def is_in_network(networks: Iterable[IPv4Network | IPv6Network]) -> Test:
    """Whether a text is an IP address in one of these."""
    by_mask: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for network in networks:
        shift = network.max_prefixlen - network.prefixlen
        by_mask[network.version, shift].add(int(network.network_address) >> shift)
    masks = list(by_mask.items())

    def test(value: Any) -> bool:
        found = address(value)
        if found is None:
            return False
        version, number = found.version, int(found)
        return any(version == of and number >> shift in known for (of, shift), known in masks)

    return test


class Ranges:
    """Ranges of numbers, each from one bound up to another."""

    def __init__(self, ranges: Iterable[tuple[Bound, Bound]]) -> None:
        self._begins: list[Bound] = []
        self._ends: list[Bound] = []
        for begin, end in sorted(ranges):
            if self._ends and begin <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._begins.append(begin)
                self._ends.append(end)

    def have(self, number: int | float) -> bool:
        """Whether a number is in one of them."""
        place = (number, 0)
        at = bisect_right(self._begins, place) - 1
        return at >= 0 and place < self._ends[at]
