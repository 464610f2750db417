"""Blobs by their digests, and as whoever reads them may trust them. Image specification, "Descriptors"."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from cloudlet.engines.images.documents import Descriptor, ImageError

T = TypeVar("T")

_DIGEST = re.compile(r"(sha256):([0-9a-f]{64})|(sha512):([0-9a-f]{128})", re.ASCII)
_DOCUMENT_BYTES = 4 << 20
"""Distribution specification, "Pushing Manifests": so much a registry should take."""
_PIECE = 1 << 18


class Blobs(Protocol):
    """Where the blobs of images are."""

    def path(self, digest: str) -> Path:
        """Return the file of a blob, by a digest that is well-formed; there may be none."""


class Folder:
    """The blobs of a layout."""

    def __init__(self, layout: Path) -> None:
        self._folder = layout / "blobs"

    def path(self, digest: str) -> Path:
        algorithm, _, name = digest.partition(":")
        return self._folder / algorithm / name


def check(digest: str) -> str:
    """Return the name of a digest's algorithm. Raises ImageError."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ImageError(f"{digest[:200]!r} is no digest")
    return match[1] or match[3]


def read_chunks(blobs: Blobs, blob: Descriptor) -> Iterator[bytes]:
    """Give the bytes of a blob. Raises ImageError, at the latest at the end, where they are not what they should be."""
    seen = hashlib.new(check(blob.digest))
    left = blob.size
    with os.fdopen(_open(blobs.path(blob.digest), blob), "rb") as file:
        while piece := file.read(_PIECE):
            seen.update(piece)
            left -= len(piece)
            if left < 0:
                break
            yield piece
    if left or seen.hexdigest() != blob.digest.partition(":")[2]:
        raise ImageError(f"the blob {blob.digest} is damaged")


def _open(path: Path, blob: Descriptor) -> int:
    try:
        # What is no file might keep whoever opens it waiting.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise ImageError(f"the blob {blob.digest} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ImageError(f"the blob {blob.digest} is no file")
    return file


def document(blobs: Blobs, blob: Descriptor, structure: type[T]) -> T:
    """Return what a blob says. Raises ImageError."""
    if blob.size > _DOCUMENT_BYTES:
        raise ImageError(f"the blob {blob.digest} is larger than {_DOCUMENT_BYTES} bytes")
    return decoded(b"".join(read_chunks(blobs, blob)), structure, blob.digest)


def decoded(text: bytes, structure: type[T], name: str) -> T:
    """Return what a document says. Raises ImageError."""
    try:
        return msgspec.json.decode(text, type=structure)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{name} is not as it should be: {error}") from None


def read(file: Path) -> bytes:
    """Return what a document outside of blobs has. Raises ImageError."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise ImageError(f"{file.name} cannot be read: {error.strerror}") from None
    if len(text) > _DOCUMENT_BYTES:
        raise ImageError(f"{file.name} is larger than {_DOCUMENT_BYTES} bytes")
    return text
