"""Layers by the API: uploaded in parts, looked for, and downloaded."""

from __future__ import annotations

from typing import Any

import urllib3

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.ecr.registry import Registry, digest_of, make_image
from tests.standing import Standing, eventually

NAME = "shop/web"
PART = 5 << 20


def upload(ecr: Any, *parts: bytes) -> str:
    """Upload parts; return the id of the upload."""
    begun = ecr.initiate_layer_upload(repositoryName=NAME)
    assert begun["partSize"] >= PART
    at = 0
    for part in parts:
        received = ecr.upload_layer_part(
            repositoryName=NAME,
            uploadId=begun["uploadId"],
            partFirstByte=at,
            partLastByte=at + len(part) - 1,
            layerPartBlob=part,
        )
        at += len(part)
        assert received["lastByteReceived"] == at - 1
    return str(begun["uploadId"])


def complete(ecr: Any, id: str, digest: str) -> Any:
    return ecr.complete_layer_upload(repositoryName=NAME, uploadId=id, layerDigests=[digest])


def test_a_layer_comes_in_parts_and_is_downloaded(ecr: Any, shop: Registry) -> None:
    parts = b"a" * PART, b"b" * PART, b"the end"
    layer = b"".join(parts)
    id = upload(ecr, *parts)
    assert complete(ecr, id, digest_of(layer))["layerDigest"] == digest_of(layer)
    (found,) = ecr.batch_check_layer_availability(repositoryName=NAME, layerDigests=[digest_of(layer)])["layers"]
    assert (found["layerAvailability"], found["layerSize"]) == ("AVAILABLE", len(layer))
    url = ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=digest_of(layer))["downloadUrl"]
    assert urllib3.request("GET", url).data == layer
    middle = urllib3.request("GET", url, headers={"Range": f"bytes={PART - 2}-{PART + 1}"})
    assert (middle.status, middle.data) == (206, b"aabb")


def test_a_download_url_is_for_one_layer_and_an_hour(standing: Standing) -> None:
    aws = standing.account()
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=NAME)
    layer, other = b"one layer", b"another"
    for each in (layer, other):
        complete(ecr, upload(ecr, each), digest_of(each))
    url = ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=digest_of(layer))["downloadUrl"]
    assert urllib3.request("GET", url).status == 200
    assert urllib3.request("GET", url.replace(digest_of(layer), digest_of(other))).status == 401
    standing.advance("61m")
    assert urllib3.request("GET", url).status == 401


def test_a_layer_that_is_not_there(aws: Aws, ecr: Any, shop: Registry) -> None:
    absent = digest_of(b"absent")
    answer = ecr.batch_check_layer_availability(repositoryName=NAME, layerDigests=[absent, "no digest"])
    assert answer["layers"] == [{"layerDigest": absent, "layerAvailability": "UNAVAILABLE"}]
    assert answer["failures"][0]["failureCode"] == "InvalidLayerDigest"
    code = code_of(ecr.get_download_url_for_layer, repositoryName=NAME, layerDigest=absent)
    assert code == "LayersNotFoundException"


def test_parts_follow_one_another(ecr: Any, shop: Registry) -> None:
    id = upload(ecr, b"first")
    given = {"repositoryName": NAME, "uploadId": id, "layerPartBlob": b"more"}
    code = code_of(ecr.upload_layer_part, **given, partFirstByte=9, partLastByte=12)
    assert code == "InvalidLayerPartException"
    code = code_of(ecr.upload_layer_part, **given, partFirstByte=5, partLastByte=20)
    assert code == "InvalidLayerPartException"
    unknown = "00000000-0000-0000-0000-000000000000"
    given["uploadId"] = unknown
    assert code_of(ecr.upload_layer_part, **given, partFirstByte=0, partLastByte=3) == "UploadNotFoundException"


def test_a_layer_is_what_its_digest_says(ecr: Any, shop: Registry) -> None:
    id = upload(ecr, b"a layer")
    code, message = refused(complete, ecr, id, digest_of(b"another"))
    assert code == "InvalidLayerException"
    assert digest_of(b"a layer") in message
    complete(ecr, id, digest_of(b"a layer"))
    assert code_of(complete, ecr, id, digest_of(b"a layer")) == "UploadNotFoundException"


def test_errors_of_an_upload_that_ends(ecr: Any, shop: Registry) -> None:
    assert code_of(complete, ecr, upload(ecr), digest_of(b"")) == "EmptyUploadException"
    assert code_of(complete, ecr, upload(ecr, b"small", b"parts"), digest_of(b"smallparts")) == (
        "LayerPartTooSmallException"
    )
    shop.upload(b"there")
    assert code_of(complete, ecr, upload(ecr, b"there"), digest_of(b"there")) == "LayerAlreadyExistsException"


def test_a_layer_that_no_image_has_goes_after_a_day(standing: Standing) -> None:
    aws = standing.account()
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=NAME)
    image = make_image(b"of an image")
    for blob in (*image.blobs, b"of none"):
        complete(ecr, upload(ecr, blob), digest_of(blob))
    ecr.put_image(repositoryName=NAME, imageManifest=image.manifest.decode())
    digests = [digest_of(b"of an image"), digest_of(b"of none")]

    def look() -> list[str]:
        found = ecr.batch_check_layer_availability(repositoryName=NAME, layerDigests=digests)["layers"]
        return [each["layerAvailability"] for each in found]

    assert look() == ["AVAILABLE", "AVAILABLE"]
    standing.advance("25h")
    eventually(look, lambda seen: seen == ["AVAILABLE", "UNAVAILABLE"])
    ecr.batch_delete_image(repositoryName=NAME, imageIds=[{"imageDigest": image.digest}])
    assert look()[0] == "AVAILABLE"
    standing.advance("25h")
    eventually(look, lambda seen: seen == ["UNAVAILABLE", "UNAVAILABLE"])
