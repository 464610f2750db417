"""The way to read stacks as resources."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading


def _find_live(properties: Properties) -> Any:
    found = find_path(properties[ANSWER], "Stacks.0") or {}
    return None if found.get("StackStatus") in (None, "DELETE_COMPLETE") else found


def _find_parameters(properties: Properties) -> dict[str, Any]:
    return {one["ParameterKey"]: one.get("ParameterValue") for one in properties[ANSWER].get("Parameters") or ()}


READINGS: Final = {
    "AWS::CloudFormation::Stack": Reading(
        Read(
            Call("DescribeStacks", {"StackName": "StackId", "NextToken": None}),
            {"Parameters": _find_parameters},
            root=_find_live,
        ),
        list=Listing(Call("DescribeStacks", {"StackName": None})),
    )
}
