"""INSERT, UPDATE, DELETE and EXISTS: actions on one item each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cloudlet.core import AwsError
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.services.dynamodb.expressions import Condition
from cloudlet.services.dynamodb.expressions.operands import Attribute
from cloudlet.services.dynamodb.expressions.predicates import All, AnyOf, Exists, Negation
from cloudlet.services.dynamodb.item_data.values import Item
from cloudlet.services.dynamodb.partiql import plans
from cloudlet.services.dynamodb.partiql.statements import Change, Check, Delete, Insert, Returning, Write
from cloudlet.services.dynamodb.requests import condition_keys
from cloudlet.services.dynamodb.requests.actions import Request
from cloudlet.services.dynamodb.requests.clauses import Clauses
from cloudlet.services.dynamodb.tables.table import Table


@dataclass(frozen=True, slots=True)
class NoDuplicate:
    """The condition of INSERT: there is no such item yet. It says so with an error of its own."""

    attributes: frozenset[str] = frozenset()

    def matches(self, item: Item) -> bool:
        if item:
            raise AwsError("DuplicateItemException", "Duplicate primary key exists in table")
        return True


_PERMISSIONS: Final = {
    Insert: "PartiQLInsert",
    Change: "PartiQLUpdate",
    Delete: "PartiQLDelete",
    Check: "ConditionCheckItem",
}


def get_permission(statement: Write) -> str:
    """Return the action of IAM that a statement takes."""
    return _PERMISSIONS[type(statement)]


def request(statement: Write, table: Table, shows_old: bool) -> Request:
    """Return the action that a statement asks for. Raises AwsError.

    UPDATE wants the item to exist. DELETE of an item that does not exist is done already, whatever else WHERE says.
    """
    if isinstance(statement, Insert):
        asked = Clauses(condition=NoDuplicate())
        return Request("Put", statement.table, statement.item, asked, shows_old, get_permission(statement))
    key, rest = plans.key_of(statement.where, table.keys)
    there = Exists(Attribute((table.keys.names[0],)))
    if isinstance(statement, Change):
        asked = Clauses(condition=_all(there, rest), update=statement.update)
        return Request("Update", statement.table, key, asked, shows_old, get_permission(statement))
    if isinstance(statement, Delete):
        condition = None if rest is None else AnyOf([Negation(there), rest])
        asked = Clauses(condition=condition)
        return Request("Delete", statement.table, key, asked, shows_old, get_permission(statement))
    asked = Clauses(condition=_all(there, rest))
    return Request("ConditionCheck", statement.table, key, asked, shows_old, get_permission(statement))


def keys_of(statement: Write, asked: Request, table: Table) -> Keys:
    """Return the condition keys of a statement, which asks for an action."""
    shown = returning(statement)
    return condition_keys.of_items(
        table.keys, [asked.given], asked.clauses, {} if shown is None else {"ReturnValues": shown}
    )


def returning(statement: Write) -> Returning | None:
    """Return what of the item is to be answered."""
    return None if isinstance(statement, Insert | Check) else statement.returning


def _all(there: Condition, rest: Condition | None) -> Condition:
    return there if rest is None else All([there, rest])
