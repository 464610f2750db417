"""The resource types of Amazon ECR."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Name, Part, Properties, ResourceType

_TYPE, _VALUE = "ImageTagMutabilityExclusionFilterType", "ImageTagMutabilityExclusionFilterValue"


def _list_exclusions(properties: Properties) -> list[dict[str, str]] | None:
    filters = properties.get("ImageTagMutabilityExclusionFilters")
    return [{"filterType": each[_TYPE], "filter": each[_VALUE]} for each in filters] if filters else None


def _list_names(properties: Properties) -> list[str]:
    return [properties["RepositoryName"]]


def _list_prefixes(properties: Properties) -> list[str]:
    return [properties["EcrRepositoryPrefix"]]


def _list_template_prefixes(properties: Properties) -> list[str]:
    return [properties["Prefix"]]


def _make_catalog(properties: Properties) -> dict[str, Any]:
    """Return what the gallery shows of a public repository, as the API has it."""
    given = properties.get("RepositoryCatalogData") or {}
    names = {"RepositoryDescription": "description"}
    return {names.get(name, f"{name[0].lower()}{name[1:]}"): value for name, value in given.items()}


def _make_empty_rules(properties: Properties) -> dict[str, Any]:
    return {"Rules": []}


_EXCLUSIONS: Final[dict[str, Any]] = {"imageTagMutabilityExclusionFilters": _list_exclusions}
_RESOURCE: Final[dict[str, Any]] = {"resourceArn": "Arn"}

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::ECR::Repository",
        "ecr",
        create=Call("CreateRepository", _EXCLUSIONS),
        read=Call("DescribeRepositories", {"repositoryNames": _list_names}),
        updates=(
            Call("PutImageTagMutability", _EXCLUSIONS, {"imageTagMutability": "MUTABLE"}),
            Call(
                "PutImageScanningConfiguration",
                absent={"imageScanningConfiguration": {"scanOnPush": False}},
            ),
        ),
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
        delete=Call("DeleteRepository", {"force": "EmptyOnDelete"}),
        named=Name("RepositoryName", 256, is_lower=True),
        attributes={
            "Arn": "arn:{partition}:ecr:{region}:{account}:repository/{RepositoryName}",
            "RepositoryUri": "repositoryUri",
        },
        tag=Call("TagResource", _RESOURCE),
        unlisted=("EmptyOnDelete",),
        list=Call("DescribeRepositories"),
    ),
    ResourceType(
        "AWS::ECR::PublicRepository",
        "ecr-public",
        create=Call("CreateRepository", {"catalogData": _make_catalog}),
        read=Call("DescribeRepositories", {"repositoryNames": _list_names}),
        updates=(Call("PutRepositoryCatalogData", {"catalogData": _make_catalog}),),
        parts=(
            Part(
                "RepositoryPolicyText",
                Call("SetRepositoryPolicy", {"policyText": "RepositoryPolicyText"}),
                Call("DeleteRepositoryPolicy"),
            ),
        ),
        delete=Call("DeleteRepository"),
        named=Name("RepositoryName", 205, is_lower=True),
        attributes={"Arn": "arn:{partition}:ecr-public::{account}:repository/{RepositoryName}"},
        tag=Call("TagResource", _RESOURCE),
        list=Call("DescribeRepositories"),
    ),
    ResourceType(
        "AWS::ECR::PullThroughCacheRule",
        "ecr",
        create=Call("CreatePullThroughCacheRule"),
        read=Call("DescribePullThroughCacheRules", {"ecrRepositoryPrefixes": _list_prefixes}),
        delete=Call("DeletePullThroughCacheRule"),
        list=Call("DescribePullThroughCacheRules"),
    ),
    ResourceType(
        "AWS::ECR::PullTimeUpdateExclusion",
        "ecr",
        create=Call("RegisterPullTimeUpdateExclusion"),
        delete=Call("DeregisterPullTimeUpdateExclusion"),
        list=Call("ListPullTimeUpdateExclusions"),
    ),
    ResourceType(
        "AWS::ECR::RegistryPolicy",
        "ecr",
        create=Call("PutRegistryPolicy"),
        read=Call("GetRegistryPolicy"),
        updates=(Call("PutRegistryPolicy"),),
        delete=Call("DeleteRegistryPolicy"),
        attributes={"RegistryId": "{account}"},
    ),
    ResourceType(
        "AWS::ECR::RegistryScanningConfiguration",
        "ecr",
        create=Call("PutRegistryScanningConfiguration"),
        read=Call("GetRegistryScanningConfiguration"),
        updates=(Call("PutRegistryScanningConfiguration"),),
        delete=Call("PutRegistryScanningConfiguration", {"rules": lambda properties: []}),
        attributes={"RegistryId": "{account}"},
    ),
    ResourceType(
        "AWS::ECR::ReplicationConfiguration",
        "ecr",
        create=Call("PutReplicationConfiguration"),
        read=Call("DescribeRegistry"),
        updates=(Call("PutReplicationConfiguration"),),
        delete=Call("PutReplicationConfiguration", {"replicationConfiguration": _make_empty_rules}),
        attributes={"RegistryId": "{account}"},
    ),
    ResourceType(
        "AWS::ECR::RepositoryCreationTemplate",
        "ecr",
        create=Call("CreateRepositoryCreationTemplate", _EXCLUSIONS),
        read=Call("DescribeRepositoryCreationTemplates", {"prefixes": _list_template_prefixes}),
        updates=(Call("UpdateRepositoryCreationTemplate", _EXCLUSIONS),),
        delete=Call("DeleteRepositoryCreationTemplate"),
        attributes={
            "CreatedAt": "repositoryCreationTemplate.createdAt",
            "UpdatedAt": "repositoryCreationTemplate.updatedAt",
        },
    ),
)
