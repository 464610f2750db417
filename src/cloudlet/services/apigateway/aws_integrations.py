"""First-class integrations of HTTP APIs with services of AWS.

Developer guide, "Create AWS service integrations for HTTP APIs" and "Integration subtype reference".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.apigateway import errors, expressions, role_calls
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.expressions import Lookup
from cloudlet.wire import HttpRequest, WireError, load


class _Subtype(NamedTuple):
    service: str
    operation: str
    required: tuple[str, ...]
    optional: tuple[str, ...]


_SUBTYPES = {
    "EventBridge-PutEvents": _Subtype(
        "events",
        "PutEvents",
        ("Detail", "DetailType", "Source"),
        ("Time", "EventBusName", "Resources", "Region", "TraceHeader"),
    ),
    "SQS-SendMessage": _Subtype(
        "sqs",
        "SendMessage",
        ("QueueUrl", "MessageBody"),
        (
            "DelaySeconds",
            "MessageAttributes",
            "MessageDeduplicationId",
            "MessageGroupId",
            "MessageSystemAttributes",
            "Region",
        ),
    ),
    "SQS-ReceiveMessage": _Subtype(
        "sqs",
        "ReceiveMessage",
        ("QueueUrl",),
        (
            "AttributeNames",
            "MaxNumberOfMessages",
            "MessageAttributeNames",
            "ReceiveRequestAttemptId",
            "VisibilityTimeout",
            "WaitTimeSeconds",
            "Region",
        ),
    ),
    "SQS-DeleteMessage": _Subtype("sqs", "DeleteMessage", ("ReceiptHandle", "QueueUrl"), ("Region",)),
    "SQS-PurgeQueue": _Subtype("sqs", "PurgeQueue", ("QueueUrl",), ("Region",)),
}
_UNBUILT = ("AppConfig-GetConfiguration", "Kinesis-PutRecord")
_NUMBERS = ("DelaySeconds", "MaxNumberOfMessages", "VisibilityTimeout", "WaitTimeSeconds")
_JSON = ("AttributeNames", "MessageAttributeNames", "MessageAttributes", "MessageSystemAttributes", "Resources")


def check(part: Document) -> None:
    """Raise AwsError for an integration with a service that makes no sense, or is not built."""
    name = part["IntegrationSubtype"]
    if name in _UNBUILT or name.startswith("StepFunctions-"):
        raise errors.not_built(f"the integration subtype {name}")
    subtype = _SUBTYPES.get(name)
    if subtype is None:
        raise errors.bad_request(f"Invalid integration subtype {name} specified")
    if part["PayloadFormatVersion"] != "1.0":
        raise errors.bad_request("PayloadFormatVersion must be 1.0 for AWS service integrations")
    if "CredentialsArn" not in part:
        raise errors.bad_request("Credentials ARN is required for AWS service integrations")
    if "IntegrationUri" in part:
        raise errors.bad_request("IntegrationUri is not supported with IntegrationSubtype")
    parameters = part.get("RequestParameters") or {}
    for required in subtype.required:
        if required not in parameters:
            raise errors.bad_request(f"Parameter {required} is required for the integration subtype {name}")
    for parameter, value in parameters.items():
        if not expressions.has_known(value):
            raise errors.bad_request(f"Invalid mapping expression specified: {value}")
        if parameter not in subtype.required and parameter not in subtype.optional:
            raise errors.bad_request(f"Parameter {parameter} is not supported for the integration subtype {name}")


class Failed(Exception):
    """The service answered an error."""

    def __init__(self, error: WireError) -> None:
        super().__init__(str(error))
        self.status = error.status or 400
        self.error = error


class Call(NamedTuple):
    """A compiled integration with a service."""

    subtype: _Subtype
    parameters: dict[str, expressions.Expression]
    role: str


def compiled(part: Document) -> Call:
    """Return the call that an integration makes."""
    parameters = {key: expressions.compiled(value) for key, value in (part.get("RequestParameters") or {}).items()}
    return Call(_SUBTYPES[part["IntegrationSubtype"]], parameters, part["CredentialsArn"])


async def make(block: Block, call: Call, lookup: Lookup, place: Place, caller: Principal | None) -> dict[str, Any]:
    """Call the service and return its answer; `caller` has signed the call of the API. Raises Failed."""
    values = {key: value for key, each in call.parameters.items() if (value := each.value(lookup)) is not None}
    region = values.pop("Region", place.region)
    try:
        params = {key: _typed(key, value) for key, value in values.items()}
        if call.subtype.operation == "PutEvents":
            params = {"Entries": [params]}
        params = _checked(call.subtype, params)
        result = await role_calls.call(
            block,
            call.subtype.service,
            call.subtype.operation,
            params,
            role=call.role,
            caller=caller,
            account=place.account,
            region=region,
        )
    except WireError as error:
        raise Failed(error) from error
    return dict(result or {})


def _checked(subtype: _Subtype, params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as the service's own front door would, had they come as JSON. Raises WireError."""
    operation = load(subtype.service).operations[subtype.operation]
    request = HttpRequest("POST", "/", body=msgspec.json.encode(params))
    return dict(operation.parse("json", request))


def _typed(key: str, value: str) -> Any:
    """Return a parameter as the service's API has it: numbers and structures come as text."""
    try:
        if key in _NUMBERS:
            return int(value[:20])
        if key in _JSON:
            return msgspec.json.decode(value)
        if key == "Time":
            return float(value[:20])
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise AwsError("ValidationException", f"Invalid value for {key}", status=400) from None
    return value


def to_api(answer: Mapping[str, Any]) -> bytes:
    """Return a service's answer as JSON, as its API has it."""
    return msgspec.json.encode(answer)
