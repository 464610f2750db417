"""Repositories that ECR creates by itself: pull-through caches, and templates for them."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of
from tests.services.ecr.registry import (
    Registry,
    digest_of,
    error_code,
    get_password,
    make_image,
    make_index,
    open_registry,
)
from tests.services.ecr.test_lifecycle import policy, rule
from tests.standing import Standing

HUB = "registry-1.docker.io"


def add_rule(ecr: Any, account: str, prefix: str = "cached", **more: Any) -> Any:
    """Add a rule by which images come from a registry of this Cloudlet."""
    url = f"{account}.dkr.ecr.eu-west-1.amazonaws.com"
    return ecr.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, **more)


def open_upstream(aws: Aws, name: str) -> Registry:
    """Return a repository of another region."""
    aws.client("ecr", region_name="eu-west-1").create_repository(repositoryName=name)
    return Registry(aws.endpoint, f"{aws.account}.dkr.ecr.eu-west-1.amazonaws.com/{name}", get_password(aws))


class TestCaches:
    def test_an_image_is_pulled_through(self, aws: Aws, ecr: Any) -> None:
        one = make_image(b"a layer")
        index = make_index(one)
        upstream = open_upstream(aws, "library/web")
        upstream.push(one)
        upstream.push(index, "v1")
        add_rule(ecr, aws.account)
        cached = open_registry(aws, "cached/library/web", creates=False)
        assert cached.pull("v1") == index.manifest
        assert cached.pull(one.digest) == one.manifest
        assert cached.ask("GET", f"blobs/{digest_of(b'a layer')}").data == b"a layer"
        (made,) = ecr.describe_repositories()["repositories"]
        assert made["repositoryName"] == "cached/library/web"
        # It is kept, whatever becomes of its source.
        far = aws.client("ecr", region_name="eu-west-1")
        far.delete_repository(repositoryName="library/web", force=True)
        assert cached.pull("v1") == index.manifest
        assert error_code(cached.ask("GET", "manifests/v2")) == (404, "MANIFEST_UNKNOWN")

    def test_by_another_prefix_and_for_all_names(self, aws: Aws, ecr: Any) -> None:
        image = make_image(b"layer")
        open_upstream(aws, "library/web").push(image, "v1")
        add_rule(ecr, aws.account, "ROOT", upstreamRepositoryPrefix="library")
        assert open_registry(aws, "web", creates=False).pull("v1") == image.manifest

    def test_a_tag_that_moves_over_there_is_followed_after_a_day(self, standing: Standing) -> None:
        aws = standing.account()
        old, new = make_image(b"old"), make_image(b"new")
        upstream = open_upstream(aws, "web")
        upstream.push(old, "v1")
        add_rule(aws.client("ecr"), aws.account)
        cached = open_registry(aws, "cached/web", creates=False)
        assert cached.pull("v1") == old.manifest
        upstream.push(new, "v1")
        assert cached.pull("v1") == old.manifest
        standing.advance("25h")
        cached = open_registry(aws, "cached/web", creates=False)
        assert cached.pull("v1") == new.manifest
        aws.client("ecr", region_name="eu-west-1").delete_repository(repositoryName="web", force=True)
        standing.advance("11h")
        assert cached.pull("v1") == new.manifest

    def test_the_api_pulls_through_too(self, aws: Aws, ecr: Any) -> None:
        image = make_image(b"layer")
        open_upstream(aws, "web").push(image, "v1")
        add_rule(ecr, aws.account)
        found = ecr.batch_get_image(repositoryName="cached/web", imageIds=[{"imageTag": "v1"}])
        assert found["images"][0]["imageId"]["imageDigest"] == image.digest
        asked = {"repositoryName": "cached/none", "imageIds": [{"imageTag": "v1"}]}
        assert code_of(ecr.batch_get_image, **asked) == "UnableToGetUpstreamImageException"

    def test_what_was_archived_is_not_fetched_anew(self, aws: Aws, ecr: Any) -> None:
        open_upstream(aws, "web").push(make_image(b"layer"), "v1")
        add_rule(ecr, aws.account)
        cached = open_registry(aws, "cached/web", creates=False)
        cached.pull("v1")
        named = {"repositoryName": "cached/web", "imageId": {"imageTag": "v1"}}
        ecr.update_image_storage_class(**named, targetStorageClass="ARCHIVE")
        assert error_code(cached.ask("GET", "manifests/v1")) == (404, "MANIFEST_UNKNOWN")
        assert ecr.update_image_storage_class(**named, targetStorageClass="ARCHIVE")["imageStatus"] == "ARCHIVED"

    def test_rules_are_kept(self, aws: Aws, ecr: Any) -> None:
        made = add_rule(ecr, aws.account, "cached/")
        assert (made["ecrRepositoryPrefix"], made["upstreamRegistry"]) == ("cached", "ecr")
        assert code_of(add_rule, ecr, aws.account) == "PullThroughCacheRuleAlreadyExistsException"
        (shown,) = ecr.describe_pull_through_cache_rules()["pullThroughCacheRules"]
        assert shown["upstreamRegistryUrl"] == made["upstreamRegistryUrl"]
        assert ecr.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["cached"])["pullThroughCacheRules"] == [
            shown
        ]
        assert ecr.validate_pull_through_cache_rule(ecrRepositoryPrefix="cached")["isValid"]
        changed = ecr.update_pull_through_cache_rule(
            ecrRepositoryPrefix="cached", customRoleArn=f"arn:aws:iam::{aws.account}:role/pull"
        )
        assert changed["customRoleArn"].endswith("role/pull")
        ecr.delete_pull_through_cache_rule(ecrRepositoryPrefix="cached")
        missing = "PullThroughCacheRuleNotFoundException"
        assert code_of(ecr.delete_pull_through_cache_rule, ecrRepositoryPrefix="cached") == missing
        assert code_of(ecr.describe_pull_through_cache_rules, ecrRepositoryPrefixes=["cached"]) == missing

    def test_upstream_registries_are_those_of_aws(self, aws: Aws, ecr: Any) -> None:
        create = ecr.create_pull_through_cache_rule
        asked: dict[str, Any] = {"ecrRepositoryPrefix": "hub"}
        unsupported = "UnsupportedUpstreamRegistryException"
        assert code_of(create, **asked, upstreamRegistryUrl="registry.example") == unsupported
        assert code_of(create, **asked, upstreamRegistryUrl="quay.io", upstreamRegistry="k8s") == unsupported
        assert code_of(create, **asked, upstreamRegistryUrl=HUB) == "InvalidParameterException"
        absent = f"arn:aws:secretsmanager:us-east-1:{aws.account}:secret:ecr-pullthroughcache/hub-abcdef"
        code = code_of(create, **asked, upstreamRegistryUrl=HUB, credentialArn=absent)
        assert code == "SecretNotFoundException"
        secret = aws.client("secretsmanager").create_secret(
            Name="ecr-pullthroughcache/hub", SecretString=json.dumps({"username": "me", "accessToken": "token"})
        )["ARN"]
        create(**asked, upstreamRegistryUrl=f"https://{HUB}", credentialArn=secret)


class TestTemplates:
    def test_one_says_how_repositories_are(self, aws: Aws, ecr: Any) -> None:
        open_upstream(aws, "web").push(make_image(b"layer"), "v1")
        add_rule(ecr, aws.account)
        text = policy(rule())
        ecr.create_repository_creation_template(
            prefix="cached",
            imageTagMutability="IMMUTABLE",
            resourceTags=[{"Key": "team", "Value": "shop"}],
            lifecyclePolicy=text,
            appliedFor=["PULL_THROUGH_CACHE"],
        )
        open_registry(aws, "cached/web", creates=False).pull("v1")
        (made,) = ecr.describe_repositories()["repositories"]
        assert made["imageTagMutability"] == "IMMUTABLE"
        assert ecr.get_lifecycle_policy(repositoryName="cached/web")["lifecyclePolicyText"] == text
        tags = ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
        assert tags == [{"Key": "team", "Value": "shop"}]

    def test_one_creates_repositories_on_push(self, aws: Aws, ecr: Any) -> None:
        new = open_registry(aws, "team/new", creates=False)
        assert error_code(new.ask("POST", "blobs/uploads/")) == (404, "NAME_UNKNOWN")
        ecr.create_repository_creation_template(prefix="ROOT", appliedFor=["CREATE_ON_PUSH"])
        ecr.create_repository_creation_template(
            prefix="team", appliedFor=["CREATE_ON_PUSH"], imageTagMutability="IMMUTABLE"
        )
        new.push(make_image(b"layer"), "v1")
        open_registry(aws, "other", creates=False).push(make_image(b"layer"), "v1")
        found = {
            each["repositoryName"]: each["imageTagMutability"] for each in ecr.describe_repositories()["repositories"]
        }
        assert found == {"team/new": "IMMUTABLE", "other": "MUTABLE"}

    def test_they_are_kept(self, ecr: Any) -> None:
        made = ecr.create_repository_creation_template(
            prefix="team/", description="of the team", appliedFor=["REPLICATION"]
        )["repositoryCreationTemplate"]
        assert (made["prefix"], made["description"]) == ("team", "of the team")
        code = code_of(ecr.create_repository_creation_template, prefix="team", appliedFor=["REPLICATION"])
        assert code == "TemplateAlreadyExistsException"
        changed = ecr.update_repository_creation_template(
            prefix="team", description="new", imageTagMutability="IMMUTABLE", appliedFor=["CREATE_ON_PUSH"]
        )["repositoryCreationTemplate"]
        assert (changed["imageTagMutability"], changed["appliedFor"]) == ("IMMUTABLE", ["CREATE_ON_PUSH"])
        assert ecr.describe_repository_creation_templates()["repositoryCreationTemplates"] == [changed]
        found = ecr.describe_repository_creation_templates(prefixes=["none"])["repositoryCreationTemplates"]
        assert found == []
        ecr.delete_repository_creation_template(prefix="team")
        for call in (ecr.delete_repository_creation_template, ecr.update_repository_creation_template):
            assert code_of(call, prefix="team") == "TemplateNotFoundException"

    def test_their_policies_are_checked(self, ecr: Any) -> None:
        for wrong in ({"repositoryPolicy": "{}"}, {"lifecyclePolicy": "{}"}):
            code = code_of(ecr.create_repository_creation_template, prefix="team", appliedFor=["REPLICATION"], **wrong)
            assert code == "InvalidParameterException"
