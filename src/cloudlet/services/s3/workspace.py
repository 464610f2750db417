"""Folders for what S3 works with for a while: below the data folder, since the system's own may be in memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from cloudlet.core.block import Block
from cloudlet.core.ids import uuid4
from cloudlet.store.blobs import in_thread

_OURS = uuid4()
"""What the names of this process's folders begin with. No other process has the same data folder."""


def folder(block: Block) -> TemporaryDirectory[str]:
    """Make a folder, to be removed by its `cleanup`. Raises OSError."""
    base = _base(block)
    base.mkdir(parents=True, exist_ok=True)
    return TemporaryDirectory(prefix=_OURS, dir=base)


async def clear(block: Block) -> None:
    """Remove what a process has left behind that was killed. Raises StoreError."""
    await in_thread(lambda: _clear(_base(block)))


def _base(block: Block) -> Path:
    return block.cloud.config.data / "work" / block.service.name


def _clear(base: Path) -> None:
    for left in base.glob("*"):
        if not left.name.startswith(_OURS):
            shutil.rmtree(left)
