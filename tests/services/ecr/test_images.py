"""Images by the API: pushed, pulled, listed, described and deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecr.registry import (
    INDEX,
    MANIFEST,
    Made,
    Registry,
    describe,
    digest_of,
    list_digests,
    make_image,
    make_index,
    open_registry,
)

NAME = "shop/web"


def put(ecr: Any, image: Made, tag: str | None = None, **more: Any) -> Any:
    named = {} if tag is None else {"imageTag": tag}
    text = image.manifest.decode()
    return ecr.put_image(repositoryName=NAME, imageManifest=text, **named, **more)["image"]


def test_an_image_is_described(aws: Aws, ecr: Any, shop: Registry) -> None:
    image = make_image(b"first layer", b"second layer")
    shop.push(image, "v1")
    shop.put(image.manifest, "v2")
    (shown,) = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    assert shown["imagePushedAt"]
    assert {name: shown[name] for name in shown if name != "imagePushedAt"} == {
        "registryId": aws.account,
        "repositoryName": NAME,
        "imageDigest": image.digest,
        "imageTags": ["v1", "v2"],
        "imageSizeInBytes": image.size,
        "imageManifestMediaType": MANIFEST,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        "imageStatus": "ACTIVE",
    }
    assert ecr.describe_images(repositoryName=NAME, imageIds=[{"imageTag": "v2"}])["imageDetails"] == [shown]


def test_an_image_that_is_not_there(aws: Aws, ecr: Any, shop: Registry) -> None:
    assert refused(ecr.describe_images, repositoryName=NAME, imageIds=[{"imageTag": "none"}]) == (
        "ImageNotFoundException",
        "The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository with name "
        f"'{NAME}' in the registry with id '{aws.account}'",
    )
    absent = digest_of(b"")
    ids = [{"imageTag": "none"}, {"imageDigest": absent}, {"imageDigest": "what"}, {}]
    failures = ecr.batch_get_image(repositoryName=NAME, imageIds=ids)["failures"]
    assert [each["failureCode"] for each in failures] == [
        "ImageNotFound",
        "ImageNotFound",
        "InvalidImageDigest",
        "MissingDigestAndTag",
    ]
    assert failures[0]["failureReason"] == "Requested image not found"


def test_a_manifest_is_put_and_got(ecr: Any, shop: Registry) -> None:
    image = make_image(b"layer")
    for blob in image.blobs:
        shop.upload(blob)
    made = put(ecr, image, "v1", imageDigest=image.digest)
    assert made["imageId"] == {"imageDigest": image.digest, "imageTag": "v1"}
    ids = [{"imageTag": "v1"}, {"imageDigest": image.digest}, {"imageDigest": image.digest, "imageTag": "v1"}]
    found = ecr.batch_get_image(repositoryName=NAME, imageIds=ids)
    assert [each["imageManifest"].encode() for each in found["images"]] == [image.manifest] * 3
    assert found["images"][0]["imageManifestMediaType"] == MANIFEST
    other = ecr.batch_get_image(repositoryName=NAME, imageIds=ids[:1], acceptedMediaTypes=[INDEX])
    assert other["failures"][0]["failureCode"] == "ImageNotFound"


def test_a_push_that_changes_nothing(ecr: Any, shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "v1")
    for tag in (None, "v1"):
        code, message = refused(put, ecr, image, tag)
        assert code == "ImageAlreadyExistsException"
        assert message.startswith(f"Image with digest '{image.digest}'")


def test_what_a_manifest_names_has_to_be_there(ecr: Any, shop: Registry) -> None:
    image = make_image(b"never uploaded")
    code, message = refused(put, ecr, image, "v1")
    assert code == "LayersNotFoundException"
    assert digest_of(b"never uploaded") in message
    code, message = refused(put, ecr, make_index(image), "v1")
    assert code == "ReferencedImagesNotFoundException"
    assert image.digest in message


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "{}",
        json.dumps({"schemaVersion": 1}),
        json.dumps({"schemaVersion": 2, "mediaType": "text/plain"}),
        json.dumps({"schemaVersion": 2, "mediaType": MANIFEST}),
        json.dumps({"schemaVersion": 2, "mediaType": INDEX, "layers": []}),
        json.dumps(
            {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": "a", "digest": "b", "size": 1}]}
        ),
    ],
)
def test_a_text_that_is_no_manifest(ecr: Any, shop: Registry, text: str) -> None:
    code, message = refused(ecr.put_image, repositoryName=NAME, imageManifest=text)
    assert code == "InvalidParameterException"
    assert message.startswith("Invalid parameter at 'ImageManifest' failed to satisfy constraint")


def test_tags_and_digests_of_a_push_are_checked(ecr: Any, shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image)
    assert code_of(put, ecr, image, "-no tag") == "InvalidParameterException"
    assert code_of(put, ecr, image, "v1", imageDigest=digest_of(b"")) == "ImageDigestDoesNotMatchException"
    assert code_of(put, ecr, image, "v1", imageDigest="sha256:1") == "InvalidParameterException"
    assert code_of(put, ecr, image, "v1", imageManifestMediaType=INDEX) == "InvalidParameterException"


def test_a_tag_moves_to_the_image_that_is_pushed_with_it(ecr: Any, shop: Registry) -> None:
    old, new = make_image(b"old"), make_image(b"new")
    shop.push(old, "latest")
    shop.push(new, "latest")
    ids = ecr.list_images(repositoryName=NAME)["imageIds"]
    assert {each["imageDigest"]: each.get("imageTag") for each in ids} == {old.digest: None, new.digest: "latest"}
    untagged = ecr.list_images(repositoryName=NAME, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert untagged == [{"imageDigest": old.digest}]
    (tagged,) = ecr.describe_images(repositoryName=NAME, filter={"tagStatus": "TAGGED"})["imageDetails"]
    assert tagged["imageDigest"] == new.digest


@pytest.mark.parametrize(
    ("mutability", "pattern", "moving", "staying"),
    [
        ("IMMUTABLE", None, None, "v1"),
        ("IMMUTABLE_WITH_EXCLUSION", "latest*", "latest-a", "v1"),
        ("MUTABLE_WITH_EXCLUSION", "v*", "latest", "v1"),
    ],
)
def test_tags_that_stay(aws: Aws, ecr: Any, mutability: str, pattern: str | None, moving: str, staying: str) -> None:
    filters = (
        {}
        if pattern is None
        else {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": pattern}]}
    )
    shop = open_registry(aws, NAME, imageTagMutability=mutability, **filters)
    old, new = make_image(b"old"), make_image(b"new")
    shop.push(old, staying)
    shop.push(new)
    code, message = refused(put, ecr, new, staying)
    assert code == "ImageTagAlreadyExistsException"
    assert message.startswith(f"The image tag '{staying}' already exists in the '{NAME}' repository")
    if moving is not None:
        put(ecr, old, moving)
        put(ecr, new, moving)


def test_images_are_listed_in_pages_once_for_each_tag(ecr: Any, shop: Registry) -> None:
    for number in range(3):
        image = make_image(f"layer {number}".encode())
        shop.push(image, f"a{number}")
        shop.put(image.manifest, f"b{number}")
    pages = list(ecr.get_paginator("list_images").paginate(repositoryName=NAME, PaginationConfig={"PageSize": 4}))
    assert [len(page["imageIds"]) for page in pages] == [4, 2]
    tags = {each["imageTag"] for page in pages for each in page["imageIds"]}
    assert tags == {f"{letter}{number}" for letter in "ab" for number in range(3)}
    described = list(
        ecr.get_paginator("describe_images").paginate(repositoryName=NAME, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["imageDetails"]) for page in described] == [2, 1]
    assert code_of(ecr.list_images, repositoryName=NAME, nextToken="AAAA") == "InvalidParameterException"


def test_an_image_goes_with_its_last_tag(ecr: Any, shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "v1")
    shop.put(image.manifest, "v2")
    gone = ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])
    assert gone["imageIds"] == [{"imageDigest": image.digest, "imageTag": "v1"}]
    assert list_digests(ecr, NAME) == [image.digest]
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageTag": "v2"}])
    assert list_digests(ecr, NAME) == []


def test_an_image_is_deleted_with_all_its_tags(ecr: Any, shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "v1")
    shop.put(image.manifest, "v2")
    ids = [{"imageDigest": image.digest}, {"imageTag": "none"}]
    gone = ecr.batch_delete_image(repositoryName=NAME, imageIds=ids)
    assert gone["imageIds"] == [{"imageDigest": image.digest, "imageTag": tag} for tag in ("v1", "v2")]
    assert [each["failureCode"] for each in gone["failures"]] == ["ImageNotFound"]
    assert list_digests(ecr, NAME) == []


def test_an_image_of_an_index_stays(ecr: Any, shop: Registry) -> None:
    one, two = make_image(b"one"), make_image(b"two", architecture="arm64")
    index = make_index(one, two)
    for image in (one, two, index):
        shop.push(image)
    shop.put(index.manifest, "v1")
    details = {each["imageDigest"]: each for each in ecr.describe_images(repositoryName=NAME)["imageDetails"]}
    assert details[index.digest]["imageSizeInBytes"] == max(one.size, two.size)
    failed = ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": one.digest}])["failures"]
    assert failed[0]["failureCode"] == "ImageReferencedByManifestList"
    assert index.digest in failed[0]["failureReason"]
    outer = make_index(index)
    shop.push(outer)
    ids = [{"imageDigest": each.digest} for each in (one, two, index, outer)]
    assert ecr.batch_delete_image(repositoryName=NAME, imageIds=ids)["failures"] == []
    assert list_digests(ecr, NAME) == []


def test_a_tag_and_a_digest_have_to_be_of_one_image(ecr: Any, shop: Registry) -> None:
    one, two = make_image(b"one"), make_image(b"two")
    shop.push(one, "v1")
    shop.push(two, "v2")
    wrong = [{"imageDigest": one.digest, "imageTag": "v2"}]
    failed = ecr.batch_delete_image(repositoryName=NAME, imageIds=wrong)["failures"]
    assert failed[0]["failureCode"] == "ImageTagDoesNotMatchDigest"


def test_artifacts_about_an_image_are_listed(ecr: Any, shop: Registry) -> None:
    image = make_image(b"layer")
    shop.push(image, "v1")
    subject = describe(image.manifest, MANIFEST)
    for kind in ("text/one", "text/two"):
        shop.push(make_image(kind.encode(), subject=subject, artifactType=kind, annotations={"by": "tests"}))
    asked = {"repositoryName": NAME, "subjectId": {"imageDigest": image.digest}}
    found = ecr.list_image_referrers(**asked)["referrers"]
    assert {each["artifactType"] for each in found} == {"text/one", "text/two"}
    assert found[0]["annotations"] == {"by": "tests"}
    (one,) = ecr.list_image_referrers(**asked, filter={"artifactTypes": ["text/one"]})["referrers"]
    assert one["artifactType"] == "text/one"
    first = ecr.list_image_referrers(**asked, maxResults=1)
    second = ecr.list_image_referrers(**asked, maxResults=1, nextToken=first["nextToken"])
    assert "nextToken" not in second
    assert [*first["referrers"], *second["referrers"]] == found
    shown = ecr.describe_images(repositoryName=NAME, imageIds=[{"imageDigest": one["digest"]}])["imageDetails"]
    assert shown[0]["subjectManifestDigest"] == image.digest


def test_the_last_pull_is_recorded(account: Aws) -> None:
    ecr = account.client("ecr")
    shop = open_registry(account, NAME)
    image = make_image(b"layer")
    shop.push(image, "v1")
    assert shop.ask("HEAD", "manifests/v1").status == 200
    assert "lastRecordedPullTime" not in ecr.describe_images(repositoryName=NAME)["imageDetails"][0]
    shop.pull("v1")
    shown = ecr.describe_images(repositoryName=NAME)["imageDetails"][0]
    assert shown["lastRecordedPullTime"] == shown["imagePushedAt"]
