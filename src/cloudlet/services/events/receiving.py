"""What a bus has for the events that are put on it: its rules and archives, kept ready until one of them changes."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.event_pattern import Pattern
from cloudlet.services.events import archive, outbox, rule, rule_record
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.bus_record import Place
from cloudlet.services.events.outbox import Outlet
from cloudlet.services.events.rule_record import Rule
from cloudlet.store.recent import ABSENT, RecentlyUsed

_BUSES: Final = 256
"""So many are kept."""


class Compiled(NamedTuple):
    """An enabled rule that matches events, ready to match."""

    rule: Rule
    pattern: Pattern
    outlets: list[Outlet]


class Takers(NamedTuple):
    """Who of a bus takes an event."""

    rules: list[Compiled]
    archives: list[Archive]


class Receiver:
    """A bus's archives, and its rules that match events and have targets, at hand by the sources that they ask for."""

    def __init__(self, rules: list[Compiled], archives: list[Archive]) -> None:
        self.archives = archives
        self.is_idle = not rules and not archives
        """Whether nothing is done with events."""
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


_ready: Final = RecentlyUsed(_BUSES)
"""By the versions of rules, which are unique."""


async def of_bus(tx: Transaction, place: Place) -> Receiver:
    """Return what a bus has for events."""
    version = await rule.version(tx, place)
    if version is None:
        # Archives from before they had a part in the version.
        return Receiver([], await archive.of_bus(tx, place))
    known = _ready.get(version)
    if known is ABSENT:
        known = Receiver(await _rules(tx, place), await archive.of_bus(tx, place))
        _ready.add(version, known)
    return known  # type: ignore[no-any-return]


async def _rules(tx: Transaction, place: Place) -> list[Compiled]:
    space = rule.of_bus(place)
    found = []
    for _, raw in await tx.range(space.begin, space.end, limit=rule.RULES):
        each = rule_record.decode(raw)
        if each.enabled and each.pattern and (targets := await rule.targets(tx, each)):
            outlets = [outbox.outlet(each, target) for target in targets]
            # Each delivery has the rule, but nobody asks there what it matches.
            told = replace(each, pattern="", description="")
            found.append(Compiled(told, rule.compiled_pattern(each.pattern), outlets))
    return found
