"""Projections."""

from __future__ import annotations

from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.values import Item


class Projection:
    """Which parts of an item are wanted."""

    attributes: frozenset[str]
    """The top-level attributes of which something is wanted."""

    def of(self, item: Item) -> Item:
        """Return the wanted parts of an item."""
        raise NotImplementedError


def parse_projection(text: str, subs: Substitutions) -> Projection:
    """Return a projection. Raises AwsError."""
    raise NotImplementedError
