"""The resource types of AWS X-Ray."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, ResourceType


def _make_rule(properties: Properties) -> dict[str, Any]:
    return {"Version": 1, **properties["SamplingRule"]}


def _make_rule_update(properties: Properties) -> dict[str, Any]:
    """Return the members of a rule that can be changed; its name cannot be. Raises ValueError."""
    given, arn = properties["SamplingRule"], str(properties["RuleARN"])
    if given.get("RuleName") != arn.rpartition("/")[2]:
        raise ValueError("The name of a sampling rule cannot be changed.")
    return {**{name: value for name, value in given.items() if name not in ("RuleName", "Version")}, "RuleARN": arn}


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::XRay::Group",
        "xray",
        create=Call("CreateGroup"),
        updates=(Call("UpdateGroup"),),
        delete=Call("DeleteGroup", {"GroupName": None}),
        undeletable="Group not found",
        tag=Call("TagResource", {"ResourceARN": "GroupARN"}),
    ),
    ResourceType(
        "AWS::XRay::SamplingRule",
        "xray",
        create=Call("CreateSamplingRule", {"SamplingRule": _make_rule}),
        updates=(Call("UpdateSamplingRule", {"SamplingRuleUpdate": _make_rule_update}),),
        delete=Call("DeleteSamplingRule", {"RuleName": None}),
        attributes={"RuleARN": "SamplingRuleRecord.SamplingRule.RuleARN"},
        tag=Call("TagResource", {"ResourceARN": "RuleARN"}),
    ),
    ResourceType(
        "AWS::XRay::ResourcePolicy",
        "xray",
        create=Call("PutResourcePolicy"),
        updates=(Call("PutResourcePolicy"),),
        delete=Call("DeleteResourcePolicy"),
    ),
)
