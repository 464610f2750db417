"""Key conditions: which part of a table or index a query reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cloudlet.services.dynamodb.expressions.substitutions import Substitutions
from cloudlet.services.dynamodb.values import Value

Comparison = Literal["=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"]


@dataclass(frozen=True, slots=True)
class RangeCondition:
    """One condition on a range attribute: `values` are two for BETWEEN (lower, upper), else one."""

    attribute: str
    comparison: Comparison
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """What a query reads of one table or index."""

    hash: tuple[Value, ...]
    """A value of each hash attribute, in the schema's order."""
    equal: tuple[Value, ...] = ()
    """Values of the leading range attributes."""
    condition: RangeCondition | None = None
    """A condition other than equality on the range attribute after those."""


class KeyCondition:
    """Conditions on key attributes, before it is known which of them are hash and which range."""

    def on(self, hash_names: Sequence[str], range_names: Sequence[str], types: dict[str, str]) -> KeyRange:
        """Return what is read of a table or index with this schema; `types` are the key attributes' (S, N, B).

        Raises AwsError.
        """
        raise NotImplementedError


def parse_key_condition(text: str, subs: Substitutions) -> KeyCondition:
    """Return key conditions. Raises AwsError."""
    raise NotImplementedError
