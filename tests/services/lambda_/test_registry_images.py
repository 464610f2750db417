"""Functions whose images are in Amazon ECR."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.engines.images.layouts import INDEX, MANIFEST, Layout
from tests.refused import refused
from tests.services.ecr.registry import Made, Registry, describe, digest_of, get_password, make_index
from tests.services.lambda_.contained import ImageCloud, Images
from tests.services.lambda_.programs import invoke

INVALID = "InvalidParameterValueException"
NAME = "shop/worker"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A Cloudlet, and a folder for layouts, which are not its own."""
    with Server.start("--ephemeral") as server:
        yield server, tmp_path_factory.mktemp("layouts")


@pytest.fixture
def cloud(running: tuple[Server, Path]) -> ImageCloud:
    server, folder = running
    return ImageCloud(Aws(server.endpoint, fresh_account()), Images(folder))


def push(cloud: ImageCloud, revision: str = "1", tag: str = "v1") -> tuple[str, str]:
    """Push an image to a repository; return the repository's URI, and the digest of the image."""
    digest = cloud.images.make(revision, tag, revision)
    return _get_uri(cloud), _push(_open(cloud), Layout(cloud.images.data / "images" / revision), digest, tag)


def _get_uri(cloud: ImageCloud) -> str:
    ecr = cloud.aws.client("ecr")
    try:
        return str(ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0]["repositoryUri"])
    except ecr.exceptions.RepositoryNotFoundException:
        return str(ecr.create_repository(repositoryName=NAME)["repository"]["repositoryUri"])


def _open(cloud: ImageCloud) -> Registry:
    return Registry(cloud.aws.endpoint, NAME, get_password(cloud.aws))


def _push(registry: Registry, layout: Layout, digest: str, tag: str) -> str:
    manifest = layout.file(digest).read_bytes()
    named = re.findall(rb"sha256:[0-9a-f]{64}", manifest)
    blobs = tuple(layout.file(each.decode()).read_bytes() for each in dict.fromkeys(named))
    return registry.push(Made(manifest, blobs), tag)


def test_a_function_runs_an_image_that_was_pushed(cloud: ImageCloud) -> None:
    uri, digest = push(cloud)
    made = cloud.contained(uri=f"{uri}:v1")
    assert made["CodeSha256"] == digest.removeprefix("sha256:")
    answer = invoke(cloud, {"n": 1})
    assert (answer.error, answer.value["event"], answer.value["revision"]) == (None, {"n": 1}, "1")
    code = cloud.client.get_function(FunctionName="f")["Code"]
    assert code == {
        "RepositoryType": "ECR",
        "ImageUri": f"{uri}:v1",
        "ResolvedImageUri": f"{cloud.aws.account}.dkr.ecr.us-east-1.amazonaws.com/{NAME}@{digest}",
    }


def test_by_awss_own_name_and_by_digest(cloud: ImageCloud) -> None:
    uri, digest = push(cloud)
    cloud.contained(uri=f"{uri.partition('/')[2]}@{digest}")
    assert invoke(cloud).error is None


def test_a_tag_is_resolved_once(cloud: ImageCloud) -> None:
    uri, _ = push(cloud)
    cloud.contained(uri=f"{uri}:v1")
    push(cloud, "2")
    assert invoke(cloud).value["revision"] == "1"
    cloud.client.update_function_code(FunctionName="f", ImageUri=f"{uri}:v1")
    cloud.client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert invoke(cloud).value["revision"] == "2"


def test_an_index_has_the_image_for_the_architecture(cloud: ImageCloud) -> None:
    uri, digest = push(cloud)
    registry = _open(cloud)
    manifest = registry.pull(digest)
    own = {**describe(manifest, MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}}
    index = make_index(manifests=[own])
    assert registry.ask("PUT", "manifests/all", index.manifest, {"Content-Type": INDEX}).status == 201
    cloud.contained(uri=f"{uri}:all")
    assert invoke(cloud).error is None


def test_an_image_that_is_not_there(cloud: ImageCloud) -> None:
    uri, _ = push(cloud)
    absent = (
        f"{uri}:none",
        f"{uri}@{digest_of(b'')}",
        f"{uri}s:v1",
        f"{cloud.aws.account}.dkr.ecr.us-east-1.amazonaws.com/none:v1",
    )
    for each in absent:
        code, message = refused(cloud.contained, uri=each)
        assert (code, message) == (INVALID, f"Source image {each} does not exist. Provide a valid source image.")


def test_one_of_another_region_is_refused(cloud: ImageCloud) -> None:
    wrong = f"{cloud.aws.account}.dkr.ecr.eu-west-1.amazonaws.com/{NAME}:v1"
    assert refused(cloud.contained, uri=wrong)[0] == INVALID


def test_an_image_that_is_none_of_a_program(cloud: ImageCloud) -> None:
    uri = _get_uri(cloud)
    registry = _open(cloud)
    config = registry.upload(b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "a/b", "digest": config, "size": 2},
        "layers": [],
    }
    registry.push(Made(json.dumps(document).encode(), ()), "v1")
    code, message = refused(cloud.contained, uri=f"{uri}:v1")
    assert (code, "is not valid" in message) == (INVALID, True)
