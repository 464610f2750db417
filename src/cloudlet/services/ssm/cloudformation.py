"""The resource types of AWS Systems Manager Parameter Store."""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Name, Properties, ResourceType


def _make_arn(properties: Properties) -> str:
    name = str(properties["Name"]).removeprefix("/")
    return "arn:{partition}:ssm:{region}:{account}:parameter/".format_map(properties) + name


RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::SSM::Parameter",
        "ssm",
        create=Call("PutParameter"),
        read=Call("GetParameter"),
        updates=(Call("PutParameter", {"Overwrite": lambda properties: True, "Tags": None}, {"Description": ""}),),
        delete=Call("DeleteParameter"),
        named=Name("Name", 1011),
        attributes={"Arn": _make_arn},
        tag=Call("AddTagsToResource", {"ResourceType": lambda properties: "Parameter", "ResourceId": "Name"}),
        untag=Call("RemoveTagsFromResource", {"ResourceType": lambda properties: "Parameter", "ResourceId": "Name"}),
    ),
    ResourceType(
        "AWS::SSM::ServiceSetting",
        "ssm",
        create=Call("UpdateServiceSetting"),
        read=Call("GetServiceSetting"),
        updates=(Call("UpdateServiceSetting"),),
        delete=Call("ResetServiceSetting"),
    ),
    ResourceType(
        "AWS::SSM::ResourcePolicy",
        "ssm",
        create=Call("PutResourcePolicy", {"PolicyId": None, "PolicyHash": None}),
        updates=(Call("PutResourcePolicy"),),
        delete=Call("DeleteResourcePolicy"),
    ),
)
