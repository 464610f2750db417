"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import AwsError, Service
from cloudlet.services.apigateway import tagging
from cloudlet.wire import InvalidRequest, load
from cloudlet.wire.errors import Violation, validation_message


def _bad_request(error: InvalidRequest) -> AwsError:
    """Word a request that the model does not admit.

    The second version has one code for it. The first one names what is in the body by the operation's input.
    """
    if error.operation == "PostToConnection" and any(each.kind == "max_length" for each in error.violations):
        return AwsError("PayloadTooLargeException", "Message too long")
    operation = load("apigateway").operations.get(error.operation)
    shape = None if operation is None else operation.input_shape
    if shape is None or not error.violations or any(each.member not in shape.members for each in error.violations):
        return AwsError("BadRequestException", error.message, status=400)
    head = f"{error.operation[0].lower()}{error.operation[1:]}Input"

    def placed(violation: Violation) -> Violation:
        in_body = shape.members[violation.member].location is None
        return replace(violation, path=f"{head}.{violation.path}") if in_body else violation

    return AwsError("ValidationException", validation_message([placed(each) for each in error.violations]), status=400)


_OF_CONNECTIONS = ("DeleteConnection", "GetConnection", "PostToConnection")
_OF_TESTS = ("body", "headers", "multiValueHeaders", "pathWithQueryString")
"""What a client would say, tokens and keys among it."""
service = Service(
    "apigateway",
    invalid_request=_bad_request,
    namespace="AWS/ApiGateway",
    data_events=_OF_CONNECTIONS,
    decides=[f"apigatewaymanagementapi:{name}" for name in _OF_CONNECTIONS],
    resource_tags=tagging.find,
    hidden=(
        "ApiKey.value",
        "CreateApiKeyRequest.value",
        "CreateDomainNameRequest.certificatePrivateKey",
        *(f"TestInvoke{what}Request.{member}" for what in ("Authorizer", "Method") for member in _OF_TESTS),
        "ResolveServedCertificateResponse.PrivateKey",
        "UsagePlanKey.value",
    ),
    reserved_tag="BadRequestException",
)
