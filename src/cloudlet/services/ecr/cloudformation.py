"""The resource types of Amazon ECR."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Name, Part, Properties, ResourceType


def _list_name(properties: Properties) -> list[Any]:
    return [properties["RepositoryName"]]


_REGISTRY: Final = {"RegistryId": "{account}"}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::ECR::Repository",
        "ecr",
        create=Call("CreateRepository", {"registryId": None}),
        exists=Call("DescribeRepositories", {"repositoryNames": _list_name}),
        parts=(
            Part(
                "LifecyclePolicy",
                Call("PutLifecyclePolicy", {"lifecyclePolicyText": "LifecyclePolicy.LifecyclePolicyText"}),
                Call("DeleteLifecyclePolicy"),
            ),
            Part(
                "RepositoryPolicyText",
                Call("SetRepositoryPolicy", {"policyText": "RepositoryPolicyText"}),
                Call("DeleteRepositoryPolicy"),
            ),
        ),
        updates=(
            Call("PutImageTagMutability", absent={"imageTagMutability": "MUTABLE"}),
            Call("PutImageScanningConfiguration", absent={"imageScanningConfiguration": {"ScanOnPush": False}}),
        ),
        delete=Call("DeleteRepository", {"force": "EmptyOnDelete"}),
        named=Name("RepositoryName", 256, is_lower=True),
        attributes={
            "Arn": "arn:{partition}:ecr:{region}:{account}:repository/{RepositoryName}",
            "RepositoryUri": "repositoryUri",
        },
        tag=Call("TagResource", {"resourceArn": "Arn"}),
        untag=Call("UntagResource", {"resourceArn": "Arn"}),
        unlisted=("EmptyOnDelete",),
        list=Call("DescribeRepositories"),
    ),
    ResourceType(
        "AWS::ECR::PullThroughCacheRule",
        "ecr",
        create=Call("CreatePullThroughCacheRule"),
        delete=Call("DeletePullThroughCacheRule"),
    ),
    ResourceType(
        "AWS::ECR::RegistryPolicy",
        "ecr",
        create=Call("PutRegistryPolicy"),
        updates=(Call("PutRegistryPolicy"),),
        delete=Call("DeleteRegistryPolicy"),
        attributes=_REGISTRY,
    ),
    ResourceType(
        "AWS::ECR::ReplicationConfiguration",
        "ecr",
        create=Call("PutReplicationConfiguration"),
        updates=(Call("PutReplicationConfiguration"),),
        delete=Call("PutReplicationConfiguration", {"replicationConfiguration": lambda properties: {"Rules": []}}),
        attributes=_REGISTRY,
    ),
    ResourceType(
        "AWS::ECR::RepositoryCreationTemplate",
        "ecr",
        create=Call("CreateRepositoryCreationTemplate"),
        updates=(Call("UpdateRepositoryCreationTemplate"),),
        delete=Call("DeleteRepositoryCreationTemplate"),
    ),
)
