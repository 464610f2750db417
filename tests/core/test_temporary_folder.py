"""Folders that go with their process, and those that are left of one that was killed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest

from cloudlet.core.host.temporary_folder import TemporaryFolder


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def gone(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while folder.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_is_there_for_this_user_until_it_is_closed(base: Path) -> None:
    folder = TemporaryFolder()
    assert folder.path.parent == base
    assert folder.path.stat().st_mode & 0o077 == 0
    (folder.path / "blocks" / "sqs").mkdir(parents=True)
    (folder.path / "blocks" / "sqs" / "log").write_text("x")
    folder.close()
    folder.close()
    assert not folder.path.exists()


def test_closing_what_somebody_has_removed_is_no_error(base: Path) -> None:
    folder = TemporaryFolder()
    folder.path.rename(base / "elsewhere")
    folder.close()


def test_what_nobody_has_locked_is_removed_and_nothing_else(base: Path) -> None:
    left = base / "cloudlet-tmp-left"
    (left / "blocks").mkdir(parents=True)
    (left / "blocks" / "row").write_text("x")
    (left / "lock").touch()
    kept = base / "kept"
    kept.mkdir()
    (kept / "lock").touch()
    (left / "leads-elsewhere").symlink_to(kept)
    link = base / "cloudlet-tmp-link"
    link.symlink_to(kept)
    strange = base / "cloudlet-tmp-strange"
    strange.mkdir()
    alive = TemporaryFolder()
    other = TemporaryFolder()
    gone(left)
    assert sorted(base.iterdir()) == sorted([kept, link, strange, alive.path, other.path])
    assert (kept / "lock").exists()
    alive.close()
    other.close()
