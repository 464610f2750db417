"""Manifests of images, as far as they say what is to be fetched."""

from __future__ import annotations

import msgspec

from cloudlet.engines.images.documents import Descriptor, ImageError, Platform


class Document(msgspec.Struct, frozen=True):
    """A manifest, or a list of some."""

    config: Descriptor | None = None
    layers: list[Descriptor] = []
    manifests: list[Descriptor] = []

    @property
    def blobs(self) -> list[Descriptor]:
        """The blobs that are to be fetched besides. Raises ImageError."""
        if self.config is None:
            raise ImageError("the manifest is that of no image")
        return [self.config, *self.layers]


def read_document(text: bytes) -> Document:
    """Return what a manifest says. Raises ImageError."""
    try:
        return msgspec.json.decode(text, type=Document)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"the manifest is not as it should be: {error}") from None


def choose(document: Document, platform: Platform) -> str | None:
    """Return the digest of a list's manifest for a platform. Raises ImageError.

    None is for what is no list.
    """
    if not document.manifests:
        return None
    wanted = [each for each in document.manifests if each.platform in (None, platform)]
    if not wanted:
        raise ImageError(f"image Manifest does not contain descriptor matching platform '{platform}'")
    return wanted[0].digest
