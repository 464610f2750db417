"""Replication to other regions and accounts."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws, fresh_account
from tests.modes import meaningless_in
from tests.refused import code_of
from tests.services.ecr.registry import Registry, digest_of, get_password, make_image, make_index
from tests.standing import eventually

NAME = "shop/web"


def configure(ecr: Any, account: str, *regions: str, **more: Any) -> None:
    destinations = [{"region": region, "registryId": account} for region in regions]
    ecr.put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": destinations, **more}]},
    )


def get_statuses(ecr: Any, tag: str = "v1") -> dict[str, str]:
    found = ecr.describe_image_replication_status(repositoryName=NAME, imageId={"imageTag": tag})
    return {each["region"]: each["status"] for each in found["replicationStatuses"]}


def list_tags(ecr: Any) -> dict[str, list[str]]:
    try:
        found = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    except ecr.exceptions.RepositoryNotFoundException:
        return {}
    return {each["imageDigest"]: each.get("imageTags", []) for each in found}


def test_an_image_is_replicated_with_its_tag(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1", "eu-central-1")
    assert len(ecr.describe_registry()["replicationConfiguration"]["rules"]) == 1
    image = make_image(b"a layer")
    shop.push(image, "v1")
    done = {"eu-west-1": "COMPLETE", "eu-central-1": "COMPLETE"}
    eventually(lambda: get_statuses(ecr), lambda seen: seen == done)
    far = aws.client("ecr", region_name="eu-west-1")
    assert list_tags(far) == {image.digest: ["v1"]}
    name = f"{aws.account}.dkr.ecr.eu-west-1.amazonaws.com/{NAME}"
    registry = Registry(aws.endpoint, name, get_password(aws))
    assert registry.pull("v1") == image.manifest
    assert registry.ask("GET", f"blobs/{digest_of(b'a layer')}").data == b"a layer"


def test_an_index_comes_with_its_images(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1")
    one, two = make_image(b"one"), make_image(b"two", architecture="arm64")
    index = make_index(one, two)
    for each in (one, two):
        shop.push(each)
    shop.push(index, "v1")
    far = aws.client("ecr", region_name="eu-west-1")
    eventually(lambda: list_tags(far), lambda seen: set(seen) == {one.digest, two.digest, index.digest})
    eventually(lambda: list_tags(far), lambda seen: seen[index.digest] == ["v1"])


def test_filters_choose_repositories(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1", repositoryFilters=[{"filter": "other", "filterType": "PREFIX_MATCH"}])
    shop.push(make_image(b"layer"), "v1")
    assert get_statuses(ecr) == {}


@meaningless_in("strict", because="another account's registry has to let images in")
def test_to_another_account(aws: Aws, ecr: Any, shop: Registry) -> None:
    other = Aws(aws.endpoint, fresh_account())
    configure(ecr, other.account, "us-east-1")
    image = make_image(b"layer")
    shop.push(image, "v1")
    eventually(lambda: list_tags(other.client("ecr")), lambda seen: seen == {image.digest: ["v1"]})


def test_a_tag_that_stays_over_there_makes_it_fail(aws: Aws, ecr: Any, shop: Registry) -> None:
    far = aws.client("ecr", region_name="eu-west-1")
    far.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    configure(ecr, aws.account, "eu-west-1")
    shop.push(make_image(b"one"), "v1")
    eventually(lambda: get_statuses(ecr), lambda seen: seen == {"eu-west-1": "COMPLETE"})
    shop.push(make_image(b"two"), "v1")
    eventually(lambda: get_statuses(ecr), lambda seen: seen == {"eu-west-1": "FAILED"})


def test_deletions_are_replicated_where_rules_say_so(aws: Aws, ecr: Any, shop: Registry) -> None:
    configure(ecr, aws.account, "eu-west-1", deleteReplication={"enabled": True})
    image = make_image(b"layer")
    shop.push(image, "v1")
    far = aws.client("ecr", region_name="eu-west-1")
    eventually(lambda: list_tags(far), lambda seen: seen == {image.digest: ["v1"]})
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": image.digest}])
    eventually(lambda: list_tags(far), lambda seen: seen == {})


def test_a_registry_is_not_its_own_destination(aws: Aws, ecr: Any) -> None:
    assert code_of(configure, ecr, aws.account, "us-east-1") == "InvalidParameterException"
