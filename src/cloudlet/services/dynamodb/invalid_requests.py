"""Errors of DynamoDB for requests that its model does not admit.

AWS moves its operations to newer checks one after the other, which name members as the model does, show no values, and
stop at the first that is wrong. The others tell of all members together.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.wire import InvalidRequest, Undecodable, WireError
from cloudlet.wire.errors import Violation, shown

_ENUM: Final = "Member must satisfy enum value set: "
_ENUMS: Final = {
    "attributeType": "[B, N, S]",
    "conditionalOperator": "[OR, AND]",
    "returnValues": "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
    "select": "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]",
}
"""Values in the order that AWS names them in, where the model has another one."""
_RETURN_VALUES: Final = f"Failed to satisfy constraint: {_ENUM}[ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"
"""The same, with UPDATE_NEW."""
_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem")


def reword(request: InvalidRequest) -> WireError:
    """Return the error that DynamoDB answers to a request that the model does not admit."""
    if isinstance(request, Undecodable):
        return AwsError("InternalServerError", "The request could not be decompressed", status=500)
    violations = request.violations
    if not violations:
        return request
    if request.operation == "CreateTable" and any(_is_missing(each, "tableName") for each in violations):
        return validation("The parameter 'TableName' is required but was not present in the request")
    newer = next((text for each in violations if (text := _newer(request.operation, each)) is not None), None)
    if newer is not None and not (request.operation in _WRITES and any(each.kind == "required" for each in violations)):
        return validation(f"1 validation error detected: {newer}")
    message = request.message
    for each in violations:
        values = _ENUMS.get(each.path.rpartition(".")[2])
        if each.kind == "enum" and values is not None:
            message = message.replace(
                f"'{shown(each.value)}' at '{each.path}' failed to satisfy constraint: {each.text}",
                f"'{shown(each.value)}' at '{each.path}' failed to satisfy constraint: {_ENUM}{values}",
            )
    request.message = message
    return request


def _is_missing(violation: Violation, path: str) -> bool:
    return violation.kind == "required" and violation.path == path


def _newer(operation: str, violation: Violation) -> str | None:
    """Return what the newer checks say of a violation, or None where they do not look for it."""
    path, kind = violation.path, violation.kind
    if operation in _WRITES and path == "returnValues":
        return _RETURN_VALUES
    is_newer = (
        (operation in _WRITES and path == "tableName" and kind == "min_length")
        or (operation == "Query" and path == "limit")
        or (operation == "BatchGetItem" and violation.member == "RequestItems")
        or (operation == "BatchWriteItem" and path == "requestItems" and not violation.value)
        or (operation.startswith("Transact") and path == "transactItems" and kind == "max_length")
    )
    if not is_newer:
        return None
    name = violation.member + path[len(violation.member) :]
    if name.endswith(".keys"):
        name = f"{name.removesuffix('keys')}Keys"
    return f"Value at '{name}' failed to satisfy constraint: {violation.text}"
