"""FilterSpecification: which items, and what of them, an export has (API reference, FilterSpecification)."""

from __future__ import annotations

from typing import Any

from cloudlet.services.dynamodb.expressions import Condition, Projection, Substitutions, parse_condition
from cloudlet.services.dynamodb.item_data.values import Item
from cloudlet.services.dynamodb.requests import clauses
from cloudlet.services.dynamodb.tables.table import Table


class ExportFilter:
    """Chooses items."""

    def __init__(self, conditions: list[Condition], projection: Projection | None) -> None:
        self._conditions = conditions
        self._projection = projection

    @classmethod
    def of(cls, table: Table, specification: dict[str, Any] | None) -> ExportFilter:
        """Return the filter that a request asks for. Raises AwsError for expressions that do not suit the table."""
        if not specification:
            return cls([], None)
        key = specification.get("KeyConditionExpression")
        asked = clauses.read("Scan" if key is None else "Query", specification)
        conditions = [] if asked.filter is None else [asked.filter]
        if asked.key_condition is not None and key is not None:
            schema = table.keys
            asked.key_condition.on([name for name, _ in schema.hash], [name for name, _ in schema.range], table.types)
            # Every key condition is a condition, too, and that is what looks at one item.
            names, values = (specification.get(f"ExpressionAttribute{each}") for each in ("Names", "Values"))
            conditions.append(parse_condition(key, Substitutions(names, values), "KeyConditionExpression"))
        return cls(conditions, asked.projection)

    def chosen(self, item: Item) -> Item | None:
        """Return what an export has of an item, None for nothing."""
        if not all(condition.matches(item) for condition in self._conditions):
            return None
        return item if self._projection is None else self._projection.of(item)
