"""Repositories with a KMS key: what is on disk, and what becomes of images with the key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws, Server
from tests.services.ecr.registry import Registry, digest_of, error_code, get_password, make_image, make_index
from tests.services.ecr.test_replication import configure, get_statuses
from tests.standing import NOON, Standing, eventually

LAYER = b"a very secret layer that nobody else may read, " * 20_000
NAME = "shop/web"
_NAMED = b'"digest": "' + digest_of(LAYER).encode()
"""A part of the manifest of an image that has the layer."""
_FIVE_MINUTES = "301s"


class Cloud:
    """ECR of an account, on a folder, with a clock that stands."""

    def __init__(self, running: Standing, folder: Path) -> None:
        self.standing = running
        self.folder = folder
        self.aws = running.account()
        self.ecr = self.aws.client("ecr")
        self.kms = self.aws.client("kms")
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]

    def repository(self, name: str, kind: str = "KMS", region: str = "us-east-1") -> Registry:
        """Create a repository, with a key if its encryption takes one."""
        configuration = {"encryptionType": kind, **({"kmsKey": self.key} if kind != "AES256" else {})}
        client = self.aws.client("ecr", region_name=region)
        client.create_repository(repositoryName=name, encryptionConfiguration=configuration)
        return self.open(name, region)

    def open(self, name: str, region: str = "us-east-1") -> Registry:
        full = f"{self.aws.account}.dkr.ecr.{region}.amazonaws.com/{name}"
        return Registry(self.aws.endpoint, full, get_password(self.aws))

    def is_on_disk(self, data: bytes) -> bool:
        """Whether ECR's files have some bytes in the clear."""
        files = [file for file in (self.folder / "blocks" / "ecr").rglob("*") if file.is_file()]
        return any(data in file.read_bytes() for file in files)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with Server.start("--data", str(tmp_path)) as server:
        running = Standing(server)
        running.freeze(NOON)
        yield Cloud(running, tmp_path)


def _get_layer(registry: Registry, **headers: str) -> bytes:
    answer = registry.ask("GET", f"blobs/{digest_of(LAYER)}", headers=headers)
    assert answer.status in (200, 206), answer.data
    return bytes(answer.data)


@pytest.mark.parametrize("kind", ["KMS", "KMS_DSSE"])
def test_layers_are_encrypted_and_come_as_they_were(cloud: Cloud, kind: str) -> None:
    registry = cloud.repository(NAME, kind)
    image = make_image(LAYER)
    registry.push(image, "v1")
    assert not cloud.is_on_disk(LAYER[:64])
    assert not cloud.is_on_disk(_NAMED), "a manifest in the clear"
    assert registry.pull("v1") == image.manifest
    assert _get_layer(registry) == LAYER
    for first, last in ((0, 0), (1, 17), (300_001, 600_002), (len(LAYER) - 5, len(LAYER) - 1)):
        assert _get_layer(registry, Range=f"bytes={first}-{last}") == LAYER[first : last + 1]
    cloud.repository("plain", "AES256").push(image)
    assert cloud.is_on_disk(LAYER[:64])
    assert cloud.is_on_disk(_NAMED)
    url = cloud.ecr.get_download_url_for_layer(repositoryName=NAME, layerDigest=digest_of(LAYER))["downloadUrl"]
    assert registry.send("GET", url).data == LAYER


def test_a_layer_in_parts_is_whole(cloud: Cloud) -> None:
    registry = cloud.repository(NAME)
    begun = registry.ask("POST", "blobs/uploads/")
    location, at = begun.headers["Location"], 0
    for size in (100_001, 33, len(LAYER) - 100_034):
        sent = registry.send("PATCH", location, LAYER[at : at + size])
        assert sent.status == 202
        location, at = sent.headers["Location"], at + size
    ended = registry.send("PUT", f"{location}?digest={digest_of(LAYER)}")
    assert ended.status == 201, ended.data
    assert _get_layer(registry) == LAYER
    assert _get_layer(registry, Range="bytes=99999-100040") == LAYER[99_999:100_041]


def test_nothing_is_pushed_or_pulled_while_the_key_is_disabled(cloud: Cloud) -> None:
    registry = cloud.repository(NAME)
    registry.push(make_image(LAYER), "v1")
    cloud.kms.disable_key(KeyId=cloud.key)
    cloud.standing.advance(_FIVE_MINUTES)
    assert registry.ask("GET", f"blobs/{digest_of(LAYER)}").status >= 400
    assert error_code(registry.ask("GET", "manifests/v1")) == (400, "DENIED")
    assert registry.put(make_image(LAYER, annotations={"a": "b"}).manifest, "v2").status == 400
    ecr: Any = cloud.ecr
    upload = ecr.initiate_layer_upload(repositoryName=NAME)["uploadId"]
    (failure,) = ecr.batch_get_image(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])["failures"]
    assert failure["failureCode"] == "KmsError"
    part = {"uploadId": upload, "partFirstByte": 0, "partLastByte": 2, "layerPartBlob": b"new"}
    with pytest.raises(ecr.exceptions.KmsException):
        ecr.upload_layer_part(repositoryName=NAME, **part)
    cloud.kms.enable_key(KeyId=cloud.key)
    assert _get_layer(registry) == LAYER
    registry.pull("v1")
    ecr.upload_layer_part(repositoryName=NAME, **part)


def test_repositories_with_keys_share_no_files(cloud: Cloud) -> None:
    first, second, plain = cloud.repository("first"), cloud.repository("second"), cloud.repository("plain", "AES256")
    image = make_image(LAYER)
    for registry in (first, second, plain):
        registry.push(image, "v1")
    folder = cloud.folder / "blocks" / "ecr"

    def count_files() -> int:
        cloud.standing.advance("60s")
        return sum(file.stat().st_size == len(LAYER) for file in folder.rglob("*") if file.is_file())

    assert count_files() == 3
    for name in ("first", "plain"):
        cloud.ecr.delete_repository(repositoryName=name, force=True)
        assert _get_layer(second) == LAYER
    cloud.ecr.delete_repository(repositoryName="second", force=True)
    eventually(count_files, lambda seen: seen == 0)


def test_images_are_replicated_from_and_to_encrypted_repositories(cloud: Cloud) -> None:
    configure(cloud.ecr, cloud.aws.account, "eu-west-1")
    image = make_image(LAYER)
    index = make_index(image)
    registry = cloud.repository(NAME)
    for each in (image, index):
        registry.push(each, "v1" if each is index else None)
    far = cloud.open(NAME, "eu-west-1")
    eventually(lambda: far.ask("GET", "manifests/v1").status == 200)
    assert _get_layer(far) == LAYER
    cloud.kms.disable_key(KeyId=cloud.key)
    cloud.standing.advance(_FIVE_MINUTES)
    assert _get_layer(far) == LAYER, "the copy has no key"


def test_a_failure_of_the_key_fails_the_replication(cloud: Cloud) -> None:
    registry = cloud.repository(NAME)
    registry.push(make_image(LAYER), "v1")
    configure(cloud.ecr, cloud.aws.account, "eu-west-1")
    cloud.kms.disable_key(KeyId=cloud.key)
    cloud.standing.advance(_FIVE_MINUTES)
    cloud.ecr.start_replication_backfill(destination={"region": "eu-west-1", "registryId": cloud.aws.account})
    eventually(lambda: get_statuses(cloud.ecr), lambda seen: seen == {"eu-west-1": "FAILED"})


def test_pull_through_caches_may_be_encrypted(cloud: Cloud) -> None:
    image = make_image(LAYER)
    cloud.repository("base/web", "AES256").push(image, "v1")
    near: Aws = cloud.aws
    ecr = near.client("ecr", region_name="eu-west-1")
    key = near.client("kms", region_name="eu-west-1").create_key()["KeyMetadata"]["Arn"]
    ecr.create_repository_creation_template(
        prefix="cache",
        appliedFor=["PULL_THROUGH_CACHE"],
        encryptionConfiguration={"encryptionType": "KMS", "kmsKey": key},
    )
    host = f"{near.account}.dkr.ecr.us-east-1.amazonaws.com"
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="cache", upstreamRegistryUrl=host)
    cached = cloud.open("cache/base/web", "eu-west-1")
    assert cached.pull("v1") == image.manifest
    assert _get_layer(cached) == LAYER
    described = ecr.describe_repositories()["repositories"][0]["encryptionConfiguration"]
    assert described == {"encryptionType": "KMS", "kmsKey": key}
