"""The errors of EventBridge Pipes in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


def validation(message: str) -> AwsError:
    """A request that makes no sense."""
    return AwsError("ValidationException", message)


def wrong_token() -> AwsError:
    return validation("The provided NextToken is not valid.")


def not_found(what: str) -> AwsError:
    return AwsError("NotFoundException", f"{what} does not exist.")


def conflict(name: str, message: str) -> AwsError:
    return AwsError("ConflictException", message, resourceId=name, resourceType="pipe")


def quota_exceeded(name: str, message: str) -> AwsError:
    return AwsError(
        "ServiceQuotaExceededException",
        message,
        resourceId=name,
        resourceType="pipe",
        serviceCode="pipes",
        quotaCode="pipes",
    )


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError("NotImplemented", f"Cloudlet does not implement {what}. See docs/services/pipes.md.", status=501)
