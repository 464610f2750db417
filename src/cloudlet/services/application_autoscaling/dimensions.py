"""The scalable dimensions that can be scaled here, by the APIs of their services.

Source: API Reference, "RegisterScalableTarget"; for the roles the User Guide, "Service-linked roles".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.block import Block
from cloudlet.services.application_autoscaling import errors
from cloudlet.services.application_autoscaling.place import Place


class Observation(NamedTuple):
    """The capacity that a resource has."""

    capacity: int | None
    """None where there is none to change, as for a table on demand."""
    is_fulfilled: bool = True
    """Whether the service has done what was asked of it last."""
    problem: str = ""
    """The reason why it cannot."""


class Session(NamedTuple):
    """Calls in the name of a scalable target's role."""

    block: Block
    place: Place
    role: str

    async def call(self, service: str, operation: str, params: dict[str, Any], name: str) -> dict[str, Any]:
        """Call another service's API. Raises AwsError."""
        principal = f"{self.place.namespace}.application-autoscaling.amazonaws.com"
        result = await self.block.cloud.call(
            service,
            operation,
            {key: value for key, value in params.items() if value is not None},
            principal=make_session(self.role, name, principal),
            account=self.place.account,
            region=self.place.region,
        )
        return dict(result or {})


_SESSION: Final = "AutoScaling-UpdateCapacity"
_Names = tuple[str | Any, ...]


async def _find_service(session: Session, names: _Names) -> dict[str, Any]:
    params = {"cluster": names[0], "services": [names[1]]}
    try:
        found = (await session.call("ecs", "DescribeServices", params, _SESSION)).get("services") or []
    except AwsError as error:
        if error.code != "ClusterNotFoundException":
            raise
        found = []
    if not found or found[0]["status"] == "INACTIVE":
        raise errors.make_validation(f"ECS service doesn't exist: {session.place.resource}")
    service: dict[str, Any] = found[0]
    return service


async def _observe_service(session: Session, names: _Names) -> Observation:
    service = await _find_service(session, names)
    wanted = service["desiredCount"]
    return Observation(wanted if service["status"] == "ACTIVE" else None, service["runningCount"] == wanted)


async def _set_service(session: Session, names: _Names, capacity: int) -> None:
    params = {"cluster": names[0], "service": names[1], "desiredCount": capacity}
    await session.call("ecs", "UpdateService", params, _SESSION)


async def _find_table(session: Session, names: _Names) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return a table's or an index's throughput, with the table, and its status."""
    try:
        answer = await session.call("dynamodb", "DescribeTable", {"TableName": names[0]}, _SESSION)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        raise errors.make_validation(f"DynamoDB table does not exist: {session.place.resource}") from None
    table: dict[str, Any] = answer["Table"]
    if len(names) == 1:
        return table, table.get("ProvisionedThroughput") or {}, table["TableStatus"]
    for index in table.get("GlobalSecondaryIndexes") or ():
        if index["IndexName"] == names[1]:
            return table, index.get("ProvisionedThroughput") or {}, index["IndexStatus"]
    raise errors.make_validation(f"DynamoDB index does not exist: {session.place.resource}")


async def _observe_table(session: Session, names: _Names) -> Observation:
    table, units, status = await _find_table(session, names)
    is_active = status == table["TableStatus"] == "ACTIVE"
    return Observation(units.get(session.place.dimension.rpartition(":")[2]) or None, is_active)


async def _set_table(session: Session, names: _Names, capacity: int) -> None:
    _, units, _ = await _find_table(session, names)
    wanted = {kind: units[kind] for kind in ("ReadCapacityUnits", "WriteCapacityUnits")}
    wanted[session.place.dimension.rpartition(":")[2]] = capacity
    change: dict[str, Any] = {"ProvisionedThroughput": wanted}
    if len(names) > 1:
        change = {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": names[1], **change}}]}
    await session.call("dynamodb", "UpdateTable", {"TableName": names[0], **change}, _SESSION)


async def _observe_function(session: Session, names: _Names) -> Observation:
    params = {"FunctionName": names[0], "Qualifier": names[1]}
    try:
        found = await session.call("lambda", "GetProvisionedConcurrencyConfig", params, _SESSION)
    except AwsError as error:
        if error.code == "ProvisionedConcurrencyConfigNotFoundException":
            return Observation(0)
        if error.code != "ResourceNotFoundException":
            raise
        raise errors.make_validation(f"Lambda function does not exist: {session.place.resource}") from None
    problem = (found.get("StatusReason") or found["Status"]) if found["Status"] == "FAILED" else ""
    return Observation(found["RequestedProvisionedConcurrentExecutions"], found["Status"] == "READY", problem)


async def _set_function(session: Session, names: _Names, capacity: int) -> None:
    params: dict[str, Any] = {"FunctionName": names[0], "Qualifier": names[1]}
    if not capacity:
        await session.call("lambda", "DeleteProvisionedConcurrencyConfig", params, _SESSION)
        return
    params["ProvisionedConcurrentExecutions"] = capacity
    await session.call("lambda", "PutProvisionedConcurrencyConfig", params, _SESSION)


class Dimension(NamedTuple):
    """A scalable dimension. Cooldowns are in seconds."""

    pattern: re.Pattern[str]
    words: str
    """The words that activities have for a capacity."""
    role: str
    """The end of the service-linked role's name."""
    min_capacity: int
    has_step_scaling: bool
    default_cooldown: int
    observe_names: Callable[[Session, _Names], Awaitable[Observation]]
    set_names: Callable[[Session, _Names, int], Awaitable[None]]


_SERVICE: Final = re.compile(r"service/([^/]+)/([^/]+)")
_TABLE: Final = re.compile(r"table/([a-zA-Z0-9_.-]+)")
_INDEX: Final = re.compile(r"table/([a-zA-Z0-9_.-]+)/index/([a-zA-Z0-9_.-]+)")
_FUNCTION: Final = re.compile(r"function:([a-zA-Z0-9_-]+):([a-zA-Z0-9_-]+)")


def _make_table_dimension(pattern: re.Pattern[str], words: str) -> Dimension:
    return Dimension(pattern, words, "DynamoDBTable", 1, False, 0, _observe_table, _set_table)


DIMENSIONS: Final = {
    "ecs:service:DesiredCount": Dimension(
        _SERVICE, "desired count", "ECSService", 0, True, 300, _observe_service, _set_service
    ),
    "dynamodb:table:ReadCapacityUnits": _make_table_dimension(_TABLE, "read capacity units"),
    "dynamodb:table:WriteCapacityUnits": _make_table_dimension(_TABLE, "write capacity units"),
    "dynamodb:index:ReadCapacityUnits": _make_table_dimension(_INDEX, "read capacity units"),
    "dynamodb:index:WriteCapacityUnits": _make_table_dimension(_INDEX, "write capacity units"),
    "lambda:function:ProvisionedConcurrency": Dimension(
        _FUNCTION, "provisioned concurrency", "LambdaConcurrency", 0, False, 0, _observe_function, _set_function
    ),
}
_BUILT: Final = frozenset(name.partition(":")[0] for name in DIMENSIONS)


def get_dimension(place: Place) -> Dimension:
    """Return the dimension of a place. Raises ValidationException for one that cannot be scaled."""
    if place.namespace not in _BUILT:
        raise errors.make_not_built(f"scaling in the service namespace {place.namespace}")
    found = DIMENSIONS.get(place.dimension)
    if found is None or not place.dimension.startswith(f"{place.namespace}:"):
        raise errors.make_validation("Unsupported service namespace, resource type or scalable dimension")
    if not found.pattern.fullmatch(place.resource):
        raise errors.make_validation(f"Invalid resource ID for {place.dimension}: {place.resource}")
    return found


def get_names(place: Place) -> _Names:
    """Return the names in a resource ID: a table's, or a cluster's and a service's."""
    found = get_dimension(place).pattern.fullmatch(place.resource)
    return () if found is None else found.groups()


def make_role_arn(place: Place) -> str:
    """Return the ARN of the service-linked role that scales a place."""
    principal = f"{place.namespace}.application-autoscaling.amazonaws.com"
    name = f"AWSServiceRoleForApplicationAutoScaling_{get_dimension(place).role}"
    return f"arn:{partition_of(place.region)}:iam::{place.account}:role/aws-service-role/{principal}/{name}"


async def observe(session: Session) -> Observation:
    """Return the capacity of a resource. Raises AwsError where it is not there."""
    return await get_dimension(session.place).observe_names(session, get_names(session.place))


async def set_capacity(session: Session, capacity: int) -> None:
    """Set the capacity of a resource. Raises AwsError."""
    await get_dimension(session.place).set_names(session, get_names(session.place), capacity)
