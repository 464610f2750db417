"""Cells in the order of time, as columns."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from cloudlet.services.cloudwatch import cell as cells
from cloudlet.services.cloudwatch.cell import Cell


class Columns:
    """Cells in columns of the machine's own numbers. Times are seconds since the epoch."""

    __slots__ = ("counts", "highs", "lows", "times", "totals", "values")

    def __init__(self) -> None:
        self.times = array("q")
        self.counts = array("d")
        self.totals = array("d")
        self.lows = array("d")
        self.highs = array("d")
        self.values: dict[int, Cell] = {}
        """Cells by their times, for those that have different values."""

    def __len__(self) -> int:
        return len(self.times)

    def cell(self, at: int) -> Cell:
        """Return a copy of the cell at an index."""
        cell = Cell(self.counts[at], self.totals[at], self.lows[at], self.highs[at])
        kept = self.values.get(self.times[at]) if self.values else None
        if kept is not None and kept.values is not None and kept.counts is not None:
            cell.values, cell.counts, cell.bits = list(kept.values), list(kept.counts), kept.bits
        return cell

    def add(self, time: int, cell: Cell) -> None:
        """Add the values of a cell to that of a time."""
        times = self.times
        at = len(times)
        if at and times[-1] >= time:
            at = bisect_left(times, time)
            if times[at] == time:
                known = self.cell(at)
                cells.add(known, cell)
                self._replace(at, time, known)
                return
        times.insert(at, time)
        self.counts.insert(at, cell.count)
        self.totals.insert(at, cell.total)
        self.lows.insert(at, cell.low)
        self.highs.insert(at, cell.high)
        if cell.values is not None:
            self.values[time] = cell

    def _replace(self, at: int, time: int, cell: Cell) -> None:
        self.counts[at], self.totals[at], self.lows[at], self.highs[at] = cell.count, cell.total, cell.low, cell.high
        if cell.values is not None:
            self.values[time] = cell
        else:
            self.values.pop(time, None)

    def extend(self, later: Columns) -> None:
        """Add cells that come after these."""
        for name in ("times", "counts", "totals", "lows", "highs"):
            getattr(self, name).extend(getattr(later, name))
        self.values |= later.values

    def cut(self, begin: int, end: int) -> None:
        """Forget the cells before a time, and those from a time on."""
        last = bisect_left(self.times, end)
        first = bisect_left(self.times, begin)
        for column in (self.times, self.counts, self.totals, self.lows, self.highs):
            del column[last:]
            del column[:first]
