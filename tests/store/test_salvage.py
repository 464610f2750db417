"""What is left of a damaged store."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.store.rocks import OrderedMap
from cloudlet.store.salvage import DamagedStore, Gap

ROWS = {b"\x02%s\x00%04d" % (kind, n): bytes(range(120)) for kind in (b"a", b"b") for n in range(1500)}


def _made(folder: Path) -> Path:
    rows = OrderedMap(folder)
    rows.write(dict(ROWS), [])
    rows.close()
    (table,) = folder.glob("*.sst")
    return table


def _read(folder: Path) -> tuple[dict[bytes, bytes], list[Gap]]:
    damaged = DamagedStore(folder)
    rows: dict[bytes, bytes] = {}
    gaps: list[Gap] = []
    for found in damaged.rows():
        if isinstance(found, Gap):
            gaps.append(found)
        else:
            rows.update(found)
    damaged.close()
    assert list(rows) == sorted(rows)
    return rows, gaps


def test_a_store_without_damage_is_read_whole(tmp_path: Path) -> None:
    _made(tmp_path)
    assert _read(tmp_path) == (ROWS, [])


def test_what_is_in_the_log_alone_is_read_too(tmp_path: Path) -> None:
    _made(tmp_path / "store")
    rows = OrderedMap(tmp_path / "store")
    first, last = min(ROWS), max(ROWS)
    rows.write({b"\x01new": b"1", first: None}, [])
    rows.sync(rows.unsynced())
    rows.write({}, [(b"\x02b", last)])
    rows.sync(rows.unsynced())
    expected = {b"\x01new": b"1", **{key: value for key, value in ROWS.items() if first < key < b"\x02b"}}
    # Nobody closes it: the tables do not have this yet.
    assert _read(tmp_path / "store") == ({**expected, last: ROWS[last]}, [])
    rows.close()


@given(st.lists(st.floats(0.02, 0.85), min_size=1, max_size=3))
def test_all_but_the_damaged_blocks_is_read(tmp_path_factory: pytest.TempPathFactory, places: list[float]) -> None:
    folder = tmp_path_factory.mktemp("store")
    table = _made(folder)
    content = bytearray(table.read_bytes())
    flipped = {int(len(content) * place) for place in places}
    for at in flipped:
        content[at] ^= 0x20
    table.write_bytes(content)
    rows, gaps = _read(folder)
    assert 1 <= len(gaps) <= len(flipped)
    assert rows.items() <= ROWS.items()
    missing = ROWS.keys() - rows.keys()
    assert all(any(gap.after <= key < gap.before for gap in gaps) for key in missing)
    # A block of a table has some 35 of these rows.
    assert 0 < len(missing) < 100 * len(places)
