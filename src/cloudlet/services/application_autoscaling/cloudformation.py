"""The resource types of Application Auto Scaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import FORMER, Call, Items, Name, Properties, ResourceType

MAX_NAME_CHARACTERS: Final = 256
_TARGET: Final = ("ResourceId", "ScalableDimension", "ServiceNamespace")
"""The parts of a scalable target's identifier, in their order."""


def _get_name(item: Any) -> Any:
    return item["ScheduledActionName"]


def _find_part(position: int) -> Callable[[Properties], Any]:
    """Return what finds a part of the identifier of a policy's scalable target.

    A policy names the target at once, or by its parts.
    """

    def find(properties: Properties) -> Any:
        target = properties.get("ScalingTargetId")
        parts = str(target).split("|") if target else ()
        return parts[position] if len(parts) == len(_TARGET) else properties.get(_TARGET[position])

    return find


def _find_suspensions(properties: Properties) -> Any:
    """Return what is suspended: nothing any more where the property is gone."""
    former = (properties.get(FORMER) or {}).get("SuspendedState") or {}
    given = properties.get("SuspendedState")
    return {**dict.fromkeys(former, False), **(given or {})} if former else given


_ACTION: Final = {
    name: f"Item.{name}"
    for name in ("ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
}
_POLICY: Final = {name: _find_part(position) for position, name in enumerate(_TARGET)}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "application-autoscaling",
        create=Call("RegisterScalableTarget"),
        updates=(Call("RegisterScalableTarget", {"Tags": None, "SuspendedState": _find_suspensions}),),
        parts=(
            Items(
                "ScheduledActions",
                Call("PutScheduledAction", _ACTION),
                Call("DeleteScheduledAction", {"ScheduledActionName": "Item.ScheduledActionName"}),
                key=_get_name,
            ),
        ),
        delete=Call("DeregisterScalableTarget"),
        attributes={
            "Id": "{ResourceId}|{ScalableDimension}|{ServiceNamespace}",
            "ScalableTargetARN": "ScalableTargetARN",
        },
        tag=Call("TagResource", {"ResourceARN": "ScalableTargetARN"}),
        untag=Call("UntagResource", {"ResourceARN": "ScalableTargetARN"}),
    ),
    ResourceType(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "application-autoscaling",
        create=Call("PutScalingPolicy", _POLICY),
        named=Name("PolicyName", MAX_NAME_CHARACTERS),
        exists=Call(
            "DescribeScalingPolicies", {**_POLICY, "PolicyNames": lambda properties: [properties["PolicyName"]]}
        ),
        updates=(Call("PutScalingPolicy", _POLICY),),
        delete=Call("DeleteScalingPolicy", _POLICY),
        attributes={"Arn": "PolicyARN", "ScalableDimension": _find_part(1)},
        ref="Arn",
    ),
)
