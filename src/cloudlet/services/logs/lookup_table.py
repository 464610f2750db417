"""Lookup tables and their content, which is CSV. API reference, "CreateLookupTable".

The content is stored in pieces, so that no row of the store is large.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Final, NamedTuple

from cloudlet.core import Arn, AwsError, Context, Subspace, Transaction
from cloudlet.core.aws import listing, utf8
from cloudlet.services.logs import errors, lookup_table_record
from cloudlet.services.logs.insights import lookups
from cloudlet.services.logs.lookup_table_record import LookupTable

MOST: Final = 100
"""Of an account in a region. User guide, "lookup"."""
PREFIX: Final = "lookup-table:"
_MOST_BYTES: Final = 10 * 1024 * 1024
_PIECE_BYTES: Final = 128 * 1024
_AT_ONCE: Final = 8
_TABLES, _PIECES = Subspace("lookup-table"), Subspace("lookup-table-piece")


class Content(NamedTuple):
    """The content of a table."""

    text: str
    fields: list[str]
    records: int
    size: int
    """In bytes."""


def missing() -> AwsError:
    """Return the error of a table that is not there."""
    return AwsError("ResourceNotFoundException", "The specified lookup table does not exist.")


def content(text: str) -> Content:
    """Return what a CSV has. Raises AwsError for what makes no table."""
    size = utf8.size(text)
    if size > _MOST_BYTES:
        raise errors.invalid(f"The content of a lookup table has {_MOST_BYTES} bytes at most.")
    try:
        rows = lookups.read(text)
        fields = next(rows, [])
        if not all(fields) or len(set(fields)) != len(fields) or not fields:
            raise errors.invalid("The first row of a lookup table has the names of its columns, each once.")
        count = 0
        for count, row in enumerate(rows, 1):
            if len(row) > len(fields):
                raise errors.invalid(f"Row {count} of the lookup table has more fields than its first one.")
    except csv.Error as problem:
        raise errors.invalid(f"The lookup table is not valid CSV: {problem}.") from None
    return Content(text, fields, count, size)


def written(names: Sequence[str], records: Iterable[Sequence[str | None]]) -> str:
    """Return records as CSV, whose columns have names."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(records)
    return text.getvalue()


async def find(tx: Transaction, account: str, region: str, name: str) -> LookupTable | None:
    """Return a table."""
    raw = await tx.get(_TABLES.key(account, region, name))
    return None if raw is None else lookup_table_record.decode(raw)


async def of_arn(ctx: Context, tx: Transaction, text: str) -> LookupTable:
    """Return the table of the caller's that an ARN names. Raises AwsError."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.invalid(f"The ARN {text} is invalid.") from None
    if arn.service != "logs" or not arn.resource.startswith(PREFIX):
        raise errors.invalid(f"The ARN {text} is none of a lookup table.")
    found = None
    if (arn.account, arn.region) == (ctx.account, ctx.region):
        found = await find(tx, ctx.account, ctx.region, arn.resource.removeprefix(PREFIX))
    if found is None:
        raise missing()
    return found


async def count(ctx: Context, tx: Transaction) -> int:
    """Return how many tables an account has."""
    space = _TABLES.sub(ctx.account, ctx.region)
    return len(await tx.range(space.begin, space.end, limit=MOST))


async def page(
    ctx: Context, tx: Transaction, prefix: str, token: str | None, most: int
) -> tuple[list[LookupTable], str | None]:
    """Return tables in the order of their names: those with a prefix, and the next page's token. Raises AwsError."""

    def selected(raw: bytes) -> LookupTable | None:
        table = lookup_table_record.decode(raw)
        return table if table.name.startswith(prefix) else None

    return await listing.list_page(
        tx, _TABLES.sub(ctx.account, ctx.region), token, most, selected, errors.invalid_token()
    )


def save(tx: Transaction, table: LookupTable) -> None:
    """Store a table, but not its content."""
    tx.put(_TABLES.key(table.account, table.region, table.name), lookup_table_record.encode(table))


def put(tx: Transaction, table: LookupTable, given: Content, now: int) -> None:
    """Store a table with another content."""
    table.fields, table.records, table.size, table.updated = given.fields, given.records, given.size, now
    save(tx, table)
    space = _pieces(table)
    tx.delete_range(space.begin, space.end)
    raw = given.text.encode()
    for number, begin in enumerate(range(0, len(raw), _PIECE_BYTES)):
        tx.put(space.key(number), raw[begin : begin + _PIECE_BYTES])


def remove(tx: Transaction, table: LookupTable) -> None:
    tx.delete(_TABLES.key(table.account, table.region, table.name))
    space = _pieces(table)
    tx.delete_range(space.begin, space.end)


async def text_of(tx: Transaction, table: LookupTable) -> str:
    """Return the content of a table."""
    space = _pieces(table)
    pieces: list[bytes] = []
    while rows := await tx.range(space.key(len(pieces)), space.end, limit=_AT_ONCE):
        pieces += [raw for _, raw in rows]
    return b"".join(pieces).decode()


def _pieces(table: LookupTable) -> Subspace:
    return _PIECES.sub(table.account, table.region, table.name)
