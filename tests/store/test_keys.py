"""Keys sort as the tuples that they were packed from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.store import Subspace, pack, unpack
from cloudlet.store.tuple_keys import successor

INTEGERS = st.integers(-(2**64) + 1, 2**64 - 1)
ELEMENTS = st.recursive(
    st.none() | st.binary(max_size=8) | st.text(max_size=8) | INTEGERS | st.booleans() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(st.lists(ELEMENTS, max_size=5).map(tuple))
def test_a_packed_tuple_unpacks_to_itself(elements: tuple) -> None:
    assert unpack(pack(elements)) == elements


@pytest.mark.parametrize(
    "strategy", [INTEGERS, st.text(), st.binary(), st.floats(allow_nan=False, allow_infinity=True)]
)
def test_keys_sort_as_their_elements(strategy: st.SearchStrategy) -> None:
    @given(strategy, strategy)
    def check(low: object, high: object) -> None:
        if low != high:
            encoded = (lambda e: e.encode()) if isinstance(low, str) else (lambda e: e)
            assert (pack((low,)) < pack((high,))) == (encoded(low) < encoded(high))

    check()


@given(st.text(max_size=5), st.lists(ELEMENTS, max_size=3).map(tuple))
def test_a_subspace_holds_exactly_the_keys_below_it(name: str, elements: tuple) -> None:
    space = Subspace("kind", name)
    key = space.key(*elements)
    assert space.begin <= key < space.end
    assert space.unpack(key) == elements
    other = Subspace("kind", name + "\x00")
    assert not space.begin <= other.key(*elements) < space.end


def test_what_cannot_be_a_key_is_refused() -> None:
    with pytest.raises(TypeError):
        pack(({},))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        pack((2**64,))
    with pytest.raises(ValueError, match="unknown code"):
        unpack(b"\xf0")
    with pytest.raises(ValueError, match="not in this subspace"):
        Subspace("a").unpack(pack(("b",)))


def test_successor_is_the_first_key_after_a_prefix() -> None:
    assert successor(b"a\xff") == b"b"
    with pytest.raises(ValueError, match="0xff"):
        successor(b"\xff")
