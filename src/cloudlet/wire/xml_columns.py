"""Long lists of structures as XML, written column by column: a page of a listing has thousands of values, of few kinds.

To call a function for each of them takes most of the time that a page takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

FEWEST: Final = 8
"""So many rows are worth it."""

_BETWEEN: Final = "|"
"""Stands between texts that are escaped together: nothing that is escaped, and in few of them."""

Cells = Callable[[list[Any]], "Iterable[str] | str"]
"""Returns what stands in the rows for the values of a column: one string, where that is the same. Raises `Unlike`."""


class Unlike(Exception):
    """The rows are not of one form, or not of the one expected, and have to be looked at one by one."""


class Column(NamedTuple):
    """How a member is written: what stands before and behind it in each row, and between them."""

    opening: str
    cells: Cells
    closing: str


def written(rows: Sequence[Any], columns: Mapping[str, Column], opening: str, closing: str) -> str:
    """Return structures, each in an element; their members stand in the order of the first. Raises `Unlike`."""
    if set(map(type, rows)) != {dict}:
        raise Unlike
    names = list(rows[0])
    if not names or set(map(len, rows)) != {len(names)}:
        raise Unlike
    before = opening
    parts: list[Iterable[str]] = []
    for name in names:
        column = columns.get(name)
        if column is None:
            raise Unlike
        try:
            values = [row[name] for row in rows]
        except KeyError:
            raise Unlike from None
        before += column.opening
        cells = column.cells(values)
        if isinstance(cells, str):
            # With what is around it, it is one text.
            before += cells
        else:
            parts += (repeat(before), cells)
            before = ""
        before += column.closing
    parts.append(repeat(before + closing, len(rows)))
    return "".join(chain.from_iterable(zip(*parts, strict=False)))


def strings(escape: Callable[[str], str]) -> Cells:
    """Return the cells of strings."""

    def cells(values: list[Any]) -> Iterable[str] | str:
        if set(map(type, values)) != {str}:
            raise Unlike
        if values.count(values[0]) == len(values):
            return escape(values[0])
        together = _BETWEEN.join(values)
        if together.count(_BETWEEN) >= len(values):
            return map(escape, values)
        return escape(together).split(_BETWEEN)

    return cells


def scalars(text: Callable[[Any], str]) -> Cells:
    """Return the cells of what `text` writes, and what needs no escaping."""

    def cells(values: list[Any]) -> Iterable[str] | str:
        kinds = set(map(type, values))
        if type(None) in kinds:
            raise Unlike
        # Sizes repeat, and times to the second. (Of other types, what is equal is not always written alike.)
        distinct = set(values) if kinds == {int} else set()
        if not 0 < len(distinct) <= len(values) // 2:
            return map(text, values)
        known = {value: text(value) for value in distinct}
        return known[values[0]] if len(known) == 1 else map(known.__getitem__, values)

    return cells


def elements(write: Callable[[Any], str]) -> Cells:
    """Return the cells of structures, lists and maps; what is the same object in several rows is written once."""

    def cells(values: list[Any]) -> Iterable[str] | str:
        by_id = {id(value): value for value in values}
        if id(None) in by_id:
            raise Unlike
        if len(by_id) == 1:
            return write(values[0])
        if len(by_id) == len(values):
            return map(write, values)
        known = {each: write(value) for each, value in by_id.items()}
        return [known[id(value)] for value in values]

    return cells
