"""Looking for a regular expression without going back: in time that grows with the text, whatever the expression.

Without groups an expression is a choice of sequences of items. Where one is in them is a set of places, a bit each, so
that all of them go on at once (Navarro and Raffinot, "Flexible Pattern Matching in Strings", 4.3 and 5.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cloudlet.services.logs.patterns.problems import PatternProblem

MOST_REPEATS = 1000
_MOST_STEPS = 1000
"""For so many of each character (some millionths of a second) Python's own engine may go back and try again."""
_MOST_ITEMS = 10_000
_MOST_KNOWN = 500
_BLOCK = 1024
_ATOM = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]|\\x[0-9A-Fa-f]{2}|\\0[0-7]{0,2}|\\.|[^\\]", re.DOTALL)
_BEGINS, _LINE_END, _END, _BOUNDARY, _INNER = ("^", r"\A"), "$", r"\Z", r"\b", r"\B"
_ANCHORS = (*_BEGINS, _LINE_END, _END, _BOUNDARY, _INNER)
_WORD = re.compile(r"\w", re.ASCII)
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d*)(?:(,)(\d*))?\})([?+]?)")


class _Item(NamedTuple):
    """What one character has to be; or, for an anchor, where it has to be."""

    atom: str
    optional: bool = False
    loops: bool = False

    @property
    def is_anchor(self) -> bool:
        return self.atom in _ANCHORS


class Shape(NamedTuple):
    """The sequences of an expression, and how many ways there may be to go through them."""

    choices: list[list[_Item]]
    loops: int
    ways: int
    is_greedy: bool
    """Whether all that is repeated is repeated as often as possible."""

    def is_quick(self, length: int) -> bool:
        """Whether an engine that goes back does not take long for a text of so many characters."""
        steps: int = self.ways * (sum(map(len, self.choices)) + 1) * (length + 1) ** self.loops
        return steps <= _MOST_STEPS


def shape_of(text: str) -> Shape:
    """Return the sequences of a regular expression that Python takes. Raises PatternProblem."""
    choices: list[list[_Item]] = [[]]
    at, loops, ways, is_greedy = 0, 0, 1, True
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
            if atom in _ANCHORS or quantifier[5] == "+":
                raise PatternProblem(f"the regular expression %{text}% repeats what cannot be repeated")
            least, most = _repeats(quantifier)
            is_greedy = is_greedy and not quantifier[5]
        if max(least, most) > MOST_REPEATS:
            raise PatternProblem(f"a regular expression can repeat something {MOST_REPEATS} times at most")
        if most < 0:
            loops += 1
        ways = min(ways * (max(most - least, 0) + 1), 1 << 60)
        choices[-1] += _items(atom, least, most)
        if sum(map(len, choices)) > _MOST_ITEMS:
            raise PatternProblem(f"the regular expression %{text}% is too long")
    return Shape(choices, loops, ways, is_greedy)


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
    items = [_Item(atom)] * least
    if most < 0:
        return [*items, _Item(atom, optional=True, loops=True)]
    return items + [_Item(atom, optional=True)] * (most - least)


_Skips = list[tuple[int, int]]
"""Distances, and from which places on so many items may be left out: those of all powers of two."""


class Automaton:
    """Finds an expression in texts. The place behind the last item of a sequence is its end. Raises re.error."""

    def __init__(self, shape: Shape) -> None:
        items: list[_Item | None] = [one for choice in shape.choices for one in (*choice, None)]
        ends = [at for at, item in enumerate(items) if item is None]
        self._items = items
        self._starts = _bits([0, *(end + 1 for end in ends[:-1])])
        self._ends = _bits(ends)
        self._loops = _bits(at for at, item in enumerate(items) if item is not None and item.loops)
        self._looks_around = any(item is not None and item.atom in (_BOUNDARY, _INNER) for item in items)
        self._skips: dict[tuple[str, ...], _Skips] = {}
        """By the anchors that hold at a place."""
        self._inner = self._skips_for(())
        places: dict[str, list[int]] = {}
        for at, item in enumerate(items):
            if item is not None and not item.is_anchor:
                places.setdefault(item.atom, []).append(at)
        self._atoms = [(re.compile(atom, re.ASCII), _bits(some)) for atom, some in places.items()]
        self._known: dict[str, int] = {}
        begun = self._onward(self._starts, self._skips_for(_ANCHORS))
        first = "|".join(atom.pattern for atom, some in self._atoms if some & begun) or r"(?!)"
        self._first = re.compile(r"[\s\S]" if begun & self._ends else first, re.ASCII)
        """What the first character of a match may be, or what is behind an empty one."""

    def is_in(self, text: str) -> bool:
        """Whether it is anywhere in a text."""
        return self._stretch(text, 0, whole=False) is not None

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where it is in a text, but where it is empty: the first one, as long as it can be, and so on."""
        at = 0
        while stretch := self._stretch(text, at, whole=True):
            begin, at = stretch
            ahead = _Ahead(self, text, begin, at)
            while begin < at:
                end = self._longest(text, begin, at, ahead) if ahead.at(begin) & self._starts else begin
                if end > begin:
                    yield begin, end
                begin = max(end, begin + 1)

    def _stretch(self, text: str, at: int, *, whole: bool) -> tuple[int, int] | None:
        """Return from where one may have begun, the first from a place on, to its end, or to where nothing goes on."""
        starts, ends, loops, known = self._starts, self._ends, self._loops, self._known
        last, skips = _last(text), self._skips_at(text, at)
        begin, is_found, begun = at, False, 0
        while True:
            state = begun | starts
            for distance, leaving in skips:
                state |= (state & leaving) << distance
            if state & ends:
                if not whole:
                    return begin, at
                is_found = True
            if not begun or at == len(text):
                if is_found and at > begin:
                    return begin, at
                if at == len(text):
                    return None
                match = self._first.search(text, at, last)
                begin = max(at, last) if match is None else match.start()
                is_found = False
                if begin > at:
                    at, skips = begin, self._skips_at(text, begin)
                    continue
            character = text[at]
            mask = known.get(character)
            if mask is None:
                mask = self._mask(character)
            state &= mask
            begun = state << 1 | state & loops
            at += 1
            skips = self._inner if at < last and not self._looks_around else self._skips_at(text, at)

    def _longest(self, text: str, begin: int, last: int, ahead: _Ahead) -> int:
        """Return where the longest one ends that begins at a place."""
        at = end = begin
        state = self._begun(text, at) & ahead.at(at)
        while state:
            if state & self._ends:
                end = at
            if at == last:
                break
            state &= self._mask(text[at])
            at += 1
            state = self._onward(state << 1 | state & self._loops, self._skips_at(text, at)) & ahead.at(at)
        return end

    def ending(self, text: str, at: int) -> int:
        """Return from which places the end is reached at a place of a text, without a character more."""
        return self._back(self._ends, self._skips_at(text, at))

    def before(self, text: str, at: int, state: int) -> int:
        """Return from which places the end can be reached at a place of a text, given those at the next one."""
        state = (state >> 1 | state & self._loops) & self._mask(text[at])
        return self._back(state | self._ends, self._skips_at(text, at))

    @staticmethod
    def _back(state: int, skips: _Skips) -> int:
        for distance, leaving in skips:
            state |= state >> distance & leaving
        return state

    @staticmethod
    def _onward(state: int, skips: _Skips) -> int:
        for distance, leaving in skips:
            state |= (state & leaving) << distance
        return state

    def _begun(self, text: str, at: int) -> int:
        return self._onward(self._starts, self._skips_at(text, at))

    def _skips_at(self, text: str, at: int) -> _Skips:
        if not self._looks_around and 0 < at < _last(text):
            return self._inner
        holding = [*_BEGINS] if at == 0 else []
        holding += [_LINE_END] if at >= _last(text) else []
        holding += [_END] if at == len(text) else []
        is_word, was_word = (_WORD.match(text[max(one, 0) : one + 1]) is not None for one in (at, at - 1))
        holding += [_INNER if is_word == was_word else _BOUNDARY]
        return self._skips_for(tuple(holding))

    def _skips_for(self, anchors: tuple[str, ...]) -> _Skips:
        skips = self._skips.get(anchors)
        if skips is None:
            skips = self._skips[anchors] = _skips(self._items, anchors)
        return skips

    def _mask(self, character: str) -> int:
        """Return the places whose items a character is one of."""
        mask = self._known.get(character)
        if mask is None:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            mask = 0
            for atom, some in self._atoms:
                if atom.fullmatch(character):
                    mask |= some
            self._known[character] = mask
        return mask


class _Ahead:
    """From which places of an expression its end can be reached, at each place of a stretch: these come in order.

    Of a long one only some are kept: those between are found again where they are needed.
    """

    def __init__(self, automaton: Automaton, text: str, begin: int, end: int) -> None:
        self._automaton = automaton
        self._text = text
        self._begin, self._end = begin, end
        self._ends = [0] * ((end - begin) // _BLOCK + 1)
        """Those at the end of each block."""
        self._ends[-1] = automaton.ending(text, end)
        for block in reversed(range(len(self._ends))):
            self._load(block)
            if block:
                self._ends[block - 1] = self._loaded[0]

    def at(self, place: int) -> int:
        block, nth = divmod(place - self._begin, _BLOCK)
        if block != self._block:
            self._load(block)
        return self._loaded[nth]

    def _load(self, block: int) -> None:
        begin, state = self._begin + block * _BLOCK, self._ends[block]
        self._block, self._loaded = block, [state]
        for at in range(min(begin + _BLOCK, self._end) - 1, begin - 1, -1):
            state = self._automaton.before(self._text, at, state)
            self._loaded.append(state)
        self._loaded.reverse()


def _last(text: str) -> int:
    """Return from where on a text may be at its end: there may be a line's end behind."""
    return len(text) - text.endswith("\n")


def _bits(places: Iterable[int]) -> int:
    bits = bytearray()
    for place in places:
        bits.extend(bytes(max(place // 8 + 1 - len(bits), 0)))
        bits[place // 8] |= 1 << place % 8
    return int.from_bytes(bits, "little")


def _skips(items: Sequence[_Item | None], anchors: Sequence[str]) -> _Skips:
    """Return what may be left out of items where anchors hold."""
    leaving = _bits(
        at
        for at, item in enumerate(items)
        if item is not None and (item.atom in anchors if item.is_anchor else item.optional)
    )
    found, distance = [], 1
    while leaving:
        found.append((distance, leaving))
        leaving &= leaving >> distance
        distance *= 2
    return found
