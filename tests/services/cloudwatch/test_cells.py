"""Cells and statistics against plain Python over all values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.cloudwatch import cell as cells
from cloudlet.services.cloudwatch import statistic
from cloudlet.services.cloudwatch.cell import MOST_VALUES, Cell
from cloudlet.services.cloudwatch.columns import Columns

VALUES = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=60)
PERCENTS = st.floats(0, 100).map(lambda share: round(share, 2))


def cell_of(values: list[float]) -> Cell:
    cell = cells.of_value(values[0])
    for value in values[1:]:
        cells.add(cell, cells.of_value(value))
    return cell


def of(name: str, *of_cells: Cell) -> float | None:
    columns = Columns()
    for time, cell in enumerate(of_cells):
        columns.add(time, cell)
    return statistic.parse(name).of(columns, 0, len(of_cells))


@given(VALUES, VALUES, PERCENTS)
def test_a_percentile_is_the_value_of_its_rank(one: list[float], other: list[float], share: float) -> None:
    ordered = sorted(one + other)
    rank = max(1, math.ceil(round(len(ordered) * share / 100, 9)))
    found = of(f"p{share:.2f}", cell_of(one), cell_of(other))
    assert found == ordered[rank - 1]


@given(VALUES, PERCENTS, PERCENTS)
def test_trimmed_statistics_are_of_the_ranks_between(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    if low == high:
        return
    ordered, count = sorted(values), len(values)
    kept = ordered[math.floor(round(count * low / 100, 9)) : math.ceil(round(count * high / 100, 9))]
    bounds = f"({low:.2f}%:{high:.2f}%)"
    cell = cell_of(values)
    assert of(f"TC{bounds}", cell) == pytest.approx(len(kept))
    assert of(f"TS{bounds}", cell) == pytest.approx(math.fsum(kept))
    assert of(f"TM{bounds}", cell) == (pytest.approx(math.fsum(kept) / len(kept)) if kept else None)


@given(VALUES, st.integers(0, 1000), st.integers(1, 1000))
def test_bounds_by_value_leave_out_the_lower_one(values: list[float], low: int, width: int) -> None:
    kept = [value for value in values if low < value <= low + width]
    cell = cell_of(values)
    assert of(f"TC({low}:{low + width})", cell) == len(kept)
    assert of(f"PR({low}:{low + width})", cell) == pytest.approx(100 * len(kept) / len(values))
    winsorized = [min(max(value, low), low + width) for value in values]
    assert of(f"WM({low}:{low + width})", cell) == pytest.approx(math.fsum(winsorized) / len(values))


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_plain_statistics(groups: list[list[float]]) -> None:
    every = [value for group in groups for value in group]
    of_cells = [cell_of(group) for group in groups]
    assert of("SampleCount", *of_cells) == len(every)
    assert of("Sum", *of_cells) == pytest.approx(math.fsum(every))
    assert of("Average", *of_cells) == pytest.approx(math.fsum(every) / len(every))
    assert (of("Minimum", *of_cells), of("Maximum", *of_cells)) == (min(every), max(every))


def test_a_cell_does_not_grow_without_bound_and_stays_close() -> None:
    values = [1.001**number for number in range(10_000)]
    cell = cell_of(values)
    assert len(cells.distribution(cell)[0]) <= MOST_VALUES
    assert sum(cells.distribution(cell)[1]) == cell.count == len(values)
    for share in (1, 25, 50, 90, 99, 99.9):
        exact = values[math.ceil(len(values) * share / 100) - 1]
        assert of(f"p{share}", cell) == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize(
    "add", [lambda cell, other: cells.add(cell, other), lambda cell, other: cells.add(other, cell)]
)
def test_who_adds_what_is_not_known_knows_nothing(add: Any) -> None:
    known, summed = cell_of([1, 2, 3]), Cell(2, 5, 1, 4)
    add(known, summed)
    assert not (known if known.count == 5 else summed).is_known
