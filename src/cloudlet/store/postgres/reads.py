"""What transactions want to read from the database: collected, and asked for in one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from cloudlet.store.interface import Row

Stretch = tuple[list[Row], bytes]
"""Rows, and the key up to which (or, in reverse, from which on) these are all."""


class Scan:
    """A range that is read: at least `few` rows, if there are that many, and `ahead` more if they are small."""

    __slots__ = ("ahead", "begin", "end", "few", "found", "future", "reverse")

    def __init__(self, begin: bytes, end: bytes, few: int, ahead: int, reverse: bool) -> None:
        self.begin = begin
        self.end = end
        self.few = few
        self.ahead = ahead
        self.reverse = reverse
        self.found: list[tuple[bytes, bytes | None]] = []
        self.future: asyncio.Future[Stretch] = asyncio.get_running_loop().create_future()

    def result(self) -> Stretch:
        """Return what was found."""
        if self.reverse:
            rows = [(key, value) for key, value in self.found if value is not None]
            return rows, rows[-1][0] if len(rows) == self.few else self.begin
        rows = []
        for key, value in self.found:
            if value is None:
                # The row behind what was asked for, or one too large to be read ahead.
                return rows, key
            rows.append((key, value))
        return rows, self.end


class ReadBatch:
    """Each key and range with the futures that wait for it."""

    __slots__ = ("_backward", "_forward", "_keys", "_values")

    def __init__(self) -> None:
        self._keys: dict[bytes, list[asyncio.Future[bytes | None]]] = {}
        self._values: dict[bytes, bytes] = {}
        self._forward: list[Scan] = []
        self._backward: list[Scan] = []

    def __bool__(self) -> bool:
        return bool(self._keys or self._forward or self._backward)

    def key(self, key: bytes) -> asyncio.Future[bytes | None]:
        """Ask for a key."""
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._keys.setdefault(key, []).append(future)
        return future

    def scan(self, scan: Scan) -> asyncio.Future[Stretch]:
        """Ask for a range."""
        (self._backward if scan.reverse else self._forward).append(scan)
        return scan.future

    def arguments(self) -> tuple[list[Any], ...]:
        """Return the arguments of the statement that reads it all; `found` gets what that returns."""
        forward, backward = self._forward, self._backward
        self._values.clear()
        for scan in forward + backward:
            scan.found.clear()
        return (
            list(self._keys),
            [scan.begin for scan in forward],
            [scan.end for scan in forward],
            [scan.few for scan in forward],
            [scan.ahead for scan in forward],
            [scan.begin for scan in backward],
            [scan.end for scan in backward],
            [scan.few for scan in backward],
        )

    def found(self, asked: int, key: bytes, value: bytes | None) -> None:
        """Take a row of the statement's result."""
        if asked == 1:
            if value is not None:
                self._values[key] = value
        elif asked > 1:
            self._forward[asked - 2].found.append((key, value))
        else:
            self._backward[-asked - 1].found.append((key, value))

    def deliver(self, row: Callable[[bytes, bytes | None], bytes | None], scanned: Callable[[Scan], Stretch]) -> None:
        """Give everybody what `row` and `scanned` make of what was found."""
        for key, futures in self._keys.items():
            value = row(key, self._values.get(key))
            for future in futures:
                if not future.done():
                    future.set_result(value)
        for scan in self._forward + self._backward:
            stretch = scanned(scan)
            if not scan.future.done():
                scan.future.set_result(stretch)

    def absorb(self, others: ReadBatch) -> None:
        """Ask for what others asked for and did not get."""
        for key, futures in others._keys.items():
            self._keys.setdefault(key, []).extend(futures)
        self._forward += others._forward
        self._backward += others._backward

    def fail(self, error: Exception) -> None:
        """Give everybody an error."""
        futures: list[asyncio.Future[Any]] = [future for waiting in self._keys.values() for future in waiting]
        for future in futures + [scan.future for scan in self._forward + self._backward]:
            if not future.done():
                future.set_exception(error)
                # Nobody may wait any more; that is no reason for the event loop to complain.
                future.exception()
