"""Universal targets: any operation of any block that is no reading one, with its parameters as JSON.

User guide, "Using universal targets in EventBridge Scheduler". Names of members may begin with a capital letter where
those of the service do not, as they do in AWS's own examples; blobs are given as text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.kernel.models import get_block_name
from cloudlet.services.scheduler import errors, payload
from cloudlet.services.scheduler.schedule import Target
from cloudlet.wire import Operation, WireError, catalog, load, timestamps
from cloudlet.wire.internal_operations import is_internal
from cloudlet.wire.shapes import Ref, Shape
from cloudlet.wire.trees import Reader

_PREFIX = "aws-sdk:"
_UNSUPPORTED = (
    "get",
    "describe",
    "list",
    "poll",
    "receive",
    "search",
    "scan",
    "query",
    "select",
    "read",
    "lookup",
    "discover",
    "validate",
    "batchGet",
    "batchDescribe",
    "batchRead",
    "transactGet",
    "adminGet",
    "adminList",
    "testMigration",
    "retrieve",
    "testConnection",
    "translateDocument",
    "isAuthorized",
    "invokeModel",
)
"""What the names of operations begin with that Scheduler does not call."""
_NO_SDK = frozenset(("putspans",))
"""Operations that no SDK of AWS has."""
_scalars = Reader()


def is_universal(arn: Arn) -> bool:
    """Whether an ARN names an operation, as in arn:aws:scheduler:::aws-sdk:sqs:sendMessage."""
    return arn.service == "scheduler" and not arn.region and not arn.account and arn.resource.startswith(_PREFIX)


def check(ctx: Context, arn: Arn, target: Target) -> None:
    """Raise AwsError unless an operation can be called by a schedule, with what the target says."""
    service, operation = _operation(arn)
    if not ctx.block.cloud.has(get_block_name(service)):
        raise errors.not_built(f"targets of {service}")
    if operation.name.lower().startswith(tuple(prefix.lower() for prefix in _UNSUPPORTED)):
        raise errors.validation(f"{arn} is not a supported api action: it is read-only.")
    if "Input" in target and not payload.is_json(target["Input"]):
        raise errors.validation("Input must be a well-formed JSON.")


def call_of(arn: Arn, given: str) -> tuple[str, str, dict[str, Any]]:
    """Return a service, an operation and the parameters that a JSON text means. Raises AwsError."""
    service, operation = _operation(arn)
    try:
        document = msgspec.json.decode(given)
        params = {} if operation.input is None else _structure(operation.input.shape, document)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise errors.validation(f"Invalid RequestJson provided. Reason: {error}") from None
    except WireError as error:
        raise AwsError(error.code, error.message) from None
    return service, operation.name, params


def _operation(arn: Arn) -> tuple[str, Operation]:
    """Return the service and the operation of an ARN. Raises ValidationException."""
    sdk, colon, action = arn.resource.removeprefix(_PREFIX).partition(":")
    service = _services().get(sdk)
    operation = None if service is None or not colon else _operations(service).get(action.lower())
    if service is None or operation is None:
        raise errors.validation(f"{arn} is not a supported service or api action.")
    return service, operation


@lru_cache(1)
def _services() -> dict[str, str]:
    """Return the services by the identifier that AWS's SDKs have for them."""
    return {entry.service_id.replace(" ", "").lower(): entry.service for entry in catalog().values()}


@lru_cache(64)
def _operations(service: str) -> dict[str, Operation]:
    model = load(service)
    names = (name for name in model.operations if not is_internal(service, name))
    return {name.lower(): model.operations[name] for name in names if name.lower() not in _NO_SDK}


def _structure(shape: Shape, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{shape.name} must be an object")
    params: dict[str, Any] = {}
    for given, item in value.items():
        names = (given, given[:1].lower() + given[1:], given[:1].upper() + given[1:])
        name = next((each for each in names if each in shape.members), None)
        if name is None:
            raise ValueError(f"{shape.name} has no member {given}")
        if item is not None:
            params[name] = _value(shape.members[name], item)
    return params


def _value(ref: Ref, value: Any) -> Any:
    shape = ref.shape
    if shape.is_document:
        return value
    match shape.kind:
        case "structure":
            return _structure(shape, value)
        case "list":
            if not isinstance(value, list):
                raise ValueError(f"{shape.name} must be an array")
            return [_value(shape.element, item) for item in value]
        case "map":
            if not isinstance(value, dict):
                raise ValueError(f"{shape.name} must be an object")
            return {key: _value(shape.value, item) for key, item in value.items()}
        case "blob":
            if not isinstance(value, str):
                raise ValueError(f"{shape.name} must be a string")
            return value.encode()
        case "timestamp":
            return timestamps.parse(str(value), ref.timestamp_format or "iso8601")
        case _:
            return _scalars.read(ref)(value)
