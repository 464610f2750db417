"""Layouts of images, made as tests want them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PLATFORM = {"os": "linux", "architecture": "amd64"}


def entry(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, **more: Any) -> tuple[Any, bytes]:
    """Return an entry of an archive; `more` are attributes of `tarfile.TarInfo`."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    for attribute, value in {"mode": 0o644, "mtime": 1_700_000_000, **more}.items():
        setattr(info, attribute, value)
    return info, content


def folder(name: str, **more: Any) -> tuple[Any, bytes]:
    return entry(name, kind=tarfile.DIRTYPE, **{"mode": 0o755, **more})


def link(name: str, target: str) -> tuple[Any, bytes]:
    """Return a symbolic link."""
    return entry(name, kind=tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple[Any, bytes]:
    return entry(name, kind=tarfile.LNKTYPE, linkname=target)


def archive(*entries: tuple[Any, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=format) as file:
        for info, content in entries:
            file.addfile(info, io.BytesIO(content))
    return packed.getvalue()


class Layout:
    """A layout that is being made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.listed: list[dict[str, Any]] = []
        path.mkdir(parents=True, exist_ok=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.list()

    def list(self) -> None:
        """Write the list of images."""
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.listed}))

    def file(self, digest: str) -> Path:
        return self.path / "blobs" / digest.replace(":", "/")

    def blob(self, content: bytes, media_type: str = "") -> dict[str, Any]:
        """Keep a blob; return its descriptor."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        file = self.file(digest)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def document(self, content: Any, media_type: str) -> dict[str, Any]:
        return self.blob(json.dumps(content).encode(), media_type)

    def manifest(
        self,
        layers: Sequence[bytes],
        config: dict[str, Any] | None = None,
        *,
        platform: dict[str, str] = PLATFORM,
        stored: Sequence[bytes] | None = None,
    ) -> dict[str, Any]:
        """Keep an image of layers; return its descriptor. `stored` are the layers as they are kept, else by gzip."""
        compressed = [gzip.compress(layer, 1) for layer in layers] if stored is None else stored
        diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        configuration = {**platform, "config": config, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        return self.document(
            {
                "schemaVersion": 2,
                "config": self.document(configuration, CONFIG),
                "layers": [self.blob(each, LAYER) for each in compressed],
            },
            MANIFEST,
        )

    def image(self, *layers: bytes, config: dict[str, Any] | None = None, tag: str = "latest", **more: Any) -> str:
        """Keep an image and list it by a tag; return the digest of its manifest."""
        return self.add(self.manifest(layers, config, **more), tag)

    def add(self, descriptor: dict[str, Any], tag: str | None = None) -> str:
        """List an image, or a list of images."""
        named = {} if tag is None else {"annotations": {"org.opencontainers.image.ref.name": tag}}
        self.listed.append({**descriptor, **named})
        self.list()
        digest: str = descriptor["digest"]
        return digest
