"""Folders for what S3 works with for a while: below the data folder, since the system's own may be in memory."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from cloudlet.core.host.temporary_folder import TemporaryFolder
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock

# Others may serve S3 with this data folder, too, where its rows are in a PostgreSQL.
_OURS = PerBlock(lambda block: TemporaryFolder(block.cloud.config.data / "work" / block.service.name))


def folder(block: Block) -> TemporaryDirectory[str]:
    """Make a folder, to be removed by its `cleanup`. Raises OSError."""
    return TemporaryDirectory(dir=_OURS.get(block).path)


async def clear(block: Block) -> None:
    """Remove what a process has left behind that was killed. Raises OSError."""
    _OURS.get(block)
