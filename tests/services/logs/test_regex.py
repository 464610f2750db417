"""Regular expressions are found in time that grows with the text, and as Python finds them."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cloudlet.services.logs.data_identifiers import custom
from cloudlet.services.logs.patterns import PatternProblem, parse
from cloudlet.services.logs.patterns.automaton import Automaton, shape_of

atoms = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "[a-c]", r"\d", r"\w", r"\x61", r"\.", " ", "[]a]", r"[\]b]"])
quantifiers = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,2}", "{1,}", "{,2}", "{0,5}", "*?", "+?", "??"])
items = st.tuples(atoms, quantifiers).map("".join)
anchors = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
sequences = st.lists(st.one_of(items, items, items, anchors), max_size=5).map("".join)
expressions = st.lists(sequences, min_size=1, max_size=3).map("|".join)
texts = st.text(alphabet="abc1. ]\n", max_size=8)
unanchored = st.lists(st.lists(items, max_size=5).map("".join), min_size=1, max_size=3).map("|".join)


@given(expressions, texts)
def test_the_automaton_finds_what_python_finds(expression: str, text: str) -> None:
    # Of an empty text Python said until 3.13 that it is not within a word either.
    assume(text or r"\B" not in expression)
    expected = re.compile(expression, re.ASCII).search(text) is not None
    assert Automaton(shape_of(expression)).is_in(text) is expected


@given(unanchored, texts)
def test_what_is_found_first_is_as_long_as_it_can_be(expression: str, text: str) -> None:
    compiled = re.compile(expression, re.ASCII)
    expected, at = [], 0
    while at < len(text):
        ends = [end for end in range(at + 1, len(text) + 1) if compiled.fullmatch(text, at, end)]
        if ends:
            expected.append((at, ends[-1]))
        at = max(ends, default=at + 1)
    assert list(Automaton(shape_of(expression)).spans(text)) == expected


@pytest.mark.parametrize("expression", [r"\ba+\b", "^a+", "a+$", r"\Ba\B", r"\Aa|a\Z"])
@given(text=st.text(alphabet="ab \n", max_size=8))
def test_anchors_hold_where_they_do_for_python(expression: str, text: str) -> None:
    expected = [match.span() for match in re.finditer(expression, text, re.ASCII)]
    assert list(Automaton(shape_of(expression)).spans(text)) == expected


def test_places_are_found_in_long_texts() -> None:
    """Where what is ahead is found again, block by block."""
    text = "x" * 1500 + "a" * 3000 + "b" + "aab" * 1000 + "a"
    assert list(Automaton(shape_of("a+b")).spans(text)) == [match.span() for match in re.finditer("a+b", text)]


class _Counting(Automaton):
    """Counts the characters that are looked at one by one."""

    def __init__(self, expression: str) -> None:
        super().__init__(shape_of(expression))
        self.count = 0
        self._known = _CountingMasks(self)


class _CountingMasks(dict[str, int]):
    def __init__(self, automaton: _Counting) -> None:
        super().__init__()
        self._automaton = automaton

    def get(self, character: str, default: object = None) -> int | None:  # type: ignore[override]
        self._automaton.count += 1
        return super().get(character)


SLOW = ["a*a*a*a*b", "a?" * 40 + "a{40}b", "a{0,900}a{0,900}b", "^a+.*.*b$", "[a]*b", "[ab]{1000}" * 9 + "c"]


@pytest.mark.parametrize("expression", SLOW)
def test_each_character_is_looked_at_so_often_at_most(expression: str) -> None:
    automaton = _Counting(expression)
    text = "a" * 3000
    assert not automaton.is_in(text)
    assert automaton.count <= 2 * len(text)
    automaton.count = 0
    assert not list(automaton.spans(text))
    found = list(automaton.spans(f"{text}b" * 2)) if expression.endswith("b") else []
    assert automaton.count <= 12 * len(text), found


def test_what_is_found_is_not_looked_at_beyond_its_end() -> None:
    automaton = _Counting("a|a.{900}b")
    text = "a" * 3000
    assert len(list(automaton.spans(text))) == len(text)
    assert automaton.count <= 6 * len(text)


def test_nothing_is_looked_at_that_cannot_be_the_begin() -> None:
    automaton = _Counting("a{1,500}b")
    assert not automaton.is_in("c" * 100_000)
    assert automaton.count == 0


@pytest.mark.parametrize("expression", SLOW)
def test_what_python_would_take_long_for_is_left_to_the_automaton(expression: str) -> None:
    assert not parse(f"%{expression}%").matches("a" * 10_000)
    assert not list(custom("x", expression[:200]).spans("z" * 10_000))


@pytest.mark.parametrize("expression", ["a{1001}", "^*", "a++", "a{900}" * 20])
def test_what_takes_too_much_is_refused(expression: str) -> None:
    with pytest.raises(PatternProblem):
        parse(f"%{expression}%")
