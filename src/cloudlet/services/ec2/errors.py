"""Errors of Amazon EC2 in AWS's words.

EC2 API Reference, "Error codes for the Amazon EC2 API".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.core import AwsError

if TYPE_CHECKING:
    from cloudlet.wire import InvalidRequest, WireError


def _make_lower(member: str) -> str:
    return member[:1].lower() + member[1:]


class InvalidValue(AwsError):
    """A value that a parameter cannot have."""

    def __init__(self, member: str, value: object, reason: str) -> None:
        super().__init__(
            "InvalidParameterValue", f"Value ({value}) for parameter {_make_lower(member)} is invalid. {reason}"
        )


class InvalidCombination(AwsError):
    """Parameters that exclude each other."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterCombination", message)


class MissingParameter(AwsError):
    """A parameter that is needed."""

    def __init__(self, member: str) -> None:
        super().__init__("MissingParameter", f"The request must contain the parameter {_make_lower(member)}")


class UnsupportedFeature(AwsError):
    """A feature that AWS has and Cloudlet has not."""

    def __init__(self, what: str) -> None:
        super().__init__("UnsupportedOperation", f"Cloudlet does not support {what}. See docs/services/ec2.md.")


class DependencyViolation(AwsError):
    """A resource that others need."""

    def __init__(self, noun: str, name: str) -> None:
        super().__init__("DependencyViolation", f"The {noun} '{name}' has dependencies and cannot be deleted.")


class QuotaError(AwsError):
    """A quota that is reached."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(code, f"The maximum number of {what} has been reached.")


class ForbiddenOperation(AwsError):
    """An operation that a resource does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__("OperationNotPermitted", message)


class ForeignResource(AwsError):
    """A resource that a service manages for itself."""

    def __init__(self) -> None:
        super().__init__("AuthFailure", "You do not have permission to access the specified resource.", status=403)


def word_invalid_request(error: InvalidRequest) -> WireError:
    """Return the error of a request that the model does not admit."""
    missing = next((each for each in error.violations if each.kind == "required"), None)
    if missing is not None:
        return MissingParameter(missing.member)
    if not error.violations:
        # A text where a number is to be, say.
        return AwsError("InvalidParameterValue", error.message)
    first = error.violations[0]
    return InvalidValue(first.member, first.value, first.text)
