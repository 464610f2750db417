"""Which image of a layout is meant, and what is no layout."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines.images import ImageError, Platform, resolve
from tests.engines.images.layouts import INDEX, PLATFORM, Layout, archive, entry

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64")
LAYER = archive(entry("x", b"x"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_an_image_is_found_by_its_tag_and_by_its_digest(layout: Layout) -> None:
    one = layout.image(LAYER, tag="one", config={"Env": ["A=1=2"], "Cmd": ["run"], "WorkingDir": "/srv"})
    two = layout.image(LAYER, tag="two")
    image = resolve(layout.path, AMD, tag="one")
    assert (image.digest, image.platform, len(image.layers)) == (one, AMD, 1)
    assert image.config.environment == {"A": "1=2"}
    assert (image.config.cmd, image.config.entrypoint, image.config.working_dir) == (["run"], None, "/srv")
    assert resolve(layout.path, AMD, digest=two).digest == two
    with pytest.raises(ImageError, match="several images"):
        resolve(layout.path, AMD)
    with pytest.raises(ImageError, match="no image with the tag three"):
        resolve(layout.path, AMD, tag="three")


def test_of_nested_lists_the_image_for_the_platform_is_taken(layout: Layout) -> None:
    arm = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    images = [{**layout.manifest([LAYER], platform=each), "platform": each} for each in (PLATFORM, arm)]
    unknown = {**layout.manifest([]), "platform": {"os": "unknown", "architecture": "unknown"}}
    inner = layout.document({"manifests": [*images, unknown]}, INDEX)
    outer = layout.add(layout.document({"manifests": [inner]}, INDEX), "latest")
    found = [resolve(layout.path, platform).digest for platform in (AMD, ARM)]
    assert found == [each["digest"] for each in images]
    assert resolve(layout.path, ARM, digest=outer).digest == found[1]
    assert resolve(layout.path, ARM, digest=found[1]).digest == found[1]
    with pytest.raises(ImageError, match="no image at all for windows/amd64"):
        resolve(layout.path, Platform("windows", "amd64"))


def test_lists_have_a_depth(layout: Layout) -> None:
    nested = layout.manifest([LAYER])
    for _ in range(6):
        nested = layout.document({"manifests": [nested]}, INDEX)
    layout.add(nested)
    with pytest.raises(ImageError, match="too deeply"):
        resolve(layout.path, AMD)


def test_an_image_for_another_platform_is_refused(layout: Layout) -> None:
    layout.image(LAYER)
    with pytest.raises(ImageError, match="for linux/amd64, not for linux/arm64"):
        resolve(layout.path, ARM)


def _damage(layout: Layout, digest: str) -> None:
    file = layout.file(digest)
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


def _pipe(layout: Layout, digest: str) -> None:
    layout.file(digest).unlink()
    os.mkfifo(layout.file(digest))


def _gone(layout: Layout, digest: str) -> None:
    layout.file(digest).unlink()


def _other(name: str, text: str) -> Any:
    return lambda layout, digest: (layout.path / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_damage, "damaged"),
        (_pipe, "no file"),
        (_gone, "cannot be read"),
        (_other("oci-layout", "{}"), "not as it should be"),
        (_other("oci-layout", '{"imageLayoutVersion": "2.0.0"}'), "not known"),
        (_other("index.json", "[" * 10_000), "not as it should be"),
        (_other("index.json", '{"manifests": [{"digest": 1}]}'), "not as it should be"),
        (_other("index.json", " " * (5 << 20)), "larger than"),
    ],
)
def test_what_is_no_layout_is_refused(layout: Layout, spoil: Any, said: str) -> None:
    spoil(layout, layout.image(LAYER))
    with pytest.raises(ImageError, match=said):
        resolve(layout.path, AMD)


@pytest.mark.parametrize(
    "changed",
    [
        {"digest": "sha256:../../../../etc/passwd"},
        {"digest": "md5:" + "0" * 32},
        {"digest": "sha256:" + "0" * 63 + "G"},
        {"size": 5 << 20},
        {"size": 1},
        {"size": -1},
    ],
)
def test_what_a_descriptor_says_is_looked_at(layout: Layout, changed: dict[str, Any]) -> None:
    layout.image(LAYER)
    manifest = json.loads(layout.file(layout.listed[0]["digest"]).read_text())
    manifest["config"] |= changed
    layout.listed = [layout.document(manifest, layout.listed[0]["mediaType"])]
    layout.list()
    with pytest.raises(ImageError):
        resolve(layout.path, AMD)


@pytest.mark.parametrize("config", [{"Env": ["A=1\0--bind"]}, {"Cmd": ["a\0b"]}, {"WorkingDir": "/\0"}])
def test_a_configuration_has_no_null_characters(layout: Layout, config: dict[str, Any]) -> None:
    layout.image(LAYER, config=config)
    with pytest.raises(ImageError, match="null character"):
        resolve(layout.path, AMD)


def test_layers_are_as_many_as_the_configuration_says(layout: Layout) -> None:
    layout.image(LAYER, stored=[LAYER, LAYER])
    with pytest.raises(ImageError, match="not those of its configuration"):
        resolve(layout.path, AMD)
