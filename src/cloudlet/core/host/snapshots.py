"""Copies of the whole cloud, kept in the data folder: saved, restored, deleted; and reset to nothing."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cloudlet.engines.keeper.client import end_keeper
from cloudlet.store.folders import make_private, sync_folder
from cloudlet.store.hard_links import copy_closed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
_FRESH = ".fresh-"
_REPLACED = ".replaced-blocks"


class SnapshotError(Exception):
    """The snapshot cannot be saved or restored; the text says why."""


class Blocks(Protocol):
    """All blocks whose data is in a folder."""

    async def stopped(self, change: Callable[[], None]) -> None:
        """Run `change` on the data folder while no block is running, then go on."""


class Snapshots:
    """All blocks are stopped for the few milliseconds that each change takes; requests wait meanwhile.

    One thing is done at a time: what is restored is not to be deleted meanwhile.
    """

    def __init__(self, data: Path, blocks: Blocks, hold: Callable[[], None], release: Callable[[], None]) -> None:
        self._data = data
        self._all = blocks
        self._hold = hold
        self._release = release
        self._lock = asyncio.Lock()
        self._folder = data / "snapshots"
        self._blocks = data / "blocks"

    def list(self) -> list[str]:
        """Return the names, sorted."""
        if not self._folder.exists():
            return []
        return sorted(entry.name for entry in self._folder.iterdir() if not entry.name.startswith("."))

    async def save(self, name: str) -> None:
        """Keep the cloud's present state under a new name. Raises SnapshotError."""
        folder = self._named(name)
        async with self._lock:
            if folder.exists():
                raise SnapshotError(f"there is a snapshot {name} already")
            fresh = self._fresh(self._folder)
            await self._stopped(lambda: _copy(self._blocks, fresh))
            fresh.rename(folder)
            sync_folder(self._folder)

    async def restore(self, name: str) -> None:
        """Put the cloud back to a saved state. Raises SnapshotError."""
        async with self._lock:
            folder = self._existing(name)
            fresh = self._fresh(self._data)
            await asyncio.to_thread(_copy, folder, fresh)
            await self._stopped(lambda: self._replace_blocks(fresh))

    async def reset(self) -> None:
        """Remove all state of all blocks; snapshots stay."""
        async with self._lock:
            fresh = self._fresh(self._data)
            make_private(fresh)
            await self._stopped(lambda: self._replace_blocks(fresh))

    async def delete(self, name: str) -> None:
        """Remove a snapshot. Raises SnapshotError."""
        async with self._lock:
            folder = self._existing(name)
            gone = self._fresh(self._folder)
            folder.rename(gone)
            await asyncio.to_thread(shutil.rmtree, gone)

    def _named(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise SnapshotError(f"not a snapshot's name: {name!r} (letters, digits, dots, hyphens and underscores)")
        return self._folder / name

    def _existing(self, name: str) -> Path:
        folder = self._named(name)
        if not folder.exists():
            raise SnapshotError(f"there is no snapshot {name}")
        return folder

    def _fresh(self, parent: Path) -> Path:
        make_private(parent)
        return parent / f"{_FRESH}{os.urandom(8).hex()}"

    def _replace_blocks(self, fresh: Path) -> None:
        # What runs belongs to the state that is given up. It comes back from the one that takes its place.
        end_keeper(self._data / "keeper")
        gone = self._data / _REPLACED
        if self._blocks.exists():
            self._blocks.rename(gone)
        fresh.rename(self._blocks)
        sync_folder(self._data)
        shutil.rmtree(gone, ignore_errors=True)

    async def _stopped(self, change: Callable[[], None]) -> None:
        self._hold()
        try:
            await self._all.stopped(change)
        finally:
            self._release()


def is_amid_change(data: Path) -> bool:
    """Whether a crash in the middle of a change has left no blocks, but those that are to come back."""
    return (data / _REPLACED).exists()


def remove_leftovers(data: Path) -> None:
    """Remove what a crash in the middle of a change left in the data folder.

    Between the two renames of a replacement there are no blocks: the old ones are what was acknowledged, and come back.
    """
    replaced, blocks = data / _REPLACED, data / "blocks"
    if replaced.exists():
        if blocks.exists():
            shutil.rmtree(replaced)
        else:
            replaced.rename(blocks)
    for folder in (data, data / "snapshots"):
        for leftover in folder.glob(f"{_FRESH}*"):
            shutil.rmtree(leftover)


def _copy(blocks: Path, target: Path) -> None:
    """Copy stores that nobody has open; their data files are shared. Raises SnapshotError, and then leaves no copy."""
    try:
        _copy_all(blocks, target)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise SnapshotError(f"the data cannot be copied: {error.strerror or error}") from error


def _copy_all(blocks: Path, target: Path) -> None:
    make_private(target)
    if blocks.exists():
        for block in blocks.iterdir():
            copied = target / block.name
            copy_closed(block, copied)
            # Blobs are two folders below.
            for folder in (*copied.glob("*/*/"), *copied.glob("*/"), copied):
                sync_folder(folder)
    sync_folder(target)
