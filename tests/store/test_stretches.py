"""What is known of a stretch is never wrong, whatever is forgotten."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.store import range_cache
from cloudlet.store.range_cache import RangeCache

KEYS = st.binary(min_size=1, max_size=2)
SIZES = st.sampled_from([0, 1, 5, 2000])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, SIZES),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("clear"), KEYS, KEYS),
        st.tuples(st.just("scan"), KEYS, KEYS, st.integers(1, 4), st.integers(0, 5)),
    ),
    max_size=80,
)


@settings(max_examples=400)
@given(STEPS)
def test_known_rows_are_the_live_rows(steps: list[tuple]) -> None:
    range_cache._ROWS, rows_limit = 6, range_cache._ROWS
    known, alive = RangeCache(limit=4), {}
    try:
        for step in steps:
            if step[0] == "put":
                alive[step[1]] = bytes(step[2])
                known.put(step[1], bytes(step[2]))
            elif step[0] == "delete":
                alive.pop(step[1], None)
                known.delete(step[1])
            elif step[0] == "clear" and step[1] < step[2]:
                alive = {key: value for key, value in alive.items() if not step[1] <= key < step[2]}
                known.clear(step[1], step[2])
            elif step[0] == "scan":
                check_scan(known, alive, *step[1:])
    finally:
        range_cache._ROWS = rows_limit


def check_scan(known: RangeCache, alive: dict[bytes, bytes], begin: bytes, end: bytes, limit: int, ahead: int) -> None:
    """Scan as the engine does: what is known first, then the rest from below, some rows more than asked for."""
    expected = sorted(row for row in alive.items() if begin <= row[0] < end)[:limit]
    rows, unknown = known.scan(begin, end, limit)
    if len(rows) < limit and unknown < end:
        below = sorted(row for row in alive.items() if row[0] >= unknown)
        taken = [row for row in below if row[0] < end][: limit - len(rows) + ahead]
        rest = below[len(taken) :]
        stop = rest[0][0] if rest else end
        known.insert(unknown, stop, taken)
        rows += taken
    assert rows[:limit] == expected


def test_a_queue_is_served_without_looking_below() -> None:
    known = RangeCache()
    known.insert(b"q", b"r", [])
    for number in range(5):
        known.put(b"q%d" % number, b"m")
    rows, unknown = known.scan(b"q", b"r", 2)
    assert [key for key, _ in rows] == [b"q0", b"q1"]
    known.delete(b"q0")
    known.delete(b"q1")
    rows, unknown = known.scan(b"q", b"r", 10)
    assert [key for key, _ in rows] == [b"q2", b"q3", b"q4"]
    assert unknown == b"r"


def test_a_long_queue_is_known_at_its_head_only() -> None:
    known = RangeCache()
    known.insert(b"q", b"r", [])
    for number in range(1000):
        known.put(b"q%04d" % number, b"m")
    rows, unknown = known.scan(b"q", b"r", 1000)
    assert len(rows) == 64
    assert unknown == b"q0064"


def test_it_is_known_where_a_scan_ended_that_was_not_remembered() -> None:
    known = RangeCache()
    assert not known.ends_at(b"b")
    known.record_scan_end(b"b")
    assert known.ends_at(b"b")
    assert known.scan(b"b", b"c", 1) == ([], b"b"), "nothing is known of what lies there"
