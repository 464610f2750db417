"""podman and skopeo, which push to and pull from ECR."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import Client
from tests.e2e.conftest import MakeClient
from tests.engines.images.layouts import INDEX, Layout, archive, entry

NAME = "shop/web"


@pytest.fixture
def uri(aws: Aws) -> str:
    """A repository's URI, as the API answers it."""
    made = aws.client("ecr").create_repository(repositoryName=NAME)["repository"]
    return str(made["repositoryUri"])


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An image for two architectures, with the tag `v1`."""
    layout = Layout(tmp_path / "layout")
    images = []
    for architecture in ("amd64", "arm64"):
        platform = {"os": "linux", "architecture": architecture}
        layer = archive(entry("architecture", architecture.encode()), entry("data", b"\0" * 3_000_000))
        images.append({**layout.manifest([layer], {}, platform=platform), "platform": platform})
    layout.add(layout.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}, INDEX), "v1")
    return layout


def log_in(client: MakeClient, aws: Aws, program: str, *options: str) -> Client:
    """Return a program that is logged in as AWS's guide says it."""
    password = client("aws").run("ecr", "get-login-password").strip()
    made = client(program)
    host = aws.endpoint.removeprefix("http://")
    made.run(
        *options, "login", "--tls-verify=false", "--username", "AWS", "--password-stdin", host, input=password.encode()
    )
    return made


def test_skopeo_copies_an_image_there_and_back(
    client: MakeClient, aws: Aws, uri: str, layout: Layout, tmp_path: Path
) -> None:
    skopeo = log_in(client, aws, "skopeo")
    skopeo.run(
        "--insecure-policy", "copy", "--all", "--dest-tls-verify=false", f"oci:{layout.path}:v1", f"docker://{uri}:v1"
    )
    assert json.loads(skopeo.run("list-tags", "--tls-verify=false", f"docker://{uri}"))["Tags"] == ["v1"]
    digest = layout.listed[0]["digest"]
    for number, reference in enumerate((f"{uri}:v1", f"{uri}@{digest}")):
        back = tmp_path / f"back-{number}"
        skopeo.run(
            "--insecure-policy", "copy", "--all", "--src-tls-verify=false", f"docker://{reference}", f"oci:{back}:v1"
        )
        stored = {file.name for file in (back / "blobs" / "sha256").iterdir()}
        assert stored == {file.name for file in (layout.path / "blobs" / "sha256").iterdir()}
    shown = aws.client("ecr").describe_images(repositoryName=NAME, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert (shown[0]["imageDigest"], shown[0]["imageManifestMediaType"]) == (digest, INDEX)
    skopeo.run("delete", "--tls-verify=false", f"docker://{uri}@{digest}")
    assert json.loads(skopeo.run("list-tags", "--tls-verify=false", f"docker://{uri}"))["Tags"] == []


def test_podman_pushes_and_pulls(client: MakeClient, aws: Aws, uri: str, layout: Layout, tmp_path: Path) -> None:
    options = ("--root", str(tmp_path / "storage"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs")
    podman = log_in(client, aws, "podman", *options)

    def run(*arguments: str) -> str:
        return podman.run(*options, *arguments).strip()

    loaded = run("pull", "--quiet", f"oci:{layout.path}:v1")
    run("tag", loaded, f"{uri}:one")
    run("push", "--tls-verify=false", f"{uri}:one")
    run("rmi", "--force", loaded)
    pulled = run("pull", "--quiet", "--tls-verify=false", f"{uri}:one")
    assert pulled == loaded
    ecr = aws.client("ecr")
    (image,) = ecr.describe_images(repositoryName=NAME)["imageDetails"]
    run("rmi", "--force", pulled)
    assert run("pull", "--quiet", "--tls-verify=false", f"{uri}@{image['imageDigest']}") == loaded
    details: list[dict[str, Any]] = json.loads(run("image", "inspect", loaded))
    assert details[0]["Architecture"] == "amd64"
