"""Access key ids, and whose they are; the key by which they are known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudlet.core.kernel.tokens import load_master_key, make_access_key_id, parse_account


def test_an_access_key_id_names_its_account() -> None:
    assert parse_account(make_access_key_id("ASIA", "111122223333")) == "111122223333"
    assert parse_account("111122223333") == "111122223333"


@pytest.mark.parametrize("key", ["", "test", "11112222333", "\u0661" * 12, "\uff11" * 12, "ASIA" + "\u0661" * 16])
def test_what_names_no_account_is_of_none(key: str) -> None:
    assert parse_account(key) is None


def test_a_master_key_is_made_once_whatever_one_that_died_has_left(tmp_path: Path) -> None:
    (tmp_path / f"master.{os.getpid()}").touch()
    made = load_master_key(tmp_path / "master.key")
    assert len(made) == 32
    assert load_master_key(tmp_path / "master.key") == made
