"""Lifecycle policies: validated, previewed and carried out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecr.registry import (
    MANIFEST,
    Registry,
    describe,
    list_digests,
    make_image,
    make_index,
    open_registry,
)
from tests.standing import Standing, eventually

NAME = "shop/web"


def rule(priority: int = 1, *, action: str = "expire", target: str = "", **selection: Any) -> dict[str, Any]:
    return {
        "rulePriority": priority,
        "description": "a rule of a test, with a description that makes the whole policy long enough for the API",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1, **selection},
        "action": {"type": action, **({"targetStorageClass": target} if target else {})},
    }


def policy(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": list(rules)})


OLD = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}
UNUSED = {**OLD, "countType": "sinceImagePulled"}
ARCHIVED = {"storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90}
TO_ARCHIVE = {"action": "transition", "target": "archive"}


@pytest.fixture
def account(standing: Standing) -> Aws:
    return standing.account()


@pytest.fixture
def ecr(account: Aws) -> Any:
    return account.client("ecr")


@pytest.fixture
def shop(account: Aws) -> Registry:
    return open_registry(account, NAME)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [rule(0)],
        [rule(countNumber=0)],
        [rule(1), rule(1)],
        [rule(1), rule(2, tagStatus="untagged")],
        [rule(1, tagStatus="untagged"), rule(2, tagStatus="untagged")],
        [rule(tagStatus="tagged")],
        [rule(tagStatus="tagged", tagPrefixList=[])],
        [rule(tagStatus="tagged", tagPrefixList=["a"], tagPatternList=["b*"])],
        [rule(tagStatus="tagged", tagPatternList=["*****"])],
        [rule(tagPrefixList=["a"])],
        [rule(number, tagStatus="tagged", tagPrefixList=["a"]) for number in (1, 2)],
        [rule(countUnit="days")],
        [rule(countType="sinceImagePushed")],
        [rule(countType="never")],
        [rule(more="x")],
        [rule(action="keep")],
        [rule(action="transition")],
        [rule(target="archive")],
        [rule(**UNUSED)],
        [rule(storageClass="archive")],
        [rule(**{**ARCHIVED, "storageClass": "standard"})],
        [rule(**{**ARCHIVED, "countNumber": 89})],
        [rule(**ARCHIVED, **TO_ARCHIVE)],
    ],
)
def test_rules_are_checked(ecr: Any, shop: Registry, rules: list[dict[str, Any]]) -> None:
    text = policy(*rules).ljust(100)
    code, message = refused(ecr.put_lifecycle_policy, repositoryName=NAME, lifecyclePolicyText=text)
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle pol")


def test_a_policy_is_put_got_and_deleted(ecr: Any, shop: Registry) -> None:
    text = policy(rule())
    missing = "LifecyclePolicyNotFoundException"
    assert code_of(ecr.get_lifecycle_policy, repositoryName=NAME) == missing
    assert code_of(ecr.delete_lifecycle_policy, repositoryName=NAME) == missing
    assert code_of(ecr.start_lifecycle_policy_preview, repositoryName=NAME) == missing
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=text)
    assert ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"] == text
    assert ecr.delete_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"] == text
    assert code_of(ecr.get_lifecycle_policy, repositoryName=NAME) == missing


def preview(ecr: Any, *rules: dict[str, Any], **more: Any) -> Any:
    ecr.start_lifecycle_policy_preview(repositoryName=NAME, lifecyclePolicyText=policy(*rules))
    return ecr.get_lifecycle_policy_preview(repositoryName=NAME, **more)


def expiring(ecr: Any, *rules: dict[str, Any]) -> dict[str, int]:
    """Return the images that a policy would have expire, and the priorities of the rules by which."""
    found = preview(ecr, *rules)["previewResults"]
    return {each["imageDigest"]: each["appliedRulePriority"] for each in found}


def push(standing: Standing, shop: Registry, *tags: str, number: int = 0) -> str:
    """Push an image, a minute after the one before; return its digest."""
    standing.advance("1m")
    image = make_image(f"{tags} {number}".encode())
    digest = shop.push(image, *tags[:1])
    for tag in tags[1:]:
        shop.put(image.manifest, tag)
    return digest


def test_a_preview_deletes_nothing(standing: Standing, ecr: Any, shop: Registry) -> None:
    assert code_of(ecr.get_lifecycle_policy_preview, repositoryName=NAME) == "LifecyclePolicyPreviewNotFoundException"
    digests = [push(standing, shop, f"v{number}") for number in range(3)]
    seen = preview(ecr, rule())
    assert seen["status"] == "COMPLETE"
    assert seen["summary"] == {"expiringImageTotalCount": 2}
    assert {each["imageDigest"] for each in seen["previewResults"]} == set(digests[:2])
    assert all(each["action"] == {"type": "EXPIRE"} for each in seen["previewResults"])
    assert list_digests(ecr, NAME) == sorted(digests)
    first = preview(ecr, rule(), maxResults=1)
    second = ecr.get_lifecycle_policy_preview(repositoryName=NAME, maxResults=1, nextToken=first["nextToken"])
    assert "nextToken" not in second
    assert [*first["previewResults"], *second["previewResults"]] == seen["previewResults"]
    only = ecr.get_lifecycle_policy_preview(repositoryName=NAME, imageIds=[{"imageTag": "v0"}])["previewResults"]
    assert [each["imageTags"] for each in only] == [["v0"]]
    untagged = ecr.get_lifecycle_policy_preview(repositoryName=NAME, filter={"tagStatus": "UNTAGGED"})
    assert untagged["previewResults"] == []


def test_rules_select_by_tags(standing: Standing, ecr: Any, shop: Registry) -> None:
    prod = push(standing, shop, "prod-1", "a")
    dev = push(standing, shop, "dev-1")
    none = push(standing, shop)
    standing.advance("8d")
    assert set(expiring(ecr, rule(tagStatus="untagged", **OLD))) == {none}
    assert set(expiring(ecr, rule(tagStatus="tagged", tagPrefixList=["prod"], **OLD))) == {prod}
    assert set(expiring(ecr, rule(tagStatus="tagged", tagPatternList=["*-1"], **OLD))) == {prod, dev}
    # An image is to have tags for all patterns.
    assert set(expiring(ecr, rule(tagStatus="tagged", tagPatternList=["*-1", "a*"], **OLD))) == {prod}
    assert set(expiring(ecr, rule(tagStatus="tagged", tagPrefixList=["prod", "dev"], **OLD))) == set()
    assert set(expiring(ecr, rule(**OLD))) == {prod, dev, none}


def test_an_image_expires_by_the_first_rule_though_all_rules_see_it(
    standing: Standing, ecr: Any, shop: Registry
) -> None:
    digests = [push(standing, shop, f"v{number}") for number in range(3)]
    first = rule(1, tagStatus="tagged", tagPrefixList=["v0"], **{**OLD, "countNumber": 1})
    standing.advance("2d")
    assert expiring(ecr, first, rule(2, countNumber=2)) == {digests[0]: 1}
    assert expiring(ecr, first, rule(2)) == {digests[0]: 1, digests[1]: 2}


def test_an_image_that_matches_a_rule_is_left_alone_by_later_ones(standing: Standing, ecr: Any, shop: Registry) -> None:
    # The user guide's examples A and B of policies with several rules.
    oldest = push(standing, shop, "beta-1", "prod-1")
    older = push(standing, shop, "beta-2", "prod-2")
    push(standing, shop, "beta-3")
    prod = {"tagStatus": "tagged", "tagPrefixList": ["prod"]}
    beta = {"tagStatus": "tagged", "tagPrefixList": ["beta"]}
    assert expiring(ecr, rule(1, **prod), rule(2, **beta)) == {oldest: 1}
    assert expiring(ecr, rule(1, **beta), rule(2, **prod)) == {oldest: 1, older: 1}


def test_a_pull_keeps_an_image(standing: Standing, ecr: Any, account: Aws) -> None:
    shop = open_registry(account, NAME)
    old, used = push(standing, shop, "old"), push(standing, shop, "used")
    standing.advance("6d")
    open_registry(account, NAME, creates=False).pull("used")
    standing.advance("2d")
    assert set(expiring(ecr, rule(**UNUSED, **TO_ARCHIVE))) == {old}
    assert set(expiring(ecr, rule(**OLD))) == {old, used}


def test_an_image_that_an_index_names_stays(standing: Standing, ecr: Any, shop: Registry) -> None:
    one = make_image(b"one")
    shop.push(one)
    index = make_index(one)
    shop.push(index, "v1")
    standing.advance("8d")
    assert set(expiring(ecr, rule(**OLD))) == {index.digest}


def test_what_is_about_an_image_goes_with_it(standing: Standing, ecr: Any, shop: Registry) -> None:
    subject = make_image(b"one")
    shop.push(subject, "v1")
    signature = make_image(b"a signature", subject=describe(subject.manifest, MANIFEST))
    shop.push(signature)
    standing.advance("8d")
    tagged = rule(tagStatus="tagged", tagPrefixList=["v"], **OLD)
    assert set(expiring(ecr, tagged)) == {subject.digest, signature.digest}


def test_images_are_archived_and_expire_from_there(standing: Standing, ecr: Any, shop: Registry) -> None:
    old, new = push(standing, shop, "old"), push(standing, shop, "new")
    rules = rule(1, **TO_ARCHIVE), rule(2, **ARCHIVED)
    seen = preview(ecr, *rules)
    assert seen["summary"] == {
        "expiringImageTotalCount": 0,
        "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 1}],
    }
    (found,) = seen["previewResults"]
    assert found["action"] == {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}
    assert (found["imageDigest"], found["storageClass"]) == (old, "STANDARD")
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(*rules))
    standing.advance("61m")
    eventually(lambda: list_digests(ecr, NAME), lambda seen: seen == [new])
    archived = {"filter": {"imageStatus": "ARCHIVED"}}
    assert [each["imageDigest"] for each in ecr.list_images(repositoryName=NAME, **archived)["imageIds"]] == [old]
    standing.advance("91d")
    eventually(lambda: ecr.list_images(repositoryName=NAME, **archived)["imageIds"] == [])


def test_a_policy_is_carried_out(standing: Standing, ecr: Any, shop: Registry) -> None:
    digests = [push(standing, shop, f"v{number}") for number in range(3)]
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(rule()))
    assert list_digests(ecr, NAME) == sorted(digests)
    standing.advance("61m")
    eventually(lambda: list_digests(ecr, NAME), lambda seen: seen == [digests[2]])
    assert ecr.get_lifecycle_policy(repositoryName=NAME)["lastEvaluatedAt"].year == 2030
    later = push(standing, shop, "v3")
    standing.advance("1h")
    eventually(lambda: list_digests(ecr, NAME), lambda seen: seen == [later])
    # One that is put again is carried out once an hour, as before.
    ecr.delete_lifecycle_policy(repositoryName=NAME)
    last = push(standing, shop, "v4")
    standing.advance("2h")
    assert list_digests(ecr, NAME) == sorted((later, last))
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=policy(rule()))
    standing.advance("61m")
    eventually(lambda: list_digests(ecr, NAME), lambda seen: seen == [last])
