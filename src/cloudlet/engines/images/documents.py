"""What images are described by: descriptors, indexes, manifests and configurations."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class ImageError(Exception):
    """The image is not there, not whole, not for this platform, or not as images are."""


class Platform(msgspec.Struct, frozen=True):
    """What an image is for, as Go names it: `linux`, `amd64` or `arm64`."""

    os: str = ""
    architecture: str = ""

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """Names a blob: by its digest and its size in bytes."""

    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None
    annotations: dict[str, str] = {}


class Index(msgspec.Struct, frozen=True):
    """A list of images, or of further lists."""

    manifests: list[Descriptor]


class Manifest(msgspec.Struct, frozen=True):
    """An image."""

    config: Descriptor
    layers: list[Descriptor]


class Config(msgspec.Struct, frozen=True, rename="pascal"):
    """How the programs of an image are run."""

    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables, by name."""
        return {name: value for name, _, value in (each.partition("=") for each in self.env or ()) if name}


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: list[str] = []


class Configuration(msgspec.Struct, frozen=True):
    """The configuration of an image, as it is stored. `rootfs` has the digests of the layers when not compressed."""

    architecture: str = ""
    os: str = ""
    config: Config | None = None
    rootfs: _RootFs = _RootFs()


class Layer(NamedTuple):
    """A layer: its blob, and its digest when it is not compressed."""

    blob: Descriptor
    diff_id: str


class Image(NamedTuple):
    """An image that can be unpacked."""

    digest: str
    """That of its manifest."""
    platform: Platform
    config: Config
    layers: tuple[Layer, ...]
    """The lowest first."""
