"""The errors of EventBridge Scheduler in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


def validation(message: str) -> AwsError:
    """A request that makes no sense."""
    return AwsError("ValidationException", message)


def wrong_token() -> AwsError:
    return validation("Invalid NextToken.")


def not_found(what: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"{what} does not exist.")


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message)


def quota_exceeded(message: str) -> AwsError:
    return AwsError("ServiceQuotaExceededException", message)


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError(
        "NotImplemented", f"Cloudlet does not implement {what}. See docs/services/scheduler.md.", status=501
    )
