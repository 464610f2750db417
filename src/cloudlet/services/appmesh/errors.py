"""The errors of App Mesh in AWS's words, as far as they are known."""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.wire import InvalidRequest


def reword(invalid: InvalidRequest) -> AwsError:
    """Return the error for a request that the model does not admit."""
    if not invalid.violations:
        return AwsError(invalid.code, invalid.message, status=invalid.status)
    return BadRequest(invalid.message)


class BadRequest(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("BadRequestException", message)


class Forbidden(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("ForbiddenException", message)


class NotFound(AwsError):
    def __init__(self, what: str, account: str) -> None:
        super().__init__("NotFoundException", f"{what} for account {account}")


class Conflict(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


class ResourceInUse(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("ResourceInUseException", message)


class LimitExcess(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("LimitExceededException", message)


class TooManyTags(AwsError):
    def __init__(self, message: str) -> None:
        super().__init__("TooManyTagsException", message)
