"""The errors of Cloud Control API in AWS's words."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError
from cloudlet.core.aws.resources.failures import ProvisioningError

_EXCEPTIONS: Final = {
    "AccessDenied": "InvalidCredentialsException",
    "AlreadyExists": "AlreadyExistsException",
    "GeneralServiceException": "GeneralServiceException",
    "InvalidCredentials": "InvalidCredentialsException",
    "InvalidRequest": "InvalidRequestException",
    "NotFound": "ResourceNotFoundException",
    "NotStabilized": "NotStabilizedException",
    "NotUpdatable": "NotUpdatableException",
    "ResourceConflict": "ResourceConflictException",
    "ServiceLimitExceeded": "ServiceLimitExceededException",
    "Throttling": "ThrottlingException",
}
"""The exceptions that tell of handlers' error codes."""


def make_validation_error(message: str) -> AwsError:
    """Return the error of a request that makes no sense."""
    return AwsError("ValidationException", message)


def make_type_not_found(name: str) -> AwsError:
    return AwsError("TypeNotFoundException", f"The type '{name}' cannot be found.")


def make_unsupported_action(name: str, action: str) -> AwsError:
    return AwsError("UnsupportedActionException", f"Resource type {name} does not support {action} action")


def make_request_not_found(token: str) -> AwsError:
    return AwsError("RequestTokenNotFoundException", f"Request with token {token} was not found")


def make_token_conflict() -> AwsError:
    return AwsError(
        "ClientTokenConflictException", "The specified client token has already been used in another resource request."
    )


def make_concurrent_operation() -> AwsError:
    return AwsError(
        "ConcurrentOperationException",
        "Another resource operation is currently being performed on this resource.",
    )


def make_not_cancelable(token: str, status: str) -> AwsError:
    return AwsError(
        "ConcurrentModificationException", f"Request {token} cannot be canceled: its operation status is {status}"
    )


def make_not_found(name: str, identifier: str) -> ProvisioningError:
    """Return the failure of a handler that does not find its resource."""
    return ProvisioningError(f"Resource of type '{name}' with identifier '{identifier}' was not found.", "NotFound")


def translate_failure(name: str, failure: ProvisioningError) -> AwsError:
    """Return the error that an operation tells of a handler's failure by."""
    code = _EXCEPTIONS.get(failure.code, "HandlerFailureException")
    return AwsError(
        code,
        f"{name} Handler returned status FAILED: {failure.message} "
        f"(HandlerErrorCode: {failure.code}, RequestToken: {failure.token})",
    )
