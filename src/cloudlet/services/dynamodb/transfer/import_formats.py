"""What imported objects are made of: gzip or not, lines of DynamoDB JSON or Ion, or records of CSV.

Developer Guide, "Amazon S3 import formats for DynamoDB".
"""

from __future__ import annotations

import csv
import itertools
import json
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from cloudlet.services.dynamodb.item_data import ion
from cloudlet.services.dynamodb.item_data.item_json import AttributeValue
from cloudlet.services.dynamodb.item_data.values import Item

PIECE = 256 << 10
"""So much is read before others have their turn, however small it was when it was compressed."""
LONGEST_RECORD = 8 << 20
"""No record of an item of 400 KB is longer."""
# The csv module's own limit is smaller than an item.
csv.field_size_limit(LONGEST_RECORD)


class Malformed(Exception):
    """An object, or a record in it, cannot be read."""


class Reader(Protocol):
    """Turns the bytes of one object into items; a record that is none gives None."""

    def feed(self, piece: bytes) -> Iterator[Item | None]:
        """Return the items that are complete with more bytes. Raises Malformed."""

    def end(self) -> Iterator[Item | None]:
        """Return what is left at the end of the object."""


class Unpacked:
    """Undoes the compression of an object. Raises Malformed."""

    def __init__(self, compression: str) -> None:
        self._gzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if compression == "GZIP" else None
        self._is_whole = True

    def pieces(self, data: bytes, most: int = PIECE) -> Iterator[bytes]:
        """Return what more bytes unpack to, in pieces of no more than `most`."""
        if self._gzip is None:
            for begin in range(0, len(data), most):
                yield data[begin : begin + most]
            return
        while data:
            try:
                yield self._gzip.decompress(data, most)
            except zlib.error as error:
                raise Malformed(f"an object is not in gzip format: {error}") from None
            data = self._gzip.unconsumed_tail
            self._is_whole = self._gzip.eof
            if self._gzip.eof:
                # Several gzip members may follow each other.
                data = self._gzip.unused_data
                self._gzip = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def end(self) -> None:
        """Raise Malformed where the object ends before what is compressed in it does."""
        if not self._is_whole:
            raise Malformed("an object in gzip format ends too early")


class _Lines:
    """Splits bytes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > LONGEST_RECORD:
            raise Malformed("a record is longer than any item")
        return lines

    def end(self) -> list[bytes]:
        rest, self._rest = self._rest, b""
        return [rest] if rest.strip() else []


class _Line(msgspec.Struct):
    Item: dict[str, AttributeValue]


_decode_line = msgspec.json.Decoder(_Line).decode
_scan = json.JSONDecoder().raw_decode
_NOT_SPACE = re.compile(r"\S")


class LineReader:
    """Items in lines, in DynamoDB JSON, {"Item": {…}}, or in Ion. What follows a line that has no item is skipped."""

    def __init__(self, items_of: Callable[[bytes], Iterator[Item]]) -> None:
        """`items_of` returns the items of a line. Raises ValueError where anything else comes."""
        self._items_of = items_of
        self._lines = _Lines()
        self._is_over = False

    def feed(self, piece: bytes) -> Iterator[Item | None]:
        return itertools.chain.from_iterable(map(self._items, self._lines.feed(piece)))

    def end(self) -> Iterator[Item | None]:
        return itertools.chain.from_iterable(map(self._items, self._lines.end()))

    def _items(self, line: bytes) -> Iterator[Item | None]:
        if self._is_over or not line.strip():
            return
        try:
            yield from self._items_of(line)
        except (ValueError, OverflowError, RecursionError):
            self._is_over = True
            yield None


def items_of_json(line: bytes) -> Iterator[Item]:
    """Return the items of a line of DynamoDB JSON, which may have several. Raises ValueError for anything else."""
    found: Iterable[Any]
    try:
        found = [_decode_line(line)]
    except msgspec.MsgspecError:
        found = map(_decode_line, _values(line))
    for each in found:
        yield each.Item


def _values(line: bytes) -> Iterator[str]:
    """Return the JSON values that follow each other in a line. Raises ValueError."""
    text, at = line.decode(), 0
    while match := _NOT_SPACE.search(text, at):
        begin = match.start()
        _, at = _scan(text, begin)
        yield text[begin:at]


def items_of_ion(line: bytes) -> Iterator[Item]:
    """Return the item of a line of Ion. Raises ValueError for anything else."""
    yield ion.item(line)


class CsvReader:
    """Records of CSV. Attributes of keys have the types that are defined for them, all others are strings."""

    def __init__(self, types: Mapping[str, str], header: Sequence[str] | None, delimiter: str) -> None:
        self._types = types
        self._header = header
        self._delimiter = delimiter
        self._lines = _Lines()
        self._open: list[bytes] = []
        """The lines of a record that goes on: a line break is within quotes."""
        self._open_bytes = 0

    def feed(self, piece: bytes) -> Iterator[Item | None]:
        for line in self._lines.feed(piece):
            yield from self._line(line)

    def end(self) -> Iterator[Item | None]:
        for line in self._lines.end():
            yield from self._line(line)
        if self._open:
            self._open.clear()
            yield None

    def _line(self, line: bytes) -> Iterator[Item | None]:
        is_within_quotes = bool(self._open) != bool(line.count(b'"') % 2)
        self._open.append(line)
        self._open_bytes += len(line) + 1
        if self._open_bytes > LONGEST_RECORD:
            raise Malformed("a record is longer than any item")
        if is_within_quotes:
            return
        record = b"\n".join(self._open)
        self._open.clear()
        self._open_bytes = 0
        if record.strip():
            yield from self._record(record)

    def _record(self, record: bytes) -> Iterator[Item | None]:
        try:
            fields = next(csv.reader([record.removesuffix(b"\r").decode()], delimiter=self._delimiter))
        except (UnicodeDecodeError, csv.Error):
            yield None
            return
        if self._header is None:
            self._header = fields
        elif len(fields) > len(self._header):
            yield None
        else:
            yield self._item(self._header, fields)

    def _item(self, header: Sequence[str], fields: Sequence[str]) -> Item | None:
        item: Item = {}
        for name, field in zip(header, fields, strict=False):
            kind = self._types.get(name, "S")
            try:
                item[name] = {kind: b64decode(field, validate=True) if kind == "B" else field}
            except ValueError:
                return None
        return item
