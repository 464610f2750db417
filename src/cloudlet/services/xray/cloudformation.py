"""The resource types of AWS X-Ray."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, ResourceType

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::XRay::Group",
        "xray",
        create=Call("CreateGroup"),
        updates=(Call("UpdateGroup"),),
        delete=Call("DeleteGroup", {"GroupName": None}),
        tag=Call("TagResource", {"ResourceARN": "GroupARN"}),
        untag=Call("UntagResource", {"ResourceARN": "GroupARN"}),
    ),
    ResourceType(
        "AWS::XRay::ResourcePolicy",
        "xray",
        create=Call("PutResourcePolicy"),
        updates=(Call("PutResourcePolicy"),),
        delete=Call("DeleteResourcePolicy"),
    ),
)
