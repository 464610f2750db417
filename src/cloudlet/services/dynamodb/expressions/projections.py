"""Projections: the parts of items that a caller wants.

Developer Guide, "Using projection expressions in DynamoDB".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudlet.services.dynamodb.expressions.parser import Parser
from cloudlet.services.dynamodb.expressions.paths import Tree, tree
from cloudlet.services.dynamodb.expressions.problems import said_of
from cloudlet.services.dynamodb.expressions.remembering import remembered
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.expressions.syntax import PathSyntax
from cloudlet.services.dynamodb.item_data.values import Item, Path, Value


class Projection(Protocol):
    """Which parts of an item are wanted."""

    @property
    def attributes(self) -> frozenset[str]:
        """The top-level attributes of which something is wanted."""

    @property
    def paths(self) -> Sequence[Path]:
        """Where those are."""

    def of(self, item: Item) -> Item:
        """Return the wanted parts of an item."""


class PathProjection:
    """What is at some paths. Raises ExpressionProblem where one contains another one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self._tree = tree(paths)
        self.attributes = frozenset(str(name) for name in self._tree)
        self._plain = all(inner is None for inner in self._tree.values())

    def of(self, item: Item) -> Item:
        """Return the wanted parts in the structure that they have in the item; a list has the wanted members only."""
        if self._plain:
            attributes = self.attributes
            return {name: value for name, value in item.items() if name in attributes}
        return _parts_of_map(item, self._tree)


def parse_projection(text: str, subs: Substitutions) -> Projection:
    """Return a projection. Raises AwsError."""
    with said_of("ProjectionExpression"):
        return PathProjection([subs.path(path) for path in _syntax(text)])


@remembered
def _syntax(text: str) -> tuple[PathSyntax, ...]:
    parser = Parser(text)
    paths = [parser.path()]
    while parser.accept(","):
        paths.append(parser.path())
    parser.finish()
    return tuple(paths)


def _parts(value: Value, wanted: Tree | None) -> Value | None:
    if wanted is None:
        return value
    if isinstance(next(iter(wanted)), str):
        if "M" not in value:
            return None
        parts = _parts_of_map(value["M"], wanted)
        return {"M": parts} if parts else None
    members = value.get("L", ())
    found = [_parts(members[place], wanted[place]) for place in sorted(_places(wanted)) if place < len(members)]
    present = [part for part in found if part is not None]
    return {"L": present} if present else None


def _parts_of_map(content: Item, wanted: Tree) -> Item:
    parts = {}
    for name, inner in wanted.items():
        value = content.get(str(name))
        part = _parts(value, inner) if value is not None else None
        if part is not None:
            parts[str(name)] = part
    return parts


def _places(wanted: Tree) -> list[int]:
    return [element for element in wanted if isinstance(element, int)]
