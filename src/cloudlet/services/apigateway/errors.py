"""The errors of API Gateway's second version in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


def _worded(code: str, message: str) -> AwsError:
    return AwsError(code, message, Message=message)


def bad_request(message: str) -> AwsError:
    """A request that makes no sense."""
    return _worded("BadRequestException", message)


def conflict(message: str) -> AwsError:
    """What is there already, or in use."""
    return _worded("ConflictException", message)


def not_found(message: str) -> AwsError:
    """What is not there."""
    return _worded("NotFoundException", message)


def no_such(what: str, id: str = "") -> AwsError:
    """A resource that is not there; `what` is its type."""
    return not_found(f"Invalid {what} identifier specified{' ' + id if id else ''}")


def too_many(message: str) -> AwsError:
    """A quota is exceeded."""
    return _worded("TooManyRequestsException", message)


def limit_exceeded(message: str) -> AwsError:
    """A quota of REST APIs is exceeded."""
    return _worded("LimitExceededException", message)


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError(
        "NotImplemented", f"Cloudlet does not implement {what}. See docs/services/apigateway.md.", status=501
    )
