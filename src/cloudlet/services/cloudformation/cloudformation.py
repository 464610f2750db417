"""The resource types of AWS CloudFormation itself that are operations of its own: nested stacks.

Wait conditions, custom resources and metadata have no operations: `provisioning` has them.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core.aws.resources.declaration import Call, Name, Properties, Ready, ResourceType, Source

CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
"""The capabilities of nested stacks, which their parents' templates have been reviewed for."""


def _list_capabilities(properties: Properties) -> list[str]:
    return list(CAPABILITIES)


def list_parameters(properties: Properties) -> list[dict[str, str]]:
    """Return the parameters of a nested stack as requests have them."""
    given = properties.get("Parameters") or {}
    return [
        {"ParameterKey": key, "ParameterValue": ",".join(value) if isinstance(value, list) else str(value)}
        for key, value in given.items()
    ]


_MEMBERS: Final[dict[str, Source | None]] = {
    "Capabilities": _list_capabilities,
    "Parameters": list_parameters,
    "StackName": "StackName",
}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::CloudFormation::Stack",
        "cloudformation",
        create=Call("CreateStack", {**_MEMBERS, "DisableRollback": lambda properties: False}),
        read=Call("DescribeStacks", {"StackName": "StackId", "NextToken": None}),
        exists=Call("DescribeStacks", {"NextToken": None}),
        updates=(Call("UpdateStack", {**_MEMBERS, "StackName": "StackId"}),),
        delete=Call("DeleteStack", {"StackName": "StackId", "ClientRequestToken": None}),
        named=Name("StackName", 128),
        unchanged="No updates are to be performed",
        ready=(
            Ready(
                "Stacks.0.StackStatus",
                # It cleans up once its parent does.
                ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
                (
                    "CREATE_FAILED",
                    "DELETE_COMPLETE",
                    "DELETE_FAILED",
                    "ROLLBACK_COMPLETE",
                    "ROLLBACK_FAILED",
                    "UPDATE_FAILED",
                    "UPDATE_ROLLBACK_COMPLETE",
                    "UPDATE_ROLLBACK_FAILED",
                ),
                "Stacks.0.StackStatusReason",
            ),
        ),
        attributes={"Outputs": "Stacks.0.Outputs"},
        is_deleted_later=True,
        unlisted=("StackName",),
    ),
    # These have no operations: the block itself provisions them.
    ResourceType("AWS::CDK::Metadata", "cloudformation", unlisted=("Analytics", "Modules")),
    ResourceType("AWS::CloudFormation::CustomResource", "cloudformation"),
    ResourceType("AWS::CloudFormation::Macro", "cloudformation"),
    ResourceType("AWS::CloudFormation::StackSet", "cloudformation"),
    ResourceType("AWS::CloudFormation::WaitCondition", "cloudformation"),
    ResourceType("AWS::CloudFormation::WaitConditionHandle", "cloudformation"),
)
