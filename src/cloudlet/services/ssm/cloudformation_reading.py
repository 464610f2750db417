"""The way to read resources of AWS Systems Manager Parameter Store."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, find_in


def _find_changed(properties: Properties) -> Any:
    setting = properties[ANSWER]["ServiceSetting"]
    return None if setting["Status"] == "Default" else setting


READINGS: Final = {
    "AWS::SSM::Parameter": Reading(
        Read(Call("GetParameter"), {"Arn": "Parameter.ARN"}),
        (
            Read(
                Call("ListTagsForResource", {"ResourceType": lambda properties: "Parameter", "ResourceId": "Name"}),
                {"Tags": "TagList"},
                is_exact=True,
            ),
        ),
        Listing(Call("DescribeParameters")),
    ),
    "AWS::SSM::ServiceSetting": Reading(Read(Call("GetServiceSetting", {"SettingId": "Arn"}), root=_find_changed)),
    "AWS::SSM::ResourcePolicy": Reading(
        Read(Call("GetResourcePolicies"), root=find_in("Policies", "PolicyId", "PolicyId"))
    ),
}
