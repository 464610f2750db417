"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import AwsError, Service
from cloudlet.wire import InvalidRequest


def _bad_request(error: InvalidRequest) -> AwsError:
    """Word a request that the model does not admit with the one code that the models have for it."""
    return AwsError("BadRequestException", error.message, status=400)


service = Service(
    "apigateway",
    invalid_request=_bad_request,
    namespace="AWS/ApiGateway",
    data_events=("DeleteConnection", "GetConnection", "PostToConnection"),
    hidden=("ApiKey.value", "CreateApiKeyRequest.value", "UsagePlanKey.value"),
)
