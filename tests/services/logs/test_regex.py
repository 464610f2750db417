"""Regular expressions are found in time that grows with the text, and as Python finds them."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs.patterns import PatternProblem, parse
from cloudlet.services.logs.patterns.automaton import Automaton, shape_of

atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\x61", r"\.", " ", "[]a]", r"[\]b]"])
quantifiers = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,2}", "{1,}", "{,2}", "*?", "+?", "??"])
sequences = st.lists(st.tuples(atoms, quantifiers).map("".join), max_size=5).map("".join)
choices = st.lists(
    st.tuples(st.sampled_from(["", "^"]), sequences, st.sampled_from(["", "$"])).map("".join), min_size=1, max_size=3
)


@given(choices.map("|".join), st.text(alphabet="abc1. ]\n", max_size=8))
def test_the_automaton_finds_what_python_finds(expression: str, text: str) -> None:
    expected = re.compile(expression, re.ASCII).search(text) is not None
    assert Automaton(shape_of(expression)).is_in(text) is expected


@pytest.mark.parametrize("expression", ["a*a*a*a*b", "a?" * 40 + "a{40}b", "a{0,900}a{0,900}b", "^a+.*.*b$", "[a]*b"])
def test_a_long_text_takes_no_time_to_speak_of(expression: str) -> None:
    parsed = parse(f"%{expression}%")
    begin = time.monotonic()
    assert not parsed.matches("a" * 10_000)
    assert parsed.matches("a" * 10_000 + "b")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("expression", ["a{1001}", "^*", "a++", "a{900}" * 20])
def test_what_takes_too_much_is_refused(expression: str) -> None:
    with pytest.raises(PatternProblem):
        parse(f"%{expression}%")


def test_a_state_that_comes_again_is_known_again() -> None:
    """Many places at once are looked up, and not compared one by one, at each character."""
    parsed = parse("%a{1,500}b%")
    assert not parsed.matches("a" * 100_000)
    begin = time.monotonic()
    assert not parsed.matches("a" * 1_000_000)
    assert time.monotonic() - begin < 2
