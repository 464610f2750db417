"""What a crash in the middle of a restore or a reset leaves is put right at the next start."""

from __future__ import annotations

from pathlib import Path

from cloudlet.core.snapshots import remove_leftovers


def test_blocks_that_were_about_to_be_replaced_come_back(tmp_path: Path) -> None:
    (tmp_path / ".replaced-blocks" / "sqs").mkdir(parents=True)
    (tmp_path / ".fresh-1" / "sqs").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["blocks"]
    assert (tmp_path / "blocks" / "sqs").exists()


def test_blocks_that_have_been_replaced_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".replaced-blocks" / "old").mkdir(parents=True)
    (tmp_path / "blocks" / "new").mkdir(parents=True)
    (tmp_path / "snapshots" / ".fresh-2").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocks", "snapshots"]
    assert (tmp_path / "blocks" / "new").exists()
    assert not list((tmp_path / "snapshots").iterdir())
