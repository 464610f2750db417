"""`cloudlet image`: images of files, and small ones of the machine's own programs, go into ECR."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.cli import CommandError
from cloudlet.cli.image_sources import open_source
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet, free_port
from tests.engines.images.layouts import INDEX, Layout, archive, entry

_RUNTIME = """
import json, os, sqlite3, ssl, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as asked:
        url = f"{api}/{asked.headers['Lambda-Runtime-Aws-Request-Id']}/response"
    answer = {"files": sorted(os.listdir("/")), "sh": os.popen("echo from a shell").read().strip()}
    urllib.request.urlopen(url, json.dumps(answer).encode())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server.start("--ephemeral") as running:
        yield running


@pytest.fixture
def aws(server: Server) -> Aws:
    return Aws(server.endpoint, fresh_account())


def run(aws: Aws, *arguments: str | Path, code: int = 0) -> str:
    """Run the command for an account; return what it says."""
    port = aws.endpoint.rpartition(":")[2]
    done = cloudlet("image", *map(str, arguments), "--port", port, "--account", aws.account)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def describe(aws: Aws, repository: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws.client("ecr").describe_images(repositoryName=repository)["imageDetails"]
    return found


def make_layout(path: Path, *tags: str) -> Layout:
    layout = Layout(path)
    for tag in tags:
        layout.add(layout.manifest([archive(entry("tag", tag.encode()))], {}), tag)
    return layout


def pack(folder: Path, file: Path) -> Path:
    with tarfile.open(file, "w") as packed:
        packed.add(folder, ".")
    return file


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_an_oci_layout_is_imported(aws: Aws, tmp_path: Path, form: str) -> None:
    layout = make_layout(tmp_path / "layout", "v1")
    path = layout.path if form == "folder" else pack(layout.path, tmp_path / "layout.tar")
    said = run(aws, "import", path, "shop/web:v2")
    (image,) = describe(aws, "shop/web")
    assert (image["imageTags"], image["imageDigest"]) == (["v2"], layout.listed[0]["digest"])
    assert said.split() == [
        f"{aws.client('ecr').describe_repositories()['repositories'][0]['repositoryUri']}:v2",
        image["imageDigest"],
    ]
    # Again, it changes nothing.
    assert run(aws, "import", path, "shop/web:v2") == said


def test_an_image_for_several_platforms_is_imported_whole(aws: Aws, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    images = []
    for architecture in ("amd64", "arm64"):
        platform = {"os": "linux", "architecture": architecture}
        layer = archive(entry("architecture", architecture.encode()))
        images.append({**layout.manifest([layer], {}, platform=platform), "platform": platform})
    layout.add(layout.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": images}, INDEX), "v1")
    run(aws, "import", layout.path, "web")
    digests = {image["imageDigest"]: image.get("imageTags") for image in describe(aws, "web")}
    assert digests == {layout.listed[0]["digest"]: ["latest"], **{one["digest"]: None for one in images}}


def test_one_of_several_images_is_chosen_by_its_tag(aws: Aws, tmp_path: Path) -> None:
    layout = make_layout(tmp_path / "layout", "v1", "v2")
    run(aws, "import", layout.path, "web:v2")
    assert [image["imageDigest"] for image in describe(aws, "web")] == [layout.listed[1]["digest"]]
    assert "name one by its tag (v1, v2)" in run(aws, "import", layout.path, "web", code=1)


def test_what_docker_save_has_written_is_imported(aws: Aws, tmp_path: Path) -> None:
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}})
    saved = [{"Config": "c0ffee.json", "RepoTags": ["web:v1"], "Layers": ["abc/layer.tar"]}]
    files = {
        "c0ffee.json": config.encode(),
        "abc/layer.tar": archive(entry("data", b"\0" * 3_000_000)),
        "manifest.json": json.dumps(saved).encode(),
    }
    path = tmp_path / "saved.tar"
    with tarfile.open(path, "w") as packed:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    run(aws, "import", path, "web")
    (image,) = describe(aws, "web")
    assert (image["imageTags"], image["imageSizeInBytes"] > 3_000_000) == (["latest"], True)


def test_one_platform_of_an_index_is_enough(tmp_path: Path) -> None:
    """Docker saves the platform that it runs on, and an index that names others, too."""
    layout = Layout(tmp_path)
    own = layout.manifest([archive(entry("a", b"a"))], {})
    there = {**own, "platform": {"os": "linux", "architecture": "amd64"}}
    other = {**own, "digest": f"sha256:{'1' * 64}", "platform": {"os": "linux", "architecture": "arm64"}}
    index = layout.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [there, other]}, INDEX)
    layout.add(index, "v1")
    # Another name of the same image is no other image.
    layout.add(index, "v2")
    with open_source(tmp_path) as source:
        assert source.find_image("").digest == own["digest"]


@pytest.mark.parametrize("name", ["index.json", "manifest.json"])
@pytest.mark.parametrize(
    "document",
    [5, [5], {"manifests": "a"}, {"manifests": [{"digest": 1}]}, [{"Config": 1}], [{"Config": "/etc/group"}]],
)
def test_a_layout_that_is_none(tmp_path: Path, name: str, document: Any) -> None:
    (tmp_path / name).write_text(json.dumps(document))
    with pytest.raises(CommandError), open_source(tmp_path) as source:
        source.find_image("")


@pytest.mark.parametrize("name", ["../secret", "/etc/group"])
def test_files_elsewhere_are_no_part_of_a_layout(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps([{"Config": name, "Layers": []}]))
    with pytest.raises(CommandError, match="is not whole"), open_source(folder) as source:
        source.find_image("")


def test_base_images_are_made_of_the_machines_programs(aws: Aws) -> None:
    run(aws, "base", "busybox", "own/busybox:v1")
    assert describe(aws, "own/busybox")[0]["imageTags"] == ["v1"]

    uri = run(aws, "base", "python").split()[0]
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="f",
        PackageType="Image",
        Code={"ImageUri": uri},
        Role=f"arn:aws:iam::{aws.account}:role/shop",
        ImageConfig={"EntryPoint": ["python3", "-c", _RUNTIME]},
        MemorySize=512,
        Timeout=30,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.1, "MaxAttempts": 300})
    answer = json.loads(functions.invoke(FunctionName="f")["Payload"].read())
    assert answer["sh"] == "from a shell"
    assert {"bin", "etc", "tmp", "usr"} <= set(answer["files"])
    # The same programs make the same image.
    assert run(aws, "base", "python").split()[0] == uri
    assert len(describe(aws, "python")) == 1


def test_what_is_no_image_is_refused(aws: Aws, tmp_path: Path) -> None:
    assert "is not there" in run(aws, "import", tmp_path / "none", "web", code=1)
    (tmp_path / "text").write_text("no archive")
    assert "is no archive" in run(aws, "import", tmp_path / "text", "web", code=1)
    assert "neither an OCI layout nor an archive" in run(aws, "import", tmp_path, "web", code=1)
    layout = make_layout(tmp_path / "layout", "v1")
    for blob in (layout.path / "blobs/sha256").iterdir():
        if b"diff_ids" in blob.read_bytes():
            blob.unlink()
    assert "the image is not whole" in run(aws, "import", layout.path, "web", code=1)
    assert "there are the base images busybox and python" in run(aws, "base", "ruby", code=2)
    assert "takes an archive or a layout, and a name" in run(aws, "import", layout.path, code=2)


def test_a_cloudlet_must_run() -> None:
    done = cloudlet("image", "base", "busybox", "--port", str(free_port()))
    assert (done.returncode, "no Cloudlet runs" in done.stderr) == (3, True)
