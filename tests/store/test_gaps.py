"""Known gaps may be fewer than there are, never more."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.store.gaps import Gaps

KEYS = st.binary(min_size=1, max_size=2)
STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete", "scan"]), KEYS), max_size=60)


@given(STEPS)
def test_a_gap_never_hides_a_live_key(steps: list[tuple[str, bytes]]) -> None:
    gaps, alive = Gaps(limit=4), set()
    for step, key in steps:
        if step == "put":
            alive.add(key)
            gaps.put(key)
        elif step == "delete":
            alive.discard(key)
            gaps.delete(key)
        else:
            start = gaps.skip(key)
            assert not [live for live in alive if key <= live < start]
            following = [live for live in alive if live >= key]
            gaps.learn(key, min(following, default=b"\xff" * 3))


def test_scans_at_the_head_of_a_queue_start_behind_what_was_deleted() -> None:
    gaps = Gaps()
    gaps.learn(b"a", b"a1")
    gaps.delete(b"a1")
    assert gaps.skip(b"a") == b"a1\x00"
    gaps.learn(b"a1\x00", b"a2")
    assert gaps.skip(b"a") == b"a2"
    gaps.put(b"a15")
    assert gaps.skip(b"a") == b"a15"
