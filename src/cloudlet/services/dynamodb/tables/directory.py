"""Finding tables: by name, by ARN, by number."""

from __future__ import annotations

import re
from typing import Final

from cloudlet.core import Arn, Context, Subspace, Transaction
from cloudlet.services.dynamodb import access, errors
from cloudlet.services.dynamodb.tables.table import Table, decode
from cloudlet.services.dynamodb.tables.table_record import CREATING, TableRecord, encode
from cloudlet.store import pack

_TABLES: Final = Subspace("table")
_BY_ID: Final = Subspace("table-by-id")
_COUNTS: Final = Subspace("table-count")
_IDS: Final = pack(("ids",))
_CACHED_KEYS: Final = 4096

_PATTERN: Final = "[a-zA-Z0-9_.-]+"
_NAME: Final = re.compile(_PATTERN)
_SHORTEST: Final = 3
_LONGEST: Final = 255

_keys: Final[dict[tuple[str, str, str], bytes]] = {}


def check_name(name: str, member: str = "tableName") -> None:
    """Raise unless a table (or, as `member` says, an index) may have this name."""
    if len(name) < _SHORTEST:
        wanted = f"have length greater than or equal to {_SHORTEST}"
    elif len(name) > _LONGEST:
        wanted = f"have length less than or equal to {_LONGEST}"
    elif not _NAME.fullmatch(name):
        wanted = f"satisfy regular expression pattern: {_PATTERN}"
    else:
        return
    raise errors.validation(
        f"1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must {wanted}"
    )


def address(ctx: Context, name: str) -> tuple[str, str, str]:
    """Return account, region and name of a table that is named or given by its ARN. Raises AwsError."""
    if not name.startswith("arn:"):
        check_name(name)
        return ctx.account, ctx.region, name
    try:
        arn = Arn.parse(name)
    except ValueError:
        raise errors.validation(f"Invalid table ARN: {name}") from None
    kind, _, table = arn.resource.partition("/")
    if arn.service != "dynamodb" or kind != "table" or "/" in table:
        raise errors.validation(f"Invalid table ARN: {name}")
    check_name(table)
    if arn.region != ctx.region:
        raise errors.validation(f"Table ARN of another region: {name}")
    return arn.account, arn.region, table


def name_of(ctx: Context, name: str) -> str:
    """Return the name of a table that is named or given by its ARN. Raises AwsError for what is neither."""
    return address(ctx, name)[2]


def _key(ctx: Context, name: str) -> bytes:
    known = (ctx.account, ctx.region, name)
    key = _keys.get(known)
    if key is None:
        key = _TABLES.key(*address(ctx, name))
        if len(_keys) >= _CACHED_KEYS:
            del _keys[next(iter(_keys))]
        _keys[known] = key
    return key


async def find(ctx: Context, tx: Transaction, name: str) -> Table | None:
    """Return a table by its name or ARN, or None. Raises AwsError for what is neither."""
    raw = await tx.get(_key(ctx, name))
    return None if raw is None else decode(raw)


async def by_name(ctx: Context, tx: Transaction, name: str, action: str) -> Table:
    """Return a table by its name or ARN, for an action of IAM on it.

    Raises ResourceNotFoundException as the operations on tables do, to those who may do this.
    """
    table = await find(ctx, tx, name)
    if table is None:
        access.authorize_missing(ctx, action, *address(ctx, name))
        raise errors.no_such_table_named(name)
    return table


async def for_items(ctx: Context, tx: Transaction, name: str, action: str) -> Table:
    """Return a table by its name or ARN, for an action of IAM on it.

    Raises ResourceNotFoundException as the operations on items do, to those who may do this.
    """
    raw = await tx.get(_keys.get((ctx.account, ctx.region, name)) or _key(ctx, name))
    if raw is not None:
        table = decode(raw)
        if table.record.status != CREATING:
            return table
    access.authorize_missing(ctx, action, *address(ctx, name))
    raise errors.no_such_table()


async def by_id(tx: Transaction, id: int) -> Table | None:
    """Return a table by its number, or None."""
    key = await tx.get(_BY_ID.key(id))
    raw = None if key is None else await tx.get(key)
    return None if raw is None else decode(raw)


async def by_arn(tx: Transaction, arn: Arn) -> Table | None:
    """Return the table of a parsed ARN `…:table/<name>…` whatever follows it, or None."""
    return await find_at(tx, arn.account, arn.region, arn.resource.split("/")[1])


async def find_at(tx: Transaction, account: str, region: str, name: str) -> Table | None:
    """Return the table of an account in a region, or None."""
    raw = await tx.get(_TABLES.key(account, region, name))
    return None if raw is None else decode(raw)


async def next_id(tx: Transaction) -> int:
    """Return a number that no table has or had."""
    tx.add(_IDS, 1)
    return await tx.counter(_IDS)


def store(tx: Transaction, record: TableRecord) -> Table:
    """Write a table's record."""
    raw = encode(record)
    key = _TABLES.key(record.account, record.region, record.name)
    tx.put(key, raw)
    tx.put(_BY_ID.key(record.id), key)
    return decode(raw)


def remove(tx: Transaction, table: Table) -> None:
    """Delete a table's record and all that lies below it."""
    record = table.record
    tx.delete(_TABLES.key(record.account, record.region, record.name))
    tx.delete(_BY_ID.key(record.id))
    tx.delete_range(table.all.begin, table.all.end)
    tx.add(_count(record.account, record.region), -1)


async def listed(
    tx: Transaction, account: str, region: str, after: str | None, count: int
) -> tuple[list[str], str | None]:
    """Return up to `count` names of tables behind `after`, and the last of them where there are more."""
    space = _TABLES.sub(account, region)
    begin = space.begin if after is None else space.key(after) + b"\x00"
    rows = await tx.range(begin, space.end, limit=count + 1)
    names = [space.unpack(key)[0] for key, _ in rows[:count]]
    return names, names[-1] if len(rows) > count else None


async def page(tx: Transaction, after: bytes, count: int) -> tuple[list[Table], bytes]:
    """Return up to `count` tables of all accounts behind a key, and the last key where there may be more: for jobs."""
    rows = await tx.range(after + b"\x00" if after else _TABLES.begin, _TABLES.end, limit=count)
    return [decode(raw) for _, raw in rows], rows[-1][0] if len(rows) == count else b""


def _count(account: str, region: str) -> bytes:
    return _COUNTS.key(account, region)


async def count(tx: Transaction, account: str, region: str) -> int:
    """Return how many tables an account has in a region."""
    return await tx.counter(_count(account, region))


def add(tx: Transaction, record: TableRecord) -> Table:
    """Write the record of a new table."""
    tx.add(_count(record.account, record.region), 1)
    return store(tx, record)
