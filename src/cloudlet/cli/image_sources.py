"""Images in files: OCI layouts, and archives of `docker save` and `podman save`."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from cloudlet.cli import CommandError

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_DIGEST: Final = re.compile(r"(sha256|sha512):([0-9a-f]{64,128})")
_REFERENCE_NAME: Final = "org.opencontainers.image.ref.name"
_READ_BYTES: Final = 1 << 20
MAX_DOCUMENT_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Document:
    """A manifest or an index of manifests."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def list_blobs(self) -> list[str]:
        """Return the digests of what a manifest consists of."""
        read = json.loads(self.content)
        return [each["digest"] for each in (*([read["config"]] if "config" in read else []), *read.get("layers", ()))]

    def list_manifests(self) -> list[Mapping[str, Any]]:
        """Return the descriptors that an index has."""
        manifests: list[Mapping[str, Any]] = json.loads(self.content).get("manifests", [])
        return manifests


class Files(Protocol):
    """The files of a folder or an archive."""

    def open(self, name: str) -> IO[bytes] | None:
        """Open a file; return None where there is none."""


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, name: str) -> IO[bytes] | None:
        path = self._path / name
        return path.open("rb") if path.is_file() else None


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
        """Return the image with a tag, or the only one. Raises CommandError."""
        index = self._read_json("index.json")
        if index is not None:
            return self._find_listed(index.get("manifests", ()), tag)
        saved = self._read_json("manifest.json")
        if saved is None:
            raise CommandError("that is neither an OCI layout nor an archive of docker save: it has no index.json")
        return self._find_saved(saved, tag)

    def read(self, digest: str) -> Document:
        """Return a manifest or an index. Raises CommandError."""
        with self.open(digest) as file:
            content = file.read(MAX_DOCUMENT_BYTES)
        read = json.loads(content)
        return Document(content, read.get("mediaType") or (INDEX if "manifests" in read else MANIFEST))

    @contextmanager
    def open(self, digest: str) -> Iterator[IO[bytes]]:
        """Open a blob. Raises CommandError."""
        match = _DIGEST.fullmatch(digest)
        file = match and self._files.open(self._names.get(digest) or f"blobs/{match[1]}/{match[2]}")
        if not file:
            raise CommandError(f"the image is not whole: it has no blob {digest}")
        with file:
            yield file

    def _find_listed(self, listed: Any, tag: str) -> Document:
        names = [str(each.get("annotations", {}).get(_REFERENCE_NAME, "")) for each in listed]
        chosen = [each for each, name in zip(listed, names, strict=True) if tag and name.rpartition(":")[2] == tag]
        if len(chosen) != 1 and len(listed) != 1:
            raise _describe_choice(filter(None, names))
        return self.read((chosen or listed)[0]["digest"])

    def _find_saved(self, saved: Any, tag: str) -> Document:
        chosen = [each for each in saved if any(name.rpartition(":")[2] == tag for name in each.get("RepoTags") or ())]
        if len(chosen) != 1 and len(saved) != 1:
            raise _describe_choice(name for each in saved for name in each.get("RepoTags") or ())
        one = (chosen or saved)[0]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._describe(one["Config"], CONFIG),
            "layers": [self._describe(name, LAYER) for name in one["Layers"]],
        }
        return Document(json.dumps(manifest).encode(), MANIFEST)

    def _describe(self, name: str, media_type: str) -> dict[str, Any]:
        """Return a descriptor of a file of an archive."""
        file = self._files.open(name)
        if file is None:
            raise CommandError(f"the image is not whole: it has no {name}")
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

    def _read_json(self, name: str) -> Any:
        file = self._files.open(name)
        if file is None:
            return None
        with file:
            try:
                return json.loads(file.read(MAX_DOCUMENT_BYTES))
            except ValueError as error:
                raise CommandError(f"{name} of the image is no JSON: {error}") from error


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open the image, or images, at a path. Raises CommandError."""
    if path.is_dir():
        yield Source(_Folder(path))
        return
    with ExitStack() as opened:
        try:
            archive = opened.enter_context(tarfile.open(path))
        except (OSError, tarfile.TarError) as error:
            raise CommandError(f"{path} is no archive: {error}") from error
        yield Source(_Archive(archive))


def _describe_choice(names: Iterable[str]) -> CommandError:
    """Return the error that there are several images."""
    return CommandError(f"there are several images: name one by its tag ({', '.join(names)})")
