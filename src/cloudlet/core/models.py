"""Which block answers for which of AWS's models."""

from __future__ import annotations

_ANSWERED_BY = {"dynamodbstreams": "dynamodb"}
"""Models of AWS whose operations belong to the block of another one: they are about the same data."""


def block_of(model: str) -> str:
    """Return the name of the block that answers for one of AWS's models."""
    return _ANSWERED_BY.get(model, model)


def models_of(block: str) -> list[str]:
    """Return the names of AWS's models that a block answers for."""
    return [block, *(model for model, name in _ANSWERED_BY.items() if name == block)]
