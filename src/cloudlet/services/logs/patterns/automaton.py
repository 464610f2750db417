"""Looking for a regular expression without going back: in time that grows with the text, whatever the expression.

Without groups an expression is a choice of sequences of items. Where one is in them is a set of places, and which set
follows on a character is remembered.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from cloudlet.services.logs.patterns.problems import PatternProblem

MOST_REPEATS = 1000
_MOST_ITEMS = 10_000
_MOST_KNOWN = 20_000
_ATOM = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]|\\x[0-9A-Fa-f]{2}|\\.|[^\\]", re.DOTALL)
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d*)(?:(,)(\d*))?\})([?+]?)")


class _Item(NamedTuple):
    """What one character has to be; or, for `^` and `$`, where it has to be."""

    atom: re.Pattern[str] | None
    anchor: str = ""
    optional: bool = False
    loops: bool = False


class Shape(NamedTuple):
    """The sequences of an expression, and how many ways there may be to go through them."""

    choices: list[list[_Item]]
    loops: int
    ways: int


def shape_of(text: str) -> Shape:
    """Return the sequences of a regular expression that Python takes. Raises PatternProblem."""
    choices: list[list[_Item]] = [[]]
    at, loops, ways = 0, 0, 1
    while at < len(text):
        match = _ATOM.match(text, at)
        if match is None:
            raise PatternProblem(f"the regular expression %{text}% cannot be read")
        atom, at = match[0], match.end()
        if atom == "|":
            choices.append([])
            continue
        least, most = 1, 1
        quantifier = _QUANTIFIER.match(text, at)
        if quantifier is not None and quantifier[0] not in ("{}", "{,}"):
            at = quantifier.end()
            if atom in ("^", "$") or quantifier[5] == "+":
                raise PatternProblem(f"the regular expression %{text}% repeats what cannot be repeated")
            least, most = _repeats(quantifier)
        if max(least, most) > MOST_REPEATS:
            raise PatternProblem(f"a regular expression can repeat something {MOST_REPEATS} times at most")
        if most < 0:
            loops += 1
        ways = min(ways * (max(most - least, 0) + 1), 1 << 60)
        choices[-1] += _items(atom, least, most)
        if sum(map(len, choices)) > _MOST_ITEMS:
            raise PatternProblem(f"the regular expression %{text}% is too long")
    return Shape(choices, loops, ways)


def bounded(text: str, most: int) -> str:
    """Return a regular expression with an end to what it repeats, `most` times at most. Raises PatternProblem."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        match = _ATOM.match(text, at)
        if match is None:
            raise PatternProblem(f"the regular expression %{text}% cannot be read")
        parts.append(match[0])
        at = match.end()
        quantifier = _QUANTIFIER.match(text, at)
        if quantifier is None or quantifier[0] in ("{}", "{,}") or match[0] == "|":
            continue
        at = quantifier.end()
        least, given = _repeats(quantifier)
        parts.append(f"{{{least},{max(least, most) if given < 0 else given}}}{quantifier[5]}")
    return "".join(parts)


def _repeats(quantifier: re.Match[str]) -> tuple[int, int]:
    """Return how often something is there at least and at most; -1: without an end."""
    sign, least, comma, most, _ = quantifier.groups()
    if sign is not None:
        return {"*": (0, -1), "+": (1, -1), "?": (0, 1)}[sign]
    first = int((least or "0")[:6])
    if comma is None:
        return first, first
    return first, int(most[:6]) if most else -1


def _items(atom: str, least: int, most: int) -> list[_Item]:
    if atom in ("^", "$"):
        return [_Item(None, atom)]
    compiled = re.compile(atom, re.ASCII)
    items = [_Item(compiled)] * least
    if most < 0:
        return [*items, _Item(compiled, optional=True, loops=True)]
    return items + [_Item(compiled, optional=True)] * (most - least)


_Place = tuple[int, int]
_State = frozenset[_Place]


class Automaton:
    """Tells whether an expression is anywhere in a text."""

    def __init__(self, shape: Shape) -> None:
        self._choices = shape.choices
        self._begin = self._closed({(number, 0) for number in range(len(shape.choices))}, first=True)
        self._again = self._closed({(number, 0) for number in range(len(shape.choices))})
        self._known: dict[tuple[_State, str], _State] = {}
        self._states = {self._begin: self._begin}
        """Each of them once: to find one that is the same object takes no comparing of its places."""

    def is_in(self, text: str) -> bool:
        state, known = self._begin, self._known
        if self._is_found(state):
            return True
        last = len(text) - 1
        for at, character in enumerate(text):
            if at == last and character == "\n" and self._ends(state, first=at == 0):
                return True
            following = known.get((state, character))
            if following is None:
                following = self._step(state, character)
            if following is _FOUND:
                return True
            state = following
        return self._ends(state, first=not text)

    def _step(self, state: _State, character: str) -> _State:
        reached = set()
        for choice, place in state:
            if place < len(self._choices[choice]):
                item = self._choices[choice][place]
                if item.atom is not None and item.atom.fullmatch(character):
                    reached.add((choice, place if item.loops else place + 1))
        following = self._closed(reached) | self._again
        if self._is_found(following):
            following = _FOUND
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
            self._states.clear()
        following = self._states.setdefault(following, following)
        self._known[state, character] = following
        return following

    def _closed(self, places: set[_Place], *, first: bool = False, end: bool = False) -> _State:
        """Return places with those that are reached from them without a character."""
        closed: set[_Place] = set()
        pending = list(places)
        while pending:
            choice, place = pending.pop()
            if (choice, place) in closed:
                continue
            closed.add((choice, place))
            if place < len(self._choices[choice]):
                item = self._choices[choice][place]
                if item.optional or (item.anchor == "^" and first) or (item.anchor == "$" and end):
                    pending.append((choice, place + 1))
        return frozenset(closed)

    def _is_found(self, state: _State) -> bool:
        return any(place == len(self._choices[choice]) for choice, place in state)

    def _ends(self, state: _State, *, first: bool) -> bool:
        return self._is_found(self._closed(set(state), first=first, end=True))


_FOUND: _State = frozenset({(-1, -1)})
