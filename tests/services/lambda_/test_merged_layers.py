"""Layers, one over the other, in folders."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudlet.services.lambda_.execution.merged_layers import Layers, MergedLayers


def test_folders_that_no_process_sees_are_removed_but_for_some(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    needed: set[Layers] = {("base", "layer-0")}
    merged = MergedLayers(tmp_path / "merged", lambda: needed)

    async def fill() -> None:
        for number in range(100):
            layer = tmp_path / f"layer-{number}"
            layer.mkdir()
            (layer / "file").touch()
            folder = await merged.of((tmp_path / "base", layer))
            assert (folder / "file").exists()

    asyncio.run(fill())
    left = list((tmp_path / "merged").iterdir())
    assert 1 < len(left) < 50
    assert any((folder / "file").samefile(tmp_path / "layer-0" / "file") for folder in left)
