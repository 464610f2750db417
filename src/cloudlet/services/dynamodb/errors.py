"""The errors of DynamoDB in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


class Reworded(AwsError):
    """A ValidationException that some operations (batches of writes, transactions, Scan) have other words for."""

    def __init__(self, message: str, older: str) -> None:
        super().__init__("ValidationException", message, status=400)
        self.older = older


class EmptyKey(AwsError):
    """An attribute of a table's key that is empty: it refuses a transaction, where others cancel it."""

    def __init__(self, name: str, kind: str) -> None:
        """`kind` is string or binary."""
        super().__init__(
            "ValidationException",
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            f"empty {kind} value. Key: {name}",
            status=400,
        )


class older_words:
    """Turn errors that have other words for an operation into errors in those words."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Reworded):
            raise validation(error.older) from None


class one_detected:
    """Word errors about a request as PutItem, UpdateItem and DeleteItem do, since the middle of 2026."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, AwsError) and error.code == "ValidationException":
            raise validation(f"1 validation error detected: {error.message}") from None


def validation(message: str) -> AwsError:
    """Return the error about a request that does not make sense."""
    return AwsError("ValidationException", message, status=400)


def invalid_values(message: str) -> AwsError:
    """Return the error about parameters that are wrong, or do not go with each other or with the table."""
    return validation(f"One or more parameter values were invalid: {message}")


def not_built(what: str) -> AwsError:
    """Return the error about what AWS has and Cloudlet has not."""
    return validation(f"Cloudlet does not implement {what}. See docs/services/dynamodb.md.")


def no_such_table() -> AwsError:
    """Return the error of operations on items."""
    return AwsError("ResourceNotFoundException", "Requested resource not found")


def no_such_table_named(name: str) -> AwsError:
    """Return the error of operations on tables."""
    return AwsError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def in_use(message: str) -> AwsError:
    """Return the error about a table or an index that is not in a state for it."""
    return AwsError("ResourceInUseException", message)


def limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceededException", message)


def item_too_large() -> AwsError:
    return validation("Item size has exceeded the maximum allowed size")


def update_too_large() -> AwsError:
    return validation("Item size to update has exceeded the maximum allowed size")


def key_mismatch() -> AwsError:
    return validation("The provided key element does not match the schema")


def condition_failed(item: object = None) -> AwsError:
    """Return the error about a condition that the item, shown where that was asked for, does not satisfy."""
    return AwsError("ConditionalCheckFailedException", "The conditional request failed", Item=item)
