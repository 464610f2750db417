"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import AwsError, Service
from cloudlet.wire import InvalidRequest


def _bad_request(error: InvalidRequest) -> AwsError:
    """Word a request that the model does not admit with the one code that the models have for it."""
    if error.operation == "PostToConnection" and any(each.kind == "max_length" for each in error.violations):
        return AwsError("PayloadTooLargeException", "Message too long")
    return AwsError("BadRequestException", error.message, status=400)


_OF_TESTS = ("body", "headers", "multiValueHeaders", "pathWithQueryString")
"""What a client would say, tokens and keys among it."""
service = Service(
    "apigateway",
    invalid_request=_bad_request,
    namespace="AWS/ApiGateway",
    data_events=("DeleteConnection", "GetConnection", "PostToConnection"),
    hidden=(
        "ApiKey.value",
        "CreateApiKeyRequest.value",
        "CreateDomainNameRequest.certificatePrivateKey",
        *(f"TestInvoke{what}Request.{member}" for what in ("Authorizer", "Method") for member in _OF_TESTS),
        "UsagePlanKey.value",
    ),
)
