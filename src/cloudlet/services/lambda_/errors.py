"""The errors of Lambda in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


def _by_user(code: str, message: str) -> AwsError:
    return AwsError(code, message, Type="User")


def invalid(message: str) -> AwsError:
    """A parameter that makes no sense."""
    return _by_user("InvalidParameterValueException", message)


def constraint(value: object, member: str, text: str) -> AwsError:
    """A value beyond a limit that is tighter than the model's."""
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {text}",
        status=400,
    )


def at_most(value: int, member: str, limit: int) -> AwsError:
    """A number that is too large."""
    return constraint(value, member, f"Member must have value less than or equal to {limit}")


def not_found(message: str = "The resource you requested does not exist.") -> AwsError:
    """Something that is not there."""
    return _by_user("ResourceNotFoundException", message)


def no_such_function(arn: str) -> AwsError:
    return not_found(f"Function not found: {arn}")


def no_such_alias(arn: str) -> AwsError:
    return not_found(f"Cannot find alias arn: {arn}")


def conflict(message: str) -> AwsError:
    """Something that is there already, or is being changed."""
    return _by_user("ResourceConflictException", message)


def update_in_progress(arn: str) -> AwsError:
    return conflict(f"The operation cannot be performed at this time. An update is in progress for resource: {arn}")


def in_use(message: str) -> AwsError:
    """Something that cannot go while others refer to it."""
    return _by_user("ResourceInUseException", message)


def stale_revision() -> AwsError:
    """The RevisionId of a request is not the present one."""
    return _by_user(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
        "retrieve the latest Revision Id",
    )


def storage_exceeded() -> AwsError:
    """All code of an account in a region is too large."""
    return _by_user("CodeStorageExceededException", "Code storage limit exceeded.")


def request_too_large(operation: str, limit: int) -> AwsError:
    """A package in a request is too large."""
    return AwsError(
        "RequestEntityTooLargeException",
        f"Request must be smaller than {limit} bytes for the {operation} operation",
        status=413,
        Type="User",
    )


def bad_zip() -> AwsError:
    """What was uploaded cannot be unpacked."""
    return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")


def too_large_unzipped(limit: int) -> AwsError:
    """A package, with its layers, is too large."""
    return invalid(f"Unzipped size must be smaller than {limit} bytes")


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError("NotImplemented", f"Cloudlet does not implement {what}. See docs/services/lambda.md.", status=501)
