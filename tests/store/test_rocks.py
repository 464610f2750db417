"""RocksDB as the ordered map below the embedded engine."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from cloudlet.store.interface import StoreError
from cloudlet.store.rocks import OrderedMap


def test_what_is_opened_again_has_the_same_cache(tmp_path: Path) -> None:
    capacities = []
    for _ in range(2):
        rows = OrderedMap(tmp_path)
        capacities.append(rows._db.property_value("rocksdb.block-cache-capacity"))
        rows.write({b"key": b"value"}, [])
        rows.close()
    assert capacities[0] == capacities[1]


def test_one_that_finds_no_room_when_it_is_opened_says_so_and_can_be_opened_later(tmp_path: Path) -> None:
    for step in (write_and_crash, open_without_room_and_with_it):
        command = f"from tests.store.test_rocks import *; {step.__name__}(Path({str(tmp_path)!r}))"
        assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def write_and_crash(folder: Path) -> None:
    rows = OrderedMap(folder)
    rows.write({b"key": os.urandom(1 << 20)}, [])
    rows.sync(rows.unsynced())
    os._exit(0)


def open_without_room_and_with_it(folder: Path) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, most))
    try:
        OrderedMap(folder)
    except StoreError:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert len(OrderedMap(folder).get(b"key") or b"") == 1 << 20
    else:
        raise AssertionError("there was room")
