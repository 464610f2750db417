"""Updates."""

from __future__ import annotations

from cloudlet.services.dynamodb.expressions.projections import Projection
from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.values import Item


class Update:
    """What an item is to become."""

    targets: Projection
    """The parts that it writes: `targets.attributes` for the check of keys, `targets.of(old)` is UPDATED_OLD and
    `targets.of(new)` is UPDATED_NEW."""

    def apply(self, item: Item) -> Item:
        """Return the item after the update, leaving the one given as it is. Raises AwsError.

        An item that does not exist yet is given as its key alone.
        """
        raise NotImplementedError


def parse_update(text: str, subs: Substitutions) -> Update:
    """Return an update. Raises AwsError."""
    raise NotImplementedError
