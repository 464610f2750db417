"""A cache by size keeps what was used lately, and never more than it may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.kernel.sized_cache import SizedCache

_MOST = 10
_USES = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 2 * _MOST)), max_size=60)


@given(_USES)
def test_what_is_kept_has_its_size_at_most_and_the_last_one(uses: list[tuple[int, int]]) -> None:
    kept: SizedCache[int, int] = SizedCache(_MOST)
    sizes: dict[int, int] = {}
    for key, size in uses:
        kept.add(key, size, size)
        sizes[key] = size
        assert kept.get(key) == size
        found = {key: value for key in sizes if (value := kept.get(key)) is not None}
        assert found == {key: sizes[key] for key in found}
        assert kept.size == sum(found.values())
        assert kept.size <= _MOST or len(found) == 1


def test_what_was_used_longest_ago_goes_where_it_becomes_too_much() -> None:
    kept: SizedCache[str, int] = SizedCache(10)
    kept.add("a", 1, 4)
    kept.add("b", 2, 4)
    assert kept.get("a") == 1
    kept.add("c", 3, 4)
    assert (kept.get("a"), kept.get("b"), kept.get("c"), kept.size) == (1, None, 3, 8)
    kept.add("a", 4, 1)
    assert (kept.get("a"), kept.size) == (4, 5)
    kept.add("large", 5, 100)
    assert (kept.get("large"), kept.get("a"), kept.size) == (5, None, 100)


def test_what_is_kept_is_not_made_again() -> None:
    kept: SizedCache[str, str] = SizedCache(10)
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key.upper()

    assert [kept.get_or_add(key, make, 4) for key in ("a", "a", "b", "c", "b", "a")] == ["A", "A", "B", "C", "B", "A"]
    assert made == ["a", "b", "c", "a"]
