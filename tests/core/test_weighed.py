"""A cache by weight keeps what was used recently, and never more than it may."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.weighed import ABSENT, Weighed

_LIMIT = 10
_USES = st.lists(st.tuples(st.integers(0, 20), st.integers(1, _LIMIT)), max_size=60)


@given(_USES)
def test_what_is_kept_weighs_two_generations_at_most_and_has_the_last_one(uses: list[tuple[int, int]]) -> None:
    cache = Weighed(_LIMIT)
    weights: dict[int, int] = {}
    for key, weight in uses:
        cache.add(key, weight, weight)
        weights[key] = weight
        assert cache.get(key) == weight
    found = {key: cache._young.get(key) or cache._old.get(key) for key in weights}
    assert sum(weights[key] for key, each in found.items() if each) <= 2 * _LIMIT
    assert all(each == (weights[key], weights[key]) for key, each in found.items() if each)


def test_what_is_used_stays_while_others_come_and_go() -> None:
    cache = Weighed(_LIMIT)
    cache.add("used", 1, 4)
    for number in range(20):
        cache.add(number, number, 4)
        assert cache.get("used") == 1
    assert cache.get(0) is ABSENT


def test_one_that_weighs_more_than_all_may_is_kept_alone() -> None:
    cache = Weighed(_LIMIT)
    for number in range(3):
        cache.add(number, number, 5 * _LIMIT)
    assert [cache.get(number) for number in range(3)] == [ABSENT, 1, 2]
