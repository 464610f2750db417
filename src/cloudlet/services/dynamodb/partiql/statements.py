"""What a statement asks for, before it is known what its table is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cloudlet.services.dynamodb.expressions import Condition, Update
from cloudlet.services.dynamodb.expressions.paths import find
from cloudlet.services.dynamodb.item_data.values import Item, Path

Returning = Literal["ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"]


@dataclass(frozen=True, slots=True)
class Columns:
    """The paths that a SELECT names; each is shown under the name of its last element."""

    paths: Sequence[Path]

    @property
    def attributes(self) -> frozenset[str]:
        """The top-level attributes of which something is wanted."""
        return frozenset([str(path[0]) for path in self.paths])

    def of(self, item: Item) -> Item:
        """Return what is wanted of an item."""
        found: Item = {}
        for number, path in enumerate(self.paths, start=1):
            value = find(item, path)
            if value is not None:
                last = path[-1]
                # The PartiQL specification's name for a column that has none.
                found[last if isinstance(last, str) else f"_{number}"] = value
        return found


@dataclass(frozen=True, slots=True)
class Select:
    table: str
    index: str | None
    columns: Columns | None
    """None is for all attributes."""
    where: Condition | None
    order: Sequence[tuple[str, bool]] = ()
    """Attributes to sort by, and whether downwards."""


@dataclass(frozen=True, slots=True)
class Insert:
    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class Change:
    """UPDATE."""

    table: str
    update: Update
    where: Condition
    returning: Returning | None


@dataclass(frozen=True, slots=True)
class Delete:
    table: str
    where: Condition
    returning: Returning | None


@dataclass(frozen=True, slots=True)
class Check:
    """EXISTS(SELECT …): a condition of a transaction."""

    table: str
    where: Condition


Statement: TypeAlias = Select | Insert | Change | Delete | Check
Write: TypeAlias = Insert | Change | Delete | Check
