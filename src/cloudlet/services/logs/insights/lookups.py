"""Lookup tables, as queries look things up in them. User guide, "lookup", "cidrlookup".

Of rows with the same keys the first one counts; of subnets within each other, the smallest one that an address is in.
"""

from __future__ import annotations

import csv
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from cloudlet.services.logs.insights.problems import Unanswerable
from cloudlet.services.logs.insights.sql import once
from cloudlet.services.logs.insights.syntax import Lookup, Span

ADDRESS_DIGITS = {4: 8, 6: 32}
_ADDRESS = (
    f"CASE WHEN insights_ip4({{0}}) IS NOT NULL THEN '4' || format('{{{{:0{ADDRESS_DIGITS[4]}x}}}}', "
    "insights_ip4({0})) ELSE '6' || insights_ip6({0}) END"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command wants of a lookup table, and the engine's table that has it, all of it texts."""

    table: str
    name: str
    """Of the lookup table."""
    keys: tuple[str, ...]
    """Columns of the lookup table."""
    outputs: tuple[str, ...]
    is_of_subnets: bool
    span: Span

    @classmethod
    def by(cls, command: Lookup, number: int) -> Wanted:
        """Return what a command wants, which has a number among those of a query."""
        keys, outputs = (tuple(column for column, _ in pairs) for pairs in (command.keys, command.outputs))
        return cls(f"lookup{number}", command.table, keys, outputs, command.is_of_subnets, command.span)

    @property
    def key_columns(self) -> list[str]:
        """The columns of the engine's table that tell which row is meant: the first and the last of subnets."""
        return [f"{self.table}k{number}" for number in range(2 if self.is_of_subnets else len(self.keys))]

    @property
    def output_columns(self) -> list[str]:
        return [f"{self.table}v{number}" for number in range(len(self.outputs))]

    def condition(self, values: Sequence[str]) -> str:
        """Return SQL for whether a row is meant by texts, which are given as SQL."""
        if self.is_of_subnets:
            first, last = self.key_columns
            return f"{once(_ADDRESS, values[0])} BETWEEN {first} AND {last}"
        return " AND ".join(f"{value} = {key}" for value, key in zip(values, self.key_columns, strict=True))

    def missing(self, header: Sequence[str]) -> list[str]:
        """Return the columns that a lookup table with a header lacks."""
        return [column for column in (*self.keys, *self.outputs) if column not in header]

    def rows(self, text: str) -> list[tuple[str | None, ...]]:
        """Return the rows of the engine's table, from the CSV of the lookup table. Raises Unanswerable."""
        lines = read(text)
        header = next(lines, [])
        if missing := self.missing(header):
            raise Unanswerable(f"the lookup table {self.name} has no column {missing[0]}")
        keys, outputs = ([header.index(column) for column in some] for some in (self.keys, self.outputs))
        found: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}
        for line in lines:
            found.setdefault(_cells(line, keys), _cells(line, outputs))
        if self.is_of_subnets:
            return [(*bounds, *values) for bounds, values in _apart(found)]
        return [(*key, *values) for key, values in found.items() if None not in key]


def read(text: str) -> Iterator[list[str]]:
    """Yield the rows of a CSV, but empty ones; the first one is its header. Raises csv.Error."""
    return (line for line in csv.reader(StringIO(text, newline="")) if line)


def _cells(line: Sequence[str], places: Iterable[int]) -> tuple[str | None, ...]:
    """Return cells of a row, which may be shorter than the header."""
    return tuple(line[place] if place < len(line) else None for place in places)


_Values = tuple[str | None, ...]


def _apart(rows: dict[_Values, _Values]) -> Iterator[tuple[tuple[str, str], _Values]]:
    """Yield ranges of addresses, none within another one, with the values of the smallest subnet that they are of."""
    subnets: dict[tuple[int, int, int], _Values] = {}
    for (text,), values in rows.items():
        try:
            network = ipaddress.ip_network(text or "", strict=False)
        except ValueError:
            continue
        place = network.version, int(network.network_address), -int(network.broadcast_address)
        subnets.setdefault(place, values)
    around: list[tuple[int, int, _Values]] = []
    at = 0
    for (version, first, negative), values in sorted(subnets.items(), key=lambda one: one[0]):
        while around and (around[-1][0] != version or around[-1][1] < first):
            yield from _rest(around, at)
            at = around.pop()[1] + 1
        if around and at < first:
            yield _range(version, at, first - 1), around[-1][2]
        around.append((version, -negative, values))
        at = first
    while around:
        yield from _rest(around, at)
        at = around.pop()[1] + 1


def _rest(around: list[tuple[int, int, _Values]], at: int) -> Iterator[tuple[tuple[str, str], _Values]]:
    """Yield what is left of the innermost subnet from an address on."""
    version, last, values = around[-1]
    if at <= last:
        yield _range(version, at, last), values


def _range(version: int, first: int, last: int) -> tuple[str, str]:
    digits = ADDRESS_DIGITS[version]
    return f"{version}{first:0{digits}x}", f"{version}{last:0{digits}x}"
