"""The grammar of statements: SELECT, INSERT, UPDATE, DELETE, and EXISTS in transactions.

Developer Guide, "PartiQL statements for DynamoDB".
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions import Update
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem
from cloudlet.services.dynamodb.expressions.set_values import Appended, Computed, Copied, Given, NewValue
from cloudlet.services.dynamodb.expressions.updates import Action, Add, Remove, Set, Subtract
from cloudlet.services.dynamodb.item_data.values import SETS, Path, Value, checked_item, type_of
from cloudlet.services.dynamodb.partiql.conditions import unsupported_function, where
from cloudlet.services.dynamodb.partiql.lexer import malformed
from cloudlet.services.dynamodb.partiql.reader import Reader, leftover
from cloudlet.services.dynamodb.partiql.statements import (
    Change,
    Check,
    Columns,
    Delete,
    Insert,
    Returning,
    Select,
    Statement,
)

_RETURNING: dict[tuple[str, str], Returning] = {
    ("ALL", "OLD"): "ALL_OLD",
    ("ALL", "NEW"): "ALL_NEW",
    ("MODIFIED", "OLD"): "UPDATED_OLD",
    ("MODIFIED", "NEW"): "UPDATED_NEW",
}


def parse(text: str, parameters: Sequence[Value]) -> Statement:
    """Return a statement with its parameters filled in. Raises AwsError."""
    reader = Reader(text, parameters)
    statement = _statement(reader)
    reader.finish()
    return statement


def _statement(reader: Reader) -> Statement:
    if reader.accept("SELECT"):
        return _select(reader)
    if reader.accept("INSERT", "INTO"):
        return _insert(reader)
    if reader.accept("UPDATE"):
        return _update(reader)
    if reader.accept("DELETE", "FROM"):
        return _delete(reader)
    if reader.accept("EXISTS", "("):
        reader.expect("SELECT")
        selected = _select(reader)
        reader.expect(")")
        if selected.where is None or selected.index is not None or selected.order:
            raise malformed("EXISTS needs a SELECT of one item of a table")
        return Check(selected.table, selected.where)
    raise _no_statement()


def _no_statement() -> AwsError:
    return malformed("Expected data manipulation")


def _select(reader: Reader) -> Select:
    columns = None if reader.accept("*") else _columns(reader)
    reader.expect("FROM")
    table = reader.name()
    index = reader.name() if reader.accept(".") else None
    reader.refuse_alias()
    condition = where(reader) if reader.accept("WHERE") else None
    order: list[tuple[str, bool]] = []
    if reader.accept("ORDER", "BY"):
        order.append(_order(reader))
        while reader.accept(","):
            order.append(_order(reader))
    return Select(table, index, columns, condition, order)


def _columns(reader: Reader) -> Columns:
    paths = [reader.path()]
    while reader.accept(","):
        paths.append(reader.path())
    nameless = [path for path in paths if not isinstance(path[-1], str)]
    if len(set(nameless)) < len(nameless):
        # Each would be shown by a number of its own: one statement could ask for a large item a thousand times.
        raise validation("SELECT names one member of a list several times")
    return Columns(paths)


def _order(reader: Reader) -> tuple[str, bool]:
    name = reader.name()
    downwards = reader.accept("DESC")
    if not downwards:
        reader.accept("ASC")
    return name, downwards


def _insert(reader: Reader) -> Insert:
    table = reader.name()
    if reader.token.kind in ("word", "name") and not reader.follows("VALUE") and not reader.follows("VALUES"):
        raise leftover()
    reader.expect("VALUE")
    value = reader.value()
    if "M" not in value:
        raise validation("The value of INSERT must be a map of attributes")
    return Insert(table, checked_item(value["M"]))


def _update(reader: Reader) -> Change:
    table = reader.name()
    reader.refuse_alias()
    actions: list[Action] = []
    while reader.follows("SET") or reader.follows("REMOVE"):
        removes = reader.take().keyword == "REMOVE"
        actions.append(_remove(reader) if removes else _set(reader))
        while reader.accept(","):
            actions.append(_remove(reader) if removes else _set(reader))
    if not actions:
        raise _no_statement()
    reader.expect("WHERE")
    condition = where(reader)
    try:
        update = Update(actions)
    except ExpressionProblem as problem:
        raise validation(str(problem)) from None
    return Change(table, update, condition, _returning(reader))


def _delete(reader: Reader) -> Delete:
    table = reader.name()
    reader.refuse_alias()
    reader.expect("WHERE")
    condition = where(reader)
    returning = _returning(reader)
    if returning not in (None, "ALL_OLD"):
        raise validation("DELETE can return ALL OLD * only")
    return Delete(table, condition, returning)


def _returning(reader: Reader) -> Returning | None:
    if not reader.accept("RETURNING"):
        return None
    for words, returning in _RETURNING.items():
        if reader.accept(*words):
            reader.expect("*")
            return returning
    raise reader.unexpected()


# -- the actions of UPDATE


def _remove(reader: Reader) -> Action:
    return Remove(reader.path())


def _set(reader: Reader) -> Action:
    path = reader.path()
    reader.expect("=")
    for function in ("SET_ADD", "SET_DELETE"):
        if reader.accept(function, "("):
            return _change_of_set(reader, function, path)
    value = _operand(reader)
    for operator in ("+", "-"):
        if reader.accept(operator):
            return Set(path, Computed(operator, value, _operand(reader)))
    return Set(path, value)


def _operand(reader: Reader) -> NewValue:
    if reader.at_value():
        return Given(reader.value())
    if reader.accept("LIST_APPEND", "("):
        first = _operand(reader)
        reader.expect(",")
        second = _operand(reader)
        reader.expect(")")
        return Appended(first, second)
    if reader.token.kind == "word" and reader.follows(reader.token.keyword, "("):
        raise unsupported_function(reader.token.text)
    return Copied(reader.path())


def _change_of_set(reader: Reader, function: str, path: Path) -> Action:
    changed = reader.path()
    reader.expect(",")
    value = reader.value()
    reader.expect(")")
    if changed != path:
        raise validation(f"{function} must be about the attribute that is set")
    if type_of(value) not in SETS:
        raise validation(f"{function} needs a set")
    return Add(path, value) if function == "SET_ADD" else Subtract(path, value)
