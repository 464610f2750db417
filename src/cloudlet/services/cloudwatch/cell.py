"""A cell: what is known of the values of one metric in one period.

Cells add up: that of an hour is the sum of those of its minutes. For percentiles and the like a cell has its values,
each with how often it occurred. Up to `MOST_VALUES` different ones are kept as they are; beyond that, values that are
close to each other count as one, so that a cell does not grow without bound.
"""

from __future__ import annotations

import math
from bisect import bisect_left

import msgspec

MOST_VALUES = 512
"""Different values of a cell that are kept exactly; a request may bring 150."""

_FINEST_BITS = 12


class Cell(msgspec.Struct, array_like=True):
    """The values of a period: how many, their sum, the lowest, the highest, and what they were."""

    count: float
    total: float
    low: float
    high: float
    values: list[float] | None = None
    """The different values, in order. None where all are the same, or where they are not known (a statistic set)."""
    counts: list[float] | None = None
    """How often each of `values` occurred."""
    bits: int = 0
    """To how many bits of their fractions values have been rounded; 0: not at all."""

    @property
    def is_known(self) -> bool:
        """Whether the values are known, and not only what they sum up to."""
        return self.values is not None or (self.low == self.high and _is_close(self.total, self.low * self.count))


def of_value(value: float) -> Cell:
    """Return the cell of one value."""
    return Cell(1.0, value, value, value)


def of_values(values: list[float], counts: list[float]) -> Cell:
    """Return the cell of some values, each with how often it occurred."""
    merged: dict[float, float] = {}
    for value, count in zip(values, counts, strict=True):
        merged[value] = merged.get(value, 0.0) + count
    kept = sorted(merged)
    total = math.fsum(value * count for value, count in merged.items())
    cell = Cell(math.fsum(merged.values()), total, kept[0], kept[-1])
    if len(kept) > 1:
        cell.values, cell.counts = kept, [merged[value] for value in kept]
    return cell


def add(cell: Cell, other: Cell) -> None:
    """Add another cell's values to a cell."""
    known = cell.is_known and other.is_known
    if known and (cell.values is not None or other.values is not None or cell.low != other.low):
        _add_values(cell, other)
    elif not known:
        cell.values = cell.counts = None
    cell.count += other.count
    cell.total += other.total
    if other.low < cell.low:
        cell.low = other.low
    if other.high > cell.high:
        cell.high = other.high


def distribution(cell: Cell) -> tuple[list[float], list[float]]:
    """Return the values of a cell whose values are known, in order, and how often each occurred."""
    if cell.values is None or cell.counts is None:
        return [cell.low], [cell.count]
    return cell.values, cell.counts


def _add_values(cell: Cell, other: Cell) -> None:
    if cell.values is None or cell.counts is None:
        cell.values, cell.counts = [cell.low], [cell.count]
    values, counts = cell.values, cell.counts
    bits = cell.bits = _coarser(cell.bits, other.bits)
    for value, count in zip(*distribution(other), strict=True):
        if bits:
            value = rounded(value, bits)
        at = bisect_left(values, value)
        if at < len(values) and values[at] == value:
            counts[at] += count
        else:
            values.insert(at, value)
            counts.insert(at, count)
    while len(cell.values) > MOST_VALUES:
        if cell.bits == 1:
            _halve(cell)
        else:
            cell.bits = cell.bits - 1 if cell.bits else _FINEST_BITS
            _round(cell, cell.bits)


def _round(cell: Cell, bits: int) -> None:
    """Let values of a cell that are close to each other count as one."""
    merged: dict[float, float] = {}
    for value, count in zip(*distribution(cell), strict=True):
        value = rounded(value, bits)
        merged[value] = merged.get(value, 0.0) + count
    cell.values, cell.counts = list(merged), list(merged.values())


def _halve(cell: Cell) -> None:
    """Let each two neighbours count as the higher one: the values of this cell differ by hundreds of powers of 2."""
    values, counts = distribution(cell)
    odd = len(values) % 2
    cell.values = values[:odd] + values[odd + 1 :: 2]
    pairs = zip(counts[odd::2], counts[odd + 1 :: 2], strict=True)
    cell.counts = counts[:odd] + [one + other for one, other in pairs]


def rounded(value: float, bits: int) -> float:
    """Return a value with so many bits of its fraction: it differs by a share of 2**-(bits + 1) at most."""
    fraction, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(fraction, bits)), exponent - bits)


def _coarser(bits: int, other: int) -> int:
    return min(bits, other) if bits and other else bits or other


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-300)
