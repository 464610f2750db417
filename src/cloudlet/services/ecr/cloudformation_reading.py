"""The way to read resources of Amazon ECR."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags


def _list_names(properties: Properties) -> list[Any]:
    return [properties["RepositoryName"]]


def _list_prefixes(properties: Properties) -> list[Any]:
    return [properties["EcrRepositoryPrefix"]]


def _list_template_prefixes(properties: Properties) -> list[Any]:
    return [properties["Prefix"]]


def _find_exclusions(properties: Properties) -> list[dict[str, Any]]:
    return [
        {
            "ImageTagMutabilityExclusionFilterType": one["filterType"],
            "ImageTagMutabilityExclusionFilterValue": one["filter"],
        }
        for one in properties[ANSWER].get("imageTagMutabilityExclusionFilters") or ()
    ]


def _find_lifecycle(properties: Properties) -> dict[str, Any]:
    return {"LifecyclePolicyText": properties[ANSWER]["lifecyclePolicyText"]}


_CATALOG: Final = {
    "aboutText": "AboutText",
    "architectures": "Architectures",
    "description": "RepositoryDescription",
    "operatingSystems": "OperatingSystems",
    "usageText": "UsageText",
}


def _find_catalog(properties: Properties) -> dict[str, Any] | None:
    shown = properties[ANSWER].get("catalogData") or {}
    return {name: shown[member] for member, name in _CATALOG.items() if member in shown} or None


def _find_exclusion(properties: Properties) -> Any:
    found = properties[ANSWER].get("pullTimeUpdateExclusions") or ()
    return {"PrincipalArn": properties["PrincipalArn"]} if properties["PrincipalArn"] in found else None


def _find_rules(properties: Properties) -> Any:
    """Return the replication of a registry, where it has one."""
    return properties[ANSWER] if find_path(properties[ANSWER], "replicationConfiguration.rules") else None


_EXCLUSIONS: Final = {"ImageTagMutabilityExclusionFilters": _find_exclusions}

READINGS: Final = {
    "AWS::ECR::Repository": Reading(
        Read(
            Call("DescribeRepositories", {"repositoryNames": _list_names}),
            {**_EXCLUSIONS, "Arn": "repositoryArn"},
            root="repositories.0",
        ),
        (
            Read(Call("GetLifecyclePolicy"), {"LifecyclePolicy": _find_lifecycle}, is_exact=True),
            Read(Call("GetRepositoryPolicy"), {"RepositoryPolicyText": "policyText"}, is_exact=True),
            read_tags("ListTagsForResource", "resourceArn", "Arn", "tags"),
        ),
    ),
    "AWS::ECR::PublicRepository": Reading(
        Read(
            Call("DescribeRepositories", {"repositoryNames": _list_names}),
            {"Arn": "repositoryArn"},
            root="repositories.0",
        ),
        (
            Read(Call("GetRepositoryCatalogData"), {"RepositoryCatalogData": _find_catalog}, is_exact=True),
            Read(Call("GetRepositoryPolicy"), {"RepositoryPolicyText": "policyText"}, is_exact=True),
            read_tags("ListTagsForResource", "resourceArn", "Arn", "tags"),
        ),
    ),
    "AWS::ECR::PullThroughCacheRule": Reading(
        Read(
            Call("DescribePullThroughCacheRules", {"ecrRepositoryPrefixes": _list_prefixes}),
            root="pullThroughCacheRules.0",
        )
    ),
    "AWS::ECR::PullTimeUpdateExclusion": Reading(
        Read(Call("ListPullTimeUpdateExclusions"), root=_find_exclusion),
    ),
    "AWS::ECR::ReplicationConfiguration": Reading(Read(Call("DescribeRegistry"), root=_find_rules)),
    "AWS::ECR::RegistryScanningConfiguration": Reading(
        Read(Call("GetRegistryScanningConfiguration"), root="scanningConfiguration")
    ),
    "AWS::ECR::RepositoryCreationTemplate": Reading(
        Read(
            Call("DescribeRepositoryCreationTemplates", {"prefixes": _list_template_prefixes}),
            _EXCLUSIONS,
            root="repositoryCreationTemplates.0",
        ),
        list=Listing(Call("DescribeRepositoryCreationTemplates")),
    ),
}
