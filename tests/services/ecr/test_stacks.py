"""ECR's resource types in stacks of CloudFormation."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of
from tests.services.cloudformation.deploying import Stacks
from tests.services.ecr.registry import make_image, open_registry

LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "Untagged images should not exist, but expire any older than one year",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 365,
            },
            "action": {"type": "expire"},
        }
    ]
}
REPOSITORY: dict[str, Any] = {
    "ImageTagMutability": "IMMUTABLE",
    "LifecyclePolicy": {"LifecyclePolicyText": json.dumps(LIFECYCLE)},
    "RepositoryName": {"Fn::Sub": "cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}"},
    "RepositoryPolicyText": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "LambdaECRImageRetrievalPolicy",
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Condition": {
                    "StringLike": {"aws:sourceArn": {"Fn::Sub": "arn:aws:lambda:*:${AWS::AccountId}:function:*"}}
                },
            }
        ],
    },
}
"""The repository of CDK's bootstrap stack."""
OUTPUTS = {
    "Ref": {"Value": {"Ref": "Assets"}},
    "Arn": {"Value": {"Fn::GetAtt": ["Assets", "Arn"]}},
    "Uri": {"Value": {"Fn::GetAtt": ["Assets", "RepositoryUri"]}},
}


def describe(**properties: Any) -> dict[str, Any]:
    resource = {"Type": "AWS::ECR::Repository", "Properties": properties}
    return {"Resources": {"Assets": resource}, "Outputs": OUTPUTS}


def test_a_repository_is_made_changed_and_deleted(aws: Aws, ecr: Any) -> None:
    stacks = Stacks(aws)
    assert stacks.create("boot", describe(**REPOSITORY))["StackStatus"] == "CREATE_COMPLETE"
    name = f"cdk-hnb659fds-container-assets-{aws.account}-us-east-1"
    (made,) = ecr.describe_repositories()["repositories"]
    assert (made["repositoryName"], made["imageTagMutability"]) == (name, "IMMUTABLE")
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]) == LIFECYCLE
    policy = json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"])
    assert policy["Statement"][0]["Sid"] == "LambdaECRImageRetrievalPolicy"
    assert stacks.outputs("boot") == {"Ref": name, "Arn": made["repositoryArn"], "Uri": made["repositoryUri"]}

    filters = [
        {"ImageTagMutabilityExclusionFilterType": "WILDCARD", "ImageTagMutabilityExclusionFilterValue": "latest"}
    ]
    changed = {
        "RepositoryName": REPOSITORY["RepositoryName"],
        "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "ImageTagMutabilityExclusionFilters": filters,
        "ImageScanningConfiguration": {"ScanOnPush": True},
        "EmptyOnDelete": True,
        "Tags": [{"Key": "team", "Value": "shop"}],
    }
    assert stacks.update("boot", describe(**changed))["StackStatus"] == "UPDATE_COMPLETE"
    (made,) = ecr.describe_repositories()["repositories"]
    assert made["imageTagMutabilityExclusionFilters"] == [{"filterType": "WILDCARD", "filter": "latest"}]
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert {"Key": "team", "Value": "shop"} in ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
    assert code_of(ecr.get_lifecycle_policy, repositoryName=name) == "LifecyclePolicyNotFoundException"
    assert code_of(ecr.get_repository_policy, repositoryName=name) == "RepositoryPolicyNotFoundException"

    open_registry(aws, name, creates=False).push(make_image(b"layer"), "v1")
    assert stacks.delete("boot")["StackStatus"] == "DELETE_COMPLETE"
    assert ecr.describe_repositories()["repositories"] == []


def test_a_repository_with_images_stays_unless_it_may_be_emptied(aws: Aws, ecr: Any) -> None:
    stacks = Stacks(aws)
    stacks.create("boot", describe())
    name = stacks.outputs("boot")["Ref"]
    assert name.startswith("boot-assets-")
    open_registry(aws, name, creates=False).push(make_image(b"layer"), "v1")
    assert stacks.delete("boot")["StackStatus"] == "DELETE_FAILED"


def test_the_settings_of_a_registry(aws: Aws, ecr: Any) -> None:
    account = {"Ref": "AWS::AccountId"}
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "ecr:ReplicateImage",
        "Resource": "*",
    }
    resources = {
        "Policy": ("RegistryPolicy", {"PolicyText": {"Version": "2012-10-17", "Statement": [statement]}}),
        "Replication": (
            "ReplicationConfiguration",
            {
                "ReplicationConfiguration": {
                    "Rules": [{"Destinations": [{"Region": "eu-west-1", "RegistryId": account}]}]
                }
            },
        ),
        "Scanning": (
            "RegistryScanningConfiguration",
            {
                "ScanType": "BASIC",
                "Rules": [
                    {
                        "ScanFrequency": "SCAN_ON_PUSH",
                        "RepositoryFilters": [{"Filter": "*", "FilterType": "WILDCARD"}],
                    }
                ],
            },
        ),
        "Cache": (
            "PullThroughCacheRule",
            {"EcrRepositoryPrefix": "quay", "UpstreamRegistryUrl": "quay.io", "UpstreamRegistry": "quay"},
        ),
        "Template": ("RepositoryCreationTemplate", {"Prefix": "quay", "AppliedFor": ["PULL_THROUGH_CACHE"]}),
        "Exclusion": ("PullTimeUpdateExclusion", {"PrincipalArn": "arn:aws:iam::111111111111:role/scanner"}),
    }
    template = {
        "Resources": {
            name: {"Type": f"AWS::ECR::{kind}", "Properties": properties}
            for name, (kind, properties) in resources.items()
        }
    }
    stacks = Stacks(aws)
    assert stacks.create("registry", template)["StackStatus"] == "CREATE_COMPLETE"
    assert ecr.get_registry_policy()["policyText"]
    assert len(ecr.describe_registry()["replicationConfiguration"]["rules"]) == 1
    assert len(ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"]) == 1
    assert len(ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]) == 1
    assert len(ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]) == 1
    assert len(ecr.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]) == 1
    assert stacks.delete("registry")["StackStatus"] == "DELETE_COMPLETE"
    assert code_of(ecr.get_registry_policy) == "RegistryPolicyNotFoundException"
    assert ecr.describe_registry()["replicationConfiguration"]["rules"] == []
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["rules"] == []
    assert ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []
