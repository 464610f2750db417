"""The statement of a query: read as Trino's SQL, checked, and written as DuckDB's.

User guide, "CloudTrail Lake SQL constraints": one SELECT, over event data stores, which FROM names by their ids. Tables
are nothing but these and what WITH defines; functions are those that sqlglot knows of Trino. What a table function or a
statement of another kind could do is thereby refused here, and once more by DuckDB (`execution`).
"""

from __future__ import annotations

import re
from time import gmtime, strftime
from typing import TYPE_CHECKING, NamedTuple

from cloudlet.core import AwsError
from cloudlet.services.cloudtrail.lake import dialect, time_range, unnesting
from cloudlet.services.cloudtrail.lake.columns import CHECKSUM_COLUMN, COLUMNS, JSON_COLUMN
from cloudlet.services.cloudtrail.lake.time_range import TimeRange

if TYPE_CHECKING:
    from sqlglot import exp

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_PIECES = re.compile(rf"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|(?<![\w-])({_UUID})(?![\w-])""", re.DOTALL)
"""What may have an id in it without being one, and ids."""
_IS_ID = re.compile(_UUID)


class Statement(NamedTuple):
    """A statement that may be executed."""

    sql: str
    """As DuckDB reads it; each store is a table of the name of its id."""
    stores: list[str]
    """The ids of the event data stores that it is about."""
    columns: list[str]
    """The columns of stores that it may need."""
    times: TimeRange
    """Of the events that it looks at."""


def invalid(why: str) -> AwsError:
    """The answer to a statement that cannot be executed."""
    return AwsError("InvalidQueryStatementException", f"The query statement is not valid: {why}", status=400)


def parse(text: str, now: float) -> Statement:
    """Return what a statement means at a moment, in seconds since the epoch. Raises AwsError."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    quoted = _PIECES.sub(lambda piece: f'"{piece[1].lower()}"' if piece[1] else piece[0], text)
    try:
        parsed = sqlglot.parse(quoted, read="trino")
        if len(parsed) != 1 or parsed[0] is None:
            raise invalid("it must be one statement.")
        _check_kind(parsed[0])
        stores = _stores(parsed[0])
        columns = _columns(parsed[0])
        fixed = _at(_with_names(parsed[0]), now)
        times = time_range.of(fixed)
        sql = dialect.adapted(unnesting.adapted(fixed)).sql("duckdb")
    except SqlglotError as error:
        raise invalid(str(error).partition("\n")[0]) from None
    except RecursionError:
        raise invalid("it is nested too deeply.") from None
    return Statement(sql, stores, columns, times)


def _check_kind(parsed: exp.Expr) -> None:
    """Raise AwsError for what is not a SELECT, or has something in it that a SELECT has not."""
    from sqlglot import exp

    if not isinstance(parsed, exp.Select | exp.SetOperation | exp.Subquery):
        raise invalid("only SELECT statements are allowed.")
    for node in parsed.walk():
        if isinstance(node, exp.DDL | exp.DML | exp.Command | exp.Into | exp.Set):
            raise invalid("only SELECT statements are allowed.")
        if isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
            raise invalid("it has a parameter.")
        if name := dialect.unknown(node):
            raise invalid(f"Cloudlet does not have the function {name}.")


def _stores(parsed: exp.Expr) -> list[str]:
    """Return the ids of the stores that it is about. Raises AwsError for other tables, and where there is none."""
    from sqlglot import exp

    defined = {each.alias.lower() for each in parsed.find_all(exp.CTE)}
    found: dict[str, None] = {}
    for table in parsed.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or table.db or table.catalog:
            raise invalid("FROM takes the ids of event data stores.")
        if _IS_ID.fullmatch(table.name):
            found[table.name] = None
        elif table.name.lower() not in defined:
            raise invalid(f"{table.name} is not the id of an event data store.")
    if not found:
        raise invalid("FROM must have the id of an event data store.")
    return list(found)


def _columns(parsed: exp.Expr) -> list[str]:
    """Return the columns that it may need: rows are made of these alone."""
    from sqlglot import exp

    everything = [*COLUMNS, JSON_COLUMN, CHECKSUM_COLUMN]
    if any(not isinstance(star.parent, exp.Count) for star in parsed.find_all(exp.Star)):
        return everything
    named = {identifier.name.lower() for identifier in parsed.find_all(exp.Identifier)}
    return [name for name in everything if name.lower() in named]


def _with_names(parsed: exp.Expr) -> exp.Expr:
    """Return a statement whose columns have the names that Trino gives them: of fields, or else of their places."""
    from sqlglot import exp

    first = parsed
    while not isinstance(first, exp.Select):
        first = first.this
    first.set("expressions", [_named(each, place) for place, each in enumerate(first.expressions)])
    return parsed


def _named(value: exp.Expr, place: int) -> exp.Expr:
    from sqlglot import exp

    inner = value.unnest()
    if value.is_star or isinstance(inner, exp.Alias | exp.Column):
        return value
    named: exp.Expr = exp.alias_(value, inner.name if isinstance(inner, exp.Dot) else f"_col{place}")
    return named


def _at(parsed: exp.Expr, now: float) -> exp.Expr:
    """Return a statement in which it is some time: that of the cloud's clock."""
    from sqlglot import exp

    moment, day = strftime("%Y-%m-%d %H:%M:%S", gmtime(now)), strftime("%Y-%m-%d", gmtime(now))

    def fixed(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.CurrentTimestamp | exp.Localtimestamp | exp.CurrentDatetime):
            return exp.cast(exp.Literal.string(moment), "timestamp")
        if isinstance(node, exp.CurrentDate):
            return exp.cast(exp.Literal.string(day), "date")
        return node

    return parsed.transform(fixed)
