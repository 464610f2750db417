"""Which image is meant: by a tag or a digest, and by what it is to run on. Image specification, "Image Layout"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from cloudlet.engines.images.documents import (
    Config,
    Configuration,
    Descriptor,
    Image,
    ImageError,
    Index,
    Layer,
    Manifest,
    Platform,
)
from cloudlet.engines.images.layout_blobs import Blobs, Folder, check, decoded, document, read

_NAME = "org.opencontainers.image.ref.name"
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MOST_LAYERS = 1000
_DEEPEST = 4


class _Marker(msgspec.Struct, frozen=True, rename="camel"):
    """The file that says that a folder is a layout."""

    image_layout_version: str


def resolve(layout: Path, platform: Platform, *, tag: str | None = None, digest: str | None = None) -> Image:
    """Return an image of a layout, the only one where neither tag nor digest is given. Raises ImageError."""
    marker = decoded(read(layout / "oci-layout"), _Marker, "oci-layout")
    if marker.image_layout_version.partition(".")[0] != "1":
        raise ImageError(f"layouts of version {marker.image_layout_version[:20]} are not known")
    blobs = Folder(layout)
    listed = decoded(read(layout / "index.json"), Index, "index.json").manifests
    if tag is not None:
        listed = [each for each in listed if each.annotations.get(_NAME) == tag]
    found = dict.fromkeys(_manifests(blobs, listed, platform, 0, digest))
    if not found:
        raise ImageError(f"there is no image {_called(tag, digest)} for {platform}")
    if len(found) > 1:
        raise ImageError(f"there are several images {_called(tag, digest)} for {platform}: name one by a tag")
    return load(blobs, next(iter(found)), platform)


def _called(tag: str | None, digest: str | None) -> str:
    return f"with the tag {tag}" if tag is not None else f"with the digest {digest}" if digest is not None else "at all"


def _manifests(
    blobs: Blobs, listed: Iterable[Descriptor], platform: Platform, depth: int, digest: str | None
) -> Iterator[str]:
    """Give the digests of the images in a list that are for a platform, or do not say what they are for."""
    for each in listed:
        if each.media_type in _INDEXES:
            if depth >= _DEEPEST:
                raise ImageError("the lists of images are nested too deeply")
            inner = document(blobs, each, Index).manifests
            yield from _manifests(blobs, inner, platform, depth + 1, None if digest == each.digest else digest)
        elif each.media_type in _MANIFESTS and digest in (None, each.digest) and each.platform in (None, platform):
            yield each.digest


def load(blobs: Blobs, digest: str, platform: Platform) -> Image:
    """Return the image of a manifest. Raises ImageError, also where it is for another platform."""
    check(digest)
    try:
        size = blobs.path(digest).stat().st_size
    except OSError as error:
        raise ImageError(f"the manifest {digest} cannot be read: {error.strerror}") from None
    manifest = document(blobs, Descriptor(digest, size), Manifest)
    configuration = document(blobs, manifest.config, Configuration)
    found = Platform(configuration.os, configuration.architecture)
    if found != platform:
        raise ImageError(f"the image is for {str(found)[:100]}, not for {platform}")
    if len(manifest.layers) != len(configuration.rootfs.diff_ids) or len(manifest.layers) > _MOST_LAYERS:
        raise ImageError("the layers of the image are not those of its configuration, or too many")
    config = configuration.config or Config()
    if "\0" in "".join(_words(config)):
        raise ImageError("the configuration of the image has a null character")
    layers = zip(manifest.layers, configuration.rootfs.diff_ids, strict=True)
    return Image(digest, found, config, tuple(Layer(*each) for each in layers))


def _words(config: Config) -> Iterator[str]:
    for words in (config.env, config.entrypoint, config.cmd):
        yield from words or ()
    yield config.working_dir or ""
