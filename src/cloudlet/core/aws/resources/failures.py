"""Failures of resources that could not be made, updated or deleted, in CloudFormation's words."""

from __future__ import annotations

import re
from typing import Final

from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.ids import uuid4

_NOT_FOUND: Final = re.compile(
    r"NotFound|NoSuch|NonExistent|DoesNotExist|ResourceNotFoundException|InvalidClientTokenId"
)
_EXISTS: Final = re.compile(
    r"AlreadyExists|EntityAlreadyExists|BucketAlreadyOwned|QueueNameExists|ResourceExists|\.Duplicate$"
)
_BUSY: Final = re.compile(
    r"DuplicateRequest|ResourceInUse|ConcurrentModification|OperationAborted|ResourceConflict|DeleteConflict"
    r"|ClusterContainsTasks|DependencyViolation"
)
_CHANGING: Final = re.compile(r"while it is|in progress|being (created|changed|updated|deleted)|concurrent", re.I)
"""The words of conflicts with a change that is under way."""
_THROTTLED: Final = re.compile(r"Throttl|TooManyRequests|SlowDown|RequestLimitExceeded|LimitExceededException")
_DENIED: Final = re.compile(r"AccessDenied|UnauthorizedOperation|AuthorizationError|^403$")


class ProvisioningError(Exception):
    """A resource could not be provisioned."""

    def __init__(self, message: str, code: str = "InvalidRequest", token: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """One of the error codes of handlers (extension developer guide, "Handler error codes")."""
        self.token = token or uuid4()

    @property
    def reason(self) -> str:
        """The reason of a resource's status."""
        return (
            f'Resource handler returned message: "{self.message}" '
            f"(RequestToken: {self.token}, HandlerErrorCode: {self.code})"
        )


class ReasonedError(ProvisioningError):
    """A failure that is told in words of its own."""

    @property
    def reason(self) -> str:
        return self.message


def is_not_found(error: AwsError) -> bool:
    """Whether an operation failed as what it is about is not there."""
    if error.status == 404 or _NOT_FOUND.search(error.code):
        return True
    return "does not exist" in error.message or "but it was not found" in error.message


def is_existing(error: AwsError) -> bool:
    """Whether an operation failed as what it makes is there."""
    if _EXISTS.search(error.code) or "already been associated" in error.message:
        return True
    return error.status == 409 and "exist" in error.message.lower()


def is_transient(error: AwsError) -> bool:
    """Whether a call may succeed when it is made again."""
    if error.code == "NotImplemented":
        return False
    if error.code == "ConflictException" and _CHANGING.search(error.message):
        return True
    return (error.status or 400) >= 500 or bool(_BUSY.search(error.code) or _THROTTLED.search(error.code))


def translate_error(error: AwsError, service: str, token: str) -> ProvisioningError:
    """Return the failure that an operation's error means."""
    if is_not_found(error):
        code = "NotFound"
    elif is_existing(error):
        code = "AlreadyExists"
    elif _DENIED.search(error.code):
        code = "AccessDenied"
    elif _THROTTLED.search(error.code):
        code = "Throttling"
    elif (error.status or 400) >= 500:
        code = "GeneralServiceException"
    else:
        code = "InvalidRequest"
    told = f"{error.message} (Service: {service}, Status Code: {error.status or 400}, Error Code: {error.code})"
    return ProvisioningError(told, code, token)
