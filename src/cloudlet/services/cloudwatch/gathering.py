"""The values of the cells of a period together, as extended statistics need them.

They are counted exactly as long as there are not too many different ones; beyond that, values that are close to each
other count as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from cloudlet.services.cloudwatch import cell as cells
from cloudlet.services.cloudwatch.cell import Cell
from cloudlet.services.cloudwatch.columns import Columns

_MOST_VALUES = 20_000
_FINEST_BITS = 16


class Gathering:
    """Values of cells that come some at a time."""

    __slots__ = ("_bits", "_count", "_high", "_low", "_total", "_values")

    def __init__(self) -> None:
        self._count = self._total = 0.0
        self._low, self._high = inf, -inf
        self._values: dict[float, float] | None = {}
        """How often each occurred; None where that is not known."""
        self._bits = 0

    def add(self, columns: Columns, first: int, last: int) -> None:
        """Add the values of the cells in a range of indices."""
        for at in range(first, last):
            self._add_cell(columns, at)
        while self._values is not None and len(self._values) > _MOST_VALUES:
            self._bits = self._bits - 1 if self._bits else _FINEST_BITS
            known, self._values = self._values, {}
            self._count_values(known.keys(), known.values())

    def _add_cell(self, columns: Columns, at: int) -> None:
        count, total, low, high = columns.counts[at], columns.totals[at], columns.lows[at], columns.highs[at]
        self._count += count
        self._total += total
        self._low, self._high = min(self._low, low), max(self._high, high)
        kept = columns.values.get(columns.times[at])
        if kept is not None and kept.values is not None and kept.counts is not None:
            self._count_values(kept.values, kept.counts)
        elif Cell(count, total, low, high).is_known:
            self._count_values((low,), (count,))
        else:
            self._values = None

    def _count_values(self, values: Iterable[float], counts: Iterable[float]) -> None:
        known = self._values
        if known is None:
            return
        if self._bits:
            values = [cells.rounded(value, self._bits) for value in values]
        for value, count in zip(values, counts, strict=True):
            known[value] = known.get(value, 0.0) + count

    @property
    def different(self) -> int:
        """How many different values there are."""
        return len(self._values or ())

    def cell(self) -> Cell:
        """Return one cell of all."""
        cell = Cell(self._count, self._total, self._low, self._high)
        if self._values is not None and len(self._values) > 1:
            cell.values = sorted(self._values)
            cell.counts = [self._values[value] for value in cell.values]
        return cell
