"""RocksDB as the ordered map below the embedded engine."""

from __future__ import annotations

from pathlib import Path

from cloudlet.store.rocks import OrderedMap


def test_what_is_opened_again_has_the_same_cache(tmp_path: Path) -> None:
    capacities = []
    for _ in range(2):
        rows = OrderedMap(tmp_path)
        capacities.append(rows._db.property_value("rocksdb.block-cache-capacity"))
        rows.write({b"key": b"value"}, [])
        rows.close()
    assert capacities[0] == capacities[1]
