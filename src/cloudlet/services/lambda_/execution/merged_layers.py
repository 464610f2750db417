"""The layers of versions that have several: one folder for each set of them, where one lies over the other.

The files are those of the layers, by hard links: a folder that nobody needs keeps what was deleted on the disk.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from cloudlet.services.lambda_.execution import nursery

_MOST_AT_REST = 32
"""More than the starts of workers that are under way at once, whose folders count as not needed yet."""

Layers = tuple[str, ...]
"""The names of packages, the lowest first."""


class MergedLayers:
    """The folders of one block."""

    def __init__(self, root: Path, needed: Callable[[], set[Layers]]) -> None:
        """`root` is empty; `needed` says which layers processes see that run now."""
        self._root = root
        self._needed = needed
        self._made: dict[Layers, Path] = {}
        """Those that were asked for last at the end."""
        self._making: WeakValueDictionary[Layers, asyncio.Lock] = WeakValueDictionary()

    async def of(self, folders: Sequence[Path]) -> Path:
        """Return a folder that has the files of unpacked packages, those of later ones over those of earlier ones."""
        layers = tuple(folder.name for folder in folders)
        lock = self._making.setdefault(layers, asyncio.Lock())
        async with lock:
            merged = self._made.pop(layers, None)
            if merged is None:
                merged = self._root / hashlib.sha256("\n".join(layers).encode()).hexdigest()
                await asyncio.to_thread(_merge, folders, merged)
            self._made[layers] = merged
        await self._remove_unneeded()
        return merged

    async def _remove_unneeded(self) -> None:
        """Remove what no process sees, but for what was asked for last."""
        if len(self._made) <= _MOST_AT_REST:
            return
        needed = self._needed()
        at_rest = [layers for layers in self._made if layers not in needed]
        for layers in at_rest[:-_MOST_AT_REST]:
            async with self._making.setdefault(layers, asyncio.Lock()):
                merged = self._made.pop(layers, None)
                if merged is not None:
                    await asyncio.to_thread(nursery.remove, merged)


def _merge(folders: Sequence[Path], merged: Path) -> None:
    fresh = merged.with_name(f"{merged.name}.fresh")
    nursery.remove(fresh)
    fresh.mkdir(parents=True)
    fresh.chmod(0o755)
    for folder in folders:
        nursery.link(folder, fresh)
    fresh.rename(merged)
