"""The way to read resources of AWS Systems Manager Parameter Store."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call
from cloudlet.core.aws.resources.reading_declaration import Listing, Read, Reading, find_in

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
    "AWS::SSM::ResourcePolicy": Reading(
        Read(Call("GetResourcePolicies"), root=find_in("Policies", "PolicyId", "PolicyId"))
    ),
}
