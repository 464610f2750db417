"""The way to read resources of AWS X-Ray."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call
from cloudlet.core.aws.resources.reading_declaration import Listing, Read, Reading, find_in, read_tags

READINGS: Final = {
    "AWS::XRay::Group": Reading(
        Read(Call("GetGroup", {"GroupName": None})),
        (read_tags("ListTagsForResource", "ResourceARN", "GroupARN"),),
        Listing(Call("GetGroups")),
    ),
    "AWS::XRay::ResourcePolicy": Reading(
        Read(Call("ListResourcePolicies"), root=find_in("ResourcePolicies", "PolicyName", "PolicyName")),
        list=Listing(Call("ListResourcePolicies")),
    ),
}
