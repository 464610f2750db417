"""Folders for what S3 works with for a while: below the data folder, since the system's own may be in memory."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cloudlet.core.block import Block
from cloudlet.store.blobs import in_thread

_LEFT_BEHIND_SECONDS = 24 * 3600.0
"""Nothing takes that long: the folder is of a process that was killed."""


def folder(block: Block) -> TemporaryDirectory[str]:
    """Make a folder, to be removed by its `cleanup`. Raises OSError."""
    base = _base(block)
    base.mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(dir=base)


async def clear(block: Block) -> None:
    """Remove what was left behind. Raises StoreError."""
    await in_thread(lambda: _clear(_base(block), time.time() - _LEFT_BEHIND_SECONDS))


def _base(block: Block) -> Path:
    return block.cloud.config.data / "work" / block.service.name


def _clear(base: Path, before: float) -> None:
    for left in base.glob("*"):
        if left.stat().st_mtime < before:
            shutil.rmtree(left)
