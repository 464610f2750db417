"""Manifests as clients push them: of images, of several (indexes), and of other artifacts.

OCI image specification 1.1, "Image Manifest" and "Image Index"; Docker's image manifest, version 2, schema 2.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from cloudlet.services.ecr import digests, errors

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
_INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
_KNOWN: Final = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)
_EXTERNAL: Final = ("nondistributable", "rootfs.foreign")
"""Parts of the media types of layers that are elsewhere, and are not pushed."""
MAX_MANIFEST_BYTES: Final = 4 << 20
_MAX_DESCRIPTORS: Final = 4_200
"""Layers of an image, as many as ECR's quota has; images of an index."""


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """Names a blob or a manifest."""

    media_type: str
    digest: str
    size: int


class _Document(msgspec.Struct, frozen=True, rename="camel"):
    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Manifest(NamedTuple):
    """A manifest that is well-formed."""

    media_type: str
    artifact_type: str
    blobs: tuple[Descriptor, ...]
    """The configuration and the layers that a registry has."""
    children: tuple[Descriptor, ...]
    """The images of an index."""
    subject: str
    annotations: dict[str, str]


def parse(text: bytes, stated: str = "") -> Manifest:
    """Return a manifest; `stated` is the media type that its sender says. Raises InvalidParameter."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise _Invalid(f"The manifest is larger than {MAX_MANIFEST_BYTES} bytes")
    try:
        document = msgspec.json.decode(text, type=_Document)
    except (ValueError, RecursionError) as error:
        raise _Invalid(f"Invalid JSON syntax: {error}") from None
    if document.schema_version != 2:
        raise _Invalid("Manifests of schema version 1 are not supported")
    media_type = _find_media_type(document, stated)
    described = [*(document.layers or ()), *(document.manifests or ())]
    for each in (*described, document.config, document.subject):
        if each is not None and (not digests.is_digest(each.digest) or each.size < 0):
            raise _Invalid(f"{each.digest[:200]!r} is no digest")
    if len(described) > _MAX_DESCRIPTORS:
        raise _Invalid(f"The manifest names more than {_MAX_DESCRIPTORS} blobs")
    subject = "" if document.subject is None else document.subject.digest
    annotations = document.annotations or {}
    if media_type in _INDEXES:
        return Manifest(media_type, document.artifact_type, (), tuple(document.manifests or ()), subject, annotations)
    if document.config is None or document.layers is None:
        raise _Invalid("A manifest of an image has a config and layers")
    blobs = (document.config, *(each for each in document.layers if not _is_external(each)))
    return Manifest(media_type, document.artifact_type or document.config.media_type, blobs, (), subject, annotations)


def _find_media_type(document: _Document, stated: str) -> str:
    stated = stated.partition(";")[0].strip()
    own = document.media_type
    if own and stated and own != stated:
        raise _Invalid(f"The media type {stated[:200]!r} is not that of the manifest, {own[:200]!r}")
    found = own or stated or (OCI_INDEX if document.manifests is not None else OCI_MANIFEST)
    if found not in _KNOWN:
        raise _Invalid(f"The media type {found[:200]!r} is not supported")
    if (found in _INDEXES) != (document.manifests is not None):
        raise _Invalid(f"The manifest is not as one of the media type {found} is")
    return found


def _is_external(layer: Descriptor) -> bool:
    return any(part in layer.media_type for part in _EXTERNAL)


class _Invalid(errors.InvalidParameter):
    """A text that is no manifest."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{reason}'")
