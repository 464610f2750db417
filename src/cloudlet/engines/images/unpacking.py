"""Images unpacked into folders, all of one or nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

from cloudlet.engines.images.documents import Image, ImageError, Layer
from cloudlet.engines.images.layer_compression import decompress
from cloudlet.engines.images.layout_blobs import Blobs, check, read_chunks
from cloudlet.engines.images.tar import Archive
from cloudlet.engines.images.tree import Owners, Tree

LARGEST_BYTES = 10 << 30
"""Lambda's developer guide, "Lambda quotas": so large an image may be when it is unpacked, with all its layers."""
_MOST_ENTRIES = 1_000_000
_FRESH = ".fresh-"


class _Budget:
    """What may yet be unpacked."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = limit
        self._entries = _MOST_ENTRIES

    def take_bytes(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise ImageError(f"the image is larger than {self._limit} bytes")

    def take_entry(self) -> None:
        self._entries -= 1
        if self._entries < 0:
            raise ImageError(f"there are more than {_MOST_ENTRIES} files in the layers of the image")


def unpack(
    blobs: Blobs,
    image: Image,
    folder: Path,
    *,
    limit: int = LARGEST_BYTES,
    finish: Callable[[Path], None] | None = None,
    owners: Owners | None = None,
) -> None:
    """Unpack an image into a folder that is not there yet; `finish` is given it before it has its name.

    `owners` says whose files are to be; without it all are this process's.
    Raises ImageError, OSError. Nothing is synced: what was unpacked before the machine fell may not be whole.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(prefix=_FRESH, dir=folder.parent))
    try:
        fresh.chmod(0o755)
        if owners is not None:
            os.chown(fresh, owners(0), owners(0))
        budget, tree = _Budget(limit), Tree(fresh, owners)
        for layer in image.layers:
            _apply(blobs, layer, tree, budget)
        if finish is not None:
            finish(fresh)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _apply(blobs: Blobs, layer: Layer, tree: Tree, budget: _Budget) -> None:
    seen = hashlib.new(check(layer.diff_id))

    def counted(parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            budget.take_bytes(len(part))
            seen.update(part)
            yield part

    content = counted(decompress(read_chunks(blobs, layer.blob)))
    archive = Archive(content)
    for entry in archive:
        budget.take_entry()
        tree.add(entry, archive.content())
    # There may be more behind the end of an archive, and only then it is known whether all was as it should be.
    for _ in content:
        pass
    if seen.hexdigest() != layer.diff_id.partition(":")[2]:
        raise ImageError(f"the layer {layer.blob.digest} is not what the configuration says")
    tree.finish()
