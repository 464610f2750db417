"""Images in the storage class ARCHIVE, and their way back."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecr.registry import (
    MANIFEST,
    Registry,
    describe,
    error_code,
    list_digests,
    make_image,
    make_index,
    open_registry,
)
from tests.services.ecr.test_replication import configure, list_tags
from tests.standing import Standing, eventually

NAME = "shop/web"
IMAGE = make_image(b"a layer")


@pytest.fixture
def account(standing: Standing) -> Aws:
    return standing.account()


@pytest.fixture
def ecr(account: Aws) -> Any:
    return account.client("ecr")


@pytest.fixture
def shop(account: Aws) -> Registry:
    """A repository with an image that is archived."""
    registry = open_registry(account, NAME, imageScanningConfiguration={"scanOnPush": False})
    registry.push(IMAGE, "v1")
    assert move(account.client("ecr"), "ARCHIVE")["imageStatus"] == "ARCHIVED"
    return registry


def move(ecr: Any, target: str, **id: str) -> Any:
    id = id or {"imageTag": "v1"}
    return ecr.update_image_storage_class(repositoryName=NAME, imageId=id, targetStorageClass=target)


def describe_image(ecr: Any) -> Any:
    (found,) = ecr.describe_images(repositoryName=NAME, imageIds=[{"imageDigest": IMAGE.digest}])["imageDetails"]
    return found


def get_status(ecr: Any) -> str:
    return str(describe_image(ecr)["imageStatus"])


def test_an_archived_image_cannot_be_pulled(ecr: Any, shop: Registry) -> None:
    for reference in ("v1", IMAGE.digest):
        assert error_code(shop.ask("GET", f"manifests/{reference}")) == (404, "MANIFEST_UNKNOWN")
    (failure,) = ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])["failures"]
    assert failure["failureCode"] == "ImageInaccessible"
    assert code_of(ecr.start_image_scan, repositoryName=NAME, imageId={"imageTag": "v1"}) == "ImageArchivedException"


def test_lists_are_of_active_images_unless_they_say_so(ecr: Any, shop: Registry) -> None:
    other = make_image(b"another")
    shop.push(other, "v2")
    assert list_digests(ecr, NAME) == [other.digest]
    for status, digests in (
        ("ACTIVE", {other.digest}),
        ("ARCHIVED", {IMAGE.digest}),
        ("ACTIVATING", set()),
        ("ANY", {IMAGE.digest, other.digest}),
    ):
        chosen = {"repositoryName": NAME, "filter": {"imageStatus": status}}
        assert {each["imageDigest"] for each in ecr.list_images(**chosen)["imageIds"]} == digests
        assert {each["imageDigest"] for each in ecr.describe_images(**chosen)["imageDetails"]} == digests
    assert describe_image(ecr)["imageStatus"] == "ARCHIVED"
    assert describe_image(ecr)["lastArchivedAt"].year == 2030


def test_a_restore_takes_its_time(standing: Standing, account: Aws, ecr: Any, shop: Registry) -> None:
    ecr.put_image_scanning_configuration(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
    configure(ecr, account.account, "eu-west-1")
    assert move(ecr, "STANDARD")["imageStatus"] == "ACTIVATING"
    assert move(ecr, "STANDARD")["imageStatus"] == "ACTIVATING"
    code, message = refused(
        ecr.update_image_storage_class,
        repositoryName=NAME,
        imageId={"imageTag": "v1"},
        targetStorageClass="ARCHIVE",
    )
    assert code == "ImageStorageClassUpdateNotSupportedException"
    assert message.startswith("The requested image storage class update is not supported")
    standing.advance("10m")
    assert shop.ask("GET", "manifests/v1").status == 404
    standing.advance("11m")
    eventually(lambda: get_status(ecr), lambda seen: seen == "ACTIVE")
    assert shop.pull("v1") == IMAGE.manifest
    found = describe_image(ecr)
    assert found["lastActivatedAt"] > found["lastArchivedAt"]
    # It is as if it had been pushed: scanned (which fails here), and replicated.
    assert found["imageScanStatus"]["status"] == "FAILED"
    far = account.client("ecr", region_name="eu-west-1")
    eventually(lambda: list_tags(far), lambda seen: seen == {IMAGE.digest: ["v1"]})
    assert move(ecr, "STANDARD")["imageStatus"] == "ACTIVE"


def test_a_push_restores_at_once(standing: Standing, ecr: Any, shop: Registry) -> None:
    move(ecr, "STANDARD")
    shop.push(IMAGE, "v1")
    assert shop.pull("v1") == IMAGE.manifest
    # The restore that was under way means nothing for an image that was archived anew.
    standing.advance("1m")
    move(ecr, "ARCHIVE")
    standing.advance("20m")
    assert get_status(ecr) == "ARCHIVED"
    assert shop.put(IMAGE.manifest, "v2").status == 201
    assert describe_image(ecr)["imageTags"] == ["v1", "v2"]
    assert get_status(ecr) == "ACTIVE"


def test_an_archived_image_is_deleted_as_others_are(ecr: Any, shop: Registry) -> None:
    deleted = ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    assert deleted["imageIds"] == [{"imageDigest": IMAGE.digest, "imageTag": "v1"}]
    assert ecr.list_images(repositoryName=NAME, filter={"imageStatus": "ANY"})["imageIds"] == []


def test_an_image_is_archived_after_the_index_that_names_it(ecr: Any, shop: Registry) -> None:
    child = make_image(b"a child")
    index = make_index(child)
    for each in (child, index):
        shop.push(each)
    with pytest.raises(ecr.exceptions.ImageStorageClassUpdateNotSupportedException, match=index.digest):
        move(ecr, "ARCHIVE", imageDigest=child.digest)
    for each in (index, child):
        assert move(ecr, "ARCHIVE", imageDigest=each.digest)["imageStatus"] == "ARCHIVED"


def test_referrers_are_listed_by_their_status(ecr: Any, shop: Registry) -> None:
    signature = make_image(b"a signature", subject=describe(IMAGE.manifest, MANIFEST))
    shop.push(signature)
    move(ecr, "ARCHIVE", imageDigest=signature.digest)
    subject = {"repositoryName": NAME, "subjectId": {"imageDigest": IMAGE.digest}}
    assert ecr.list_image_referrers(**subject)["referrers"] == []
    (found,) = ecr.list_image_referrers(**subject, filter={"artifactStatus": "ARCHIVED"})["referrers"]
    assert (found["digest"], found["artifactStatus"]) == (signature.digest, "ARCHIVED")
    assert b"signature" not in shop.ask("GET", f"referrers/{IMAGE.digest}").data


def test_an_image_that_is_not_there_has_no_storage_class(ecr: Any, shop: Registry) -> None:
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        move(ecr, "ARCHIVE", imageTag="v0")
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.update_image_storage_class(
            repositoryName="nothing", imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE"
        )
