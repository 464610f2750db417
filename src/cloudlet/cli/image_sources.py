"""Images in files: OCI layouts, and archives of `docker save` and `podman save`."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Protocol

import msgspec

from cloudlet.cli import CommandError
from cloudlet.engines.images import Descriptor, ImageError, Platform
from cloudlet.engines.images.layout_blobs import decoded

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_DIGEST: Final = re.compile(r"(sha256|sha512):([0-9a-f]{64,128})")
_ATTESTATION: Final = Platform("unknown", "unknown")
"""The platform of what Docker notes about an image, which nobody runs."""
_REFERENCE_NAME: Final = "org.opencontainers.image.ref.name"
_READ_BYTES: Final = 1 << 20
MAX_DOCUMENT_BYTES: Final = 4 << 20


class _Contents(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str = ""
    config: Descriptor | None = None
    layers: list[Descriptor] = []
    manifests: list[Descriptor] | None = None


class _ArchiveImage(msgspec.Struct, frozen=True, rename="pascal"):
    """An image as Docker's archives list it."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None

    @property
    def tags(self) -> list[str]:
        return [name.rpartition(":")[2] for name in self.repo_tags or ()]


class Document:
    """A manifest or an index of manifests."""

    def __init__(self, content: bytes, name: str) -> None:
        """Read it. Raises ImageError, with its name, where it is none."""
        self.content = content
        self.digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        read = decoded(content, _Contents, name)
        self.manifests = read.manifests or []
        """The descriptors that an index has."""
        self.media_type = read.media_type or (MANIFEST if read.manifests is None else INDEX)
        self.blobs = [each.digest for each in (read.config, *read.layers) if each is not None]
        """The digests of what a manifest consists of."""


class Files(Protocol):
    """The files of a folder or an archive."""

    def open(self, name: str) -> IO[bytes] | None:
        """Open a file; return None where there is none."""


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, name: str) -> IO[bytes] | None:
        path = self._path / name
        # What a stranger's archive says is not to be read elsewhere.
        is_inside = not name.startswith("/") and ".." not in path.parts[len(self._path.parts) :]
        return path.open("rb") if is_inside and path.is_file() else None


class _Archive:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def open(self, name: str) -> IO[bytes] | None:
        for each in (name, f"./{name}"):
            try:
                return self._archive.extractfile(each)
            except KeyError:
                continue
        return None


class Source:
    """An image's blobs, and the documents that name them."""

    def __init__(self, files: Files) -> None:
        self._files = files
        # Layers of Docker's archives are found by their names, not by their digests.
        self._names: dict[str, str] = {}

    def find_image(self, tag: str) -> Document:
        """Return the image with a tag, or the only one. Raises CommandError, ImageError."""
        index = self._read("index.json")
        if index is not None:
            return self._find_listed(Document(index, "index.json").manifests, tag)
        saved = self._read("manifest.json")
        if saved is None:
            raise CommandError("that is neither an OCI layout nor an archive of docker save: it has no index.json")
        return self._find_saved(decoded(saved, list[_ArchiveImage], "manifest.json"), tag)

    def read(self, digest: str) -> Document:
        """Return a manifest or an index. Raises CommandError, ImageError."""
        with self.open(digest) as file:
            return Document(file.read(MAX_DOCUMENT_BYTES), digest)

    @contextmanager
    def open(self, digest: str) -> Iterator[IO[bytes]]:
        """Open a blob. Raises CommandError."""
        file = self._open(digest)
        if not file:
            raise _Incomplete(f"blob {digest}")
        with file:
            yield file

    def _open(self, digest: str) -> IO[bytes] | None:
        match = _DIGEST.fullmatch(digest)
        return self._files.open(self._names.get(digest) or f"blobs/{match[1]}/{match[2]}") if match else None

    def _find_listed(self, listed: Sequence[Descriptor], tag: str) -> Document:
        names = [each.annotations.get(_REFERENCE_NAME, "") for each in listed]
        chosen = [each for each, name in zip(listed, names, strict=True) if tag and name.rpartition(":")[2] == tag]
        digests = {each.digest for each in chosen or listed}
        if len(digests) != 1:
            raise _describe_choice(filter(None, names))
        return self._take_whole(self.read(digests.pop()))

    def _take_whole(self, image: Document) -> Document:
        """Return an index that is whole, or the one image that it has.

        Docker saves the images of one platform.
        """
        missing = [each for each in image.manifests if not self._has(each)]
        if not missing:
            return image
        there = [each for each in image.manifests if each not in missing and each.platform != _ATTESTATION]
        if len(there) != 1:
            raise _Incomplete(f"blob {missing[0].digest}")
        return self.read(there[0].digest)

    def _has(self, blob: Descriptor) -> bool:
        file = self._open(blob.digest)
        if file is None:
            return False
        file.close()
        return True

    def _find_saved(self, saved: Sequence[_ArchiveImage], tag: str) -> Document:
        chosen = [each for each in saved if tag in each.tags]
        if len(chosen) != 1 and len(saved) != 1:
            raise _describe_choice(name for each in saved for name in each.repo_tags or ())
        one = (chosen or saved)[0]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._describe(one.config, CONFIG),
            "layers": [self._describe(name, LAYER) for name in one.layers],
        }
        return Document(json.dumps(manifest).encode(), "manifest.json")

    def _describe(self, name: str, media_type: str) -> dict[str, Any]:
        """Return a descriptor of a file of an archive."""
        file = self._files.open(name)
        if file is None:
            raise _Incomplete(name)
        found, size, first = hashlib.sha256(), 0, b""
        with file:
            while chunk := file.read(_READ_BYTES):
                first = first or chunk[:2]
                found.update(chunk)
                size += len(chunk)
        digest = f"sha256:{found.hexdigest()}"
        self._names[digest] = name
        is_compressed = media_type == LAYER and first == b"\x1f\x8b"
        return {"mediaType": f"{media_type}+gzip" if is_compressed else media_type, "digest": digest, "size": size}

    def _read(self, name: str) -> bytes | None:
        file = self._files.open(name)
        if file is None:
            return None
        with file:
            return file.read(MAX_DOCUMENT_BYTES)


class _Incomplete(CommandError):
    """A file that an image names, and that is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the image is not whole: it has no {name}")


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open the image, or images, at a path. Raises CommandError, as does what is not as images are."""
    try:
        if path.is_dir():
            yield Source(_Folder(path))
            return
        with tarfile.open(path) as archive:
            yield Source(_Archive(archive))
    except ImageError as error:
        raise CommandError(str(error)) from error
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise CommandError(f"{path} is no archive, or breaks off: {error}") from error


def _describe_choice(names: Iterable[str]) -> CommandError:
    """Return the error that there is not just one image."""
    return CommandError(f"there are several images, or none: name one by its tag ({', '.join(names)})")
