"""The errors of X-Ray that several modules raise."""

from __future__ import annotations

from cloudlet.core import AwsError


def invalid(message: str) -> AwsError:
    """The answer to a request that makes no sense."""
    return AwsError("InvalidRequestException", message, status=400)


def not_found(arn: str) -> AwsError:
    """The answer about a resource that is not there."""
    return AwsError("ResourceNotFoundException", f"Resource not found: {arn}", ResourceName=arn)
