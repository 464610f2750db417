"""The errors of AWS STS that several operations raise."""

from __future__ import annotations

from cloudlet.core import AwsError


class AccessDeniedError(AwsError):
    """The caller may not do this."""

    def __init__(self, message: str) -> None:
        super().__init__("AccessDenied", message, status=403)


class ValidationError(AwsError):
    """A parameter is not acceptable, which the model does not tell."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message, status=400)


class InvalidIdentityToken(AwsError):
    """A token of an identity provider cannot be validated."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidIdentityTokenException", message)


class ExpiredIdentityToken(AwsError):
    """A token of an identity provider has expired."""

    def __init__(self, message: str) -> None:
        super().__init__("ExpiredTokenException", message)


def is_missing(error: AwsError) -> bool:
    """Whether IAM has no such resource."""
    return error.code in ("NoSuchEntity", "NoSuchEntityException")
