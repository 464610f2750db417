"""The errors of DynamoDB that several modules raise, in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


def validation(message: str) -> AwsError:
    """The error of a request that the model admits and DynamoDB does not."""
    return AwsError("ValidationException", message, status=400)


def invalid_values(reason: str) -> AwsError:
    return validation(f"One or more parameter values were invalid: {reason}")
