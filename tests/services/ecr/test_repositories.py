"""Repositories: created, described, changed and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecr.registry import Registry, make_image
from tests.standing import eventually


def test_a_repository_is_shown_as_it_was_created(aws: Aws, ecr: Any) -> None:
    made = ecr.create_repository(
        repositoryName="shop/web",
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        tags=[{"Key": "team", "Value": "shop"}],
    )["repository"]
    host = aws.endpoint.removeprefix("http://")
    assert made["repositoryArn"] == f"arn:aws:ecr:us-east-1:{aws.account}:repository/shop/web"
    assert made["repositoryUri"] == f"{host}/{aws.account}.dkr.ecr.us-east-1.amazonaws.com/shop/web"
    assert (made["registryId"], made["imageTagMutability"]) == (aws.account, "IMMUTABLE")
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert ecr.describe_repositories(repositoryNames=["shop/web"])["repositories"] == [made]
    tags = ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "shop"}]


def test_there_is_one_of_a_name_in_a_region(aws: Aws, ecr: Any) -> None:
    ecr.create_repository(repositoryName="shop")
    assert refused(ecr.create_repository, repositoryName="shop") == (
        "RepositoryAlreadyExistsException",
        f"The repository with name 'shop' already exists in the registry with id '{aws.account}'",
    )
    aws.client("ecr", region_name="eu-west-1").create_repository(repositoryName="shop")


@pytest.mark.parametrize("name", ["Shop", "shop//web", "-shop", "shop/"])
def test_names_are_checked(ecr: Any, name: str) -> None:
    code, message = refused(ecr.create_repository, repositoryName=name)
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'repositoryName' failed to satisfy constraint: ")


def test_they_are_listed_in_pages(ecr: Any) -> None:
    names = [f"shop/{number}" for number in range(5)]
    for name in names:
        ecr.create_repository(repositoryName=name)
    pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["repositories"]) for page in pages] == [2, 2, 1]
    assert [each["repositoryName"] for page in pages for each in page["repositories"]] == names
    assert code_of(ecr.describe_repositories, nextToken="???") == "InvalidParameterException"


def test_one_that_is_not_there_is_not_found(aws: Aws, ecr: Any) -> None:
    assert refused(ecr.describe_repositories, repositoryNames=["none"]) == (
        "RepositoryNotFoundException",
        f"The repository with name 'none' does not exist in the registry with id '{aws.account}'",
    )
    assert code_of(ecr.delete_repository, repositoryName="none") == "RepositoryNotFoundException"


def test_it_is_deleted_with_its_images_only_by_force(ecr: Any, shop: Registry) -> None:
    shop.push(make_image(b"layer"), "v1")
    code, message = refused(ecr.delete_repository, repositoryName="shop/web")
    assert code == "RepositoryNotEmptyException"
    assert message.endswith("cannot be deleted because it still contains images")
    ecr.delete_repository(repositoryName="shop/web", force=True)
    ecr.create_repository(repositoryName="shop/web")
    assert ecr.list_images(repositoryName="shop/web")["imageIds"] == []
    assert shop.ask("GET", "manifests/v1").status == 404


def test_what_a_deleted_repository_had_is_removed_from_the_disk(ecr: Any, shop: Registry) -> None:
    digest = shop.upload(b"a layer that nobody else has")
    ecr.delete_repository(repositoryName="shop/web", force=True)
    ecr.create_repository(repositoryName="shop/web")

    def look() -> Any:
        found = ecr.batch_check_layer_availability(repositoryName="shop/web", layerDigests=[digest])
        return found["layers"][0]["layerAvailability"]

    assert eventually(look) == "UNAVAILABLE"


def test_mutability_and_scanning_are_changed(ecr: Any) -> None:
    ecr.create_repository(repositoryName="shop")
    filters = [{"filterType": "WILDCARD", "filter": "latest*"}]
    changed = ecr.put_image_tag_mutability(
        repositoryName="shop",
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )
    assert changed["imageTagMutabilityExclusionFilters"] == filters
    ecr.put_image_scanning_configuration(repositoryName="shop", imageScanningConfiguration={"scanOnPush": True})
    (shown,) = ecr.describe_repositories()["repositories"]
    assert (shown["imageTagMutability"], shown["imageScanningConfiguration"]) == (
        "IMMUTABLE_WITH_EXCLUSION",
        {"scanOnPush": True},
    )
    assert shown["imageTagMutabilityExclusionFilters"] == filters


@pytest.mark.parametrize(
    ("mutability", "filters"),
    [("IMMUTABLE_WITH_EXCLUSION", None), ("MUTABLE", ["a*"]), ("MUTABLE_WITH_EXCLUSION", ["*a*b*"])],
)
def test_exclusion_filters_are_checked(ecr: Any, mutability: str, filters: list[str] | None) -> None:
    given: dict[str, Any] = {}
    if filters is not None:
        given["imageTagMutabilityExclusionFilters"] = [{"filterType": "WILDCARD", "filter": each} for each in filters]
    code = code_of(ecr.create_repository, repositoryName="shop", imageTagMutability=mutability, **given)
    assert code == "InvalidParameterException"


def test_a_kms_key_has_to_be_one_that_encrypts(aws: Aws, ecr: Any) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    made = ecr.create_repository(
        repositoryName="sealed", encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key}
    )["repository"]
    assert made["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key}
    absent = key[:-12] + "000000000000"
    for wrong in (absent, kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]):
        encryption = {"encryptionType": "KMS", "kmsKey": wrong}
        code = code_of(ecr.create_repository, repositoryName="other", encryptionConfiguration=encryption)
        assert code == "KmsException"
    wrong_type = {"encryptionType": "AES256", "kmsKey": key}
    assert code_of(ecr.create_repository, repositoryName="other", encryptionConfiguration=wrong_type) == (
        "InvalidParameterException"
    )


def test_tags_are_added_and_removed(ecr: Any) -> None:
    arn = ecr.create_repository(repositoryName="shop")["repository"]["repositoryArn"]
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": "2"}]
    wrong = [{"Key": "aws:x", "Value": ""}]
    assert code_of(ecr.tag_resource, resourceArn=arn, tags=wrong) == "InvalidTagParameterException"
    many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
    assert code_of(ecr.tag_resource, resourceArn=arn, tags=many) == "TooManyTagsException"
    assert code_of(ecr.list_tags_for_resource, resourceArn=f"{arn}s") == "RepositoryNotFoundException"
    assert code_of(ecr.list_tags_for_resource, resourceArn="shop") == "InvalidParameterException"


def test_a_repository_is_created_in_ones_own_registry_only(ecr: Any) -> None:
    code = code_of(ecr.create_repository, repositoryName="shop", registryId="999999999999")
    assert code == "InvalidParameterException"
