"""The errors of Parameter Store that are raised in several places, in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


class ValidationError(AwsError):
    """A request that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class ParameterNotFound(AwsError):
    """A name that no parameter has. GetParameter was recorded to say nothing else."""

    def __init__(self, message: str = "") -> None:
        super().__init__("ParameterNotFound", message)


class VersionNotFound(AwsError):
    """A version or a label that a parameter does not have."""

    def __init__(self, selector: str, name: str) -> None:
        kind = "version" if selector.isdecimal() else "label"
        message = f"Systems Manager could not find {kind} {selector} of {name}. Verify the {kind} and try again."
        super().__init__("ParameterVersionNotFound", message)


class InvalidNextToken(AwsError):
    """A token that no list has given."""

    def __init__(self) -> None:
        super().__init__("InvalidNextToken", "The specified token isn't valid.")


class NotBuilt(AwsError):
    """A part of Parameter Store that AWS has and Cloudlet has not."""

    def __init__(self, what: str) -> None:
        message = f"Cloudlet does not implement {what}. See docs/services/ssm.md."
        super().__init__("NotImplemented", message, status=501)
