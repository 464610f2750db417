"""What a bus has for the events that are put on it: its rules and archives, kept ready until one of them changes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.aws.event_pattern import Pattern
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.events import archive, outbox, pattern, rule, rule_record
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.bus_record import Place
from cloudlet.services.events.outbox import CompiledTarget
from cloudlet.services.events.rule_record import Rule

_MOST_CHARACTERS: Final = 1 << 19
"""Of rules that are kept ready; a compiled pattern takes up to 90 bytes for each of its."""
_LEAST: Final = 64
"""Characters of a pattern: a rule, or a target, takes no more than these besides."""
_TARGET_PARTS: Final = 16
"""A character of a target takes so many times less than one of a pattern."""


class Compiled(NamedTuple):
    """An enabled rule that matches events, ready to match."""

    rule: Rule
    """Without what it matches."""
    pattern: Pattern
    outlets: list[CompiledTarget]
    text: str
    """The pattern as it was put."""


class MatchedTargets(NamedTuple):
    """Who of a bus takes an event."""

    rules: list[Compiled]
    archives: list[Archive]


class BusSubscribers:
    """A bus's archives, and its rules that match events and have targets, at hand by the sources that they ask for."""

    def __init__(self, rules: list[Compiled], archives: list[Archive]) -> None:
        self.archives = archives
        self.is_idle = not rules and not archives
        """Whether nothing is done with events."""
        self.rules = rules
        self._others = [each for each in rules if each.pattern.sources is None]
        self._of_source: dict[str, list[Compiled]] = {}
        for each in rules:
            for source in each.pattern.sources or ():
                self._of_source.setdefault(source, []).append(each)

    def candidates(self, event: dict[str, Any]) -> list[Compiled]:
        """Return the rules that may match an event, as its JSON says, by its source."""
        candidates = self._of_source.get(event["source"])
        if candidates is None:
            return self._others
        return self._others + candidates if self._others else candidates

    def matching(self, event: dict[str, Any]) -> list[Compiled]:
        """Return the rules that match an event, as its JSON says."""
        return [each for each in self.candidates(event) if each.pattern.matches(event)]

    @property
    def weight(self) -> int:
        """How much memory it takes, in characters of patterns."""
        return _LEAST + sum(
            [len(each.text) + _LEAST * (1 + len(each.outlets)) + sum(map(_size, each.outlets)) for each in self.rules]
        )


def _size(outlet: CompiledTarget) -> int:
    return len(rule_record.encode(outlet.target)) // _TARGET_PARTS


_ready: Final[SizedCache[Place, tuple[bytes, BusSubscribers]]] = SizedCache(_MOST_CHARACTERS)
"""By bus, with the version of its rules, which no other ones have."""


async def of_bus(tx: Transaction, place: Place) -> BusSubscribers:
    """Return what a bus has for events."""
    version = await rule.version(tx, place)
    if version is None:
        # Archives from before they had a part in the version.
        return BusSubscribers([], await archive.of_bus(tx, place))
    known = _ready.get(place)
    if known is not None and known[0] == version:
        return known[1]
    # Of many rules most are as they were.
    patterns = {} if known is None else {each.text: each.pattern for each in known[1].rules}
    receiver = BusSubscribers(await _rules(tx, place, patterns), await archive.of_bus(tx, place))
    _ready.add(place, (version, receiver), receiver.weight)
    return receiver


async def _rules(tx: Transaction, place: Place, patterns: dict[str, Pattern]) -> list[Compiled]:
    """Return the rules of a bus that match events; some of their patterns may be compiled by now."""
    space = rule.of_bus(place)
    found = []
    for _, raw in await tx.range(space.begin, space.end, limit=rule.RULES + rule.MANAGED):
        each = rule_record.decode(raw)
        if each.enabled and each.pattern and (targets := await rule.targets(tx, each)):
            outlets = [outbox.outlet(each, target) for target in targets]
            # Each delivery has the rule, but nobody asks there what it matches.
            told = replace(each, pattern="", description="")
            compiled = patterns.get(each.pattern) or pattern.compile(each.pattern)
            found.append(Compiled(told, compiled, outlets, each.pattern))
    return found
