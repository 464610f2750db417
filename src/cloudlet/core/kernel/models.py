"""Which block answers for which of AWS's models."""

from __future__ import annotations

from typing import Final

_ANSWERED_BY: Final = {
    "dynamodbstreams": "dynamodb",
    "apigatewayv2": "apigateway",
    "apigatewaymanagementapi": "apigateway",
    "ecr-public": "ecr",
}
"""Models of AWS whose operations belong to the block of another one: they are about the same data."""


def get_block_name(model: str) -> str:
    """Return the name of the block that answers for one of AWS's models."""
    return _ANSWERED_BY.get(model, model)


def get_handler_key(model: str, operation: str) -> str:
    """Return the name under which a block declares an operation; it begins with its model, where that has not the
    block's own name: two models may have operations of the same name.
    """
    return f"{model}:{operation}" if model in _ANSWERED_BY else operation


def list_models(block: str) -> list[str]:
    """Return the names of AWS's models that a block answers for."""
    return [block, *(model for model, name in _ANSWERED_BY.items() if name == block)]
