"""Rules and their targets: what is stored of them, and what of a bus's rules is kept compiled."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.arn import partition_of
from cloudlet.core.event_pattern import Pattern
from cloudlet.core.ids import random_bytes
from cloudlet.services.events import bus, errors, pattern
from cloudlet.services.events.bus import Place

RULES = 300
"""Of a bus, at most."""
TARGETS = 5
"""Of a rule, at most."""
Target = dict[str, Any]
"""A target as PutTargets has it."""

_RULES = Subspace("rule")
_TARGETS = Subspace("target")
_VERSIONS = Subspace("rules-version")
_COMPILED_BUSES = 256


class Rule(msgspec.Struct, frozen=True):
    """A rule."""

    account: str
    region: str
    bus: str
    name: str
    state: str
    pattern: str = ""
    schedule: str = ""
    description: str = ""
    role: str = ""
    due: int = 0
    """When it runs next by its schedule, in milliseconds since the epoch; 0 where it does not."""

    @property
    def place(self) -> Place:
        return Place(self.account, self.region, self.bus)

    @property
    def enabled(self) -> bool:
        return self.state != "DISABLED"

    @property
    def arn(self) -> str:
        return arn_of(self.place, self.name)


class Compiled(NamedTuple):
    """An enabled rule that matches events, ready to match."""

    rule: Rule
    pattern: Pattern
    targets: list[Target]


class RuleSet:
    """The enabled rules of a bus that match events and have targets, at hand by the sources that they ask for."""

    def __init__(self, rules: list[Compiled]) -> None:
        self._others = [each for each in rules if each.pattern.sources is None]
        self._of_source: dict[str, list[Compiled]] = {}
        for each in rules:
            for source in each.pattern.sources or ():
                self._of_source.setdefault(source, []).append(each)

    def __bool__(self) -> bool:
        return bool(self._others or self._of_source)

    def matching(self, event: dict[str, Any]) -> list[Compiled]:
        """Return the rules that match an event, as its JSON says."""
        candidates = self._others + self._of_source.get(event["source"], [])
        return [each for each in candidates if each.pattern.matches(event)]


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Rule).decode
decode_target = msgspec.msgpack.Decoder(dict[str, Any]).decode
_compiled: dict[bytes, RuleSet] = {}
"""The rules of buses by their versions, which are unique."""
compiled_pattern = lru_cache(4096)(pattern.compile)


def arn_of(place: Place, name: str) -> str:
    """Return the ARN of a rule of a bus."""
    path = name if place.name == bus.DEFAULT else f"{place.name}/{name}"
    return str(Arn(partition_of(place.region), "events", place.region, place.account, f"rule/{path}"))


def of_bus(place: Place) -> Subspace:
    """Return where the rules of a bus are, by name."""
    return _RULES.sub(*place)


def targets_of_bus(place: Place) -> Subspace:
    """Return where the targets of all rules of a bus are, by the rule's name and the target's id."""
    return _TARGETS.sub(*place)


def targets_of(rule: Rule) -> Subspace:
    """Return where the targets of a rule are, by id."""
    return _TARGETS.sub(*rule.place, rule.name)


async def find(tx: Transaction, place: Place, name: str) -> Rule | None:
    """Return a rule, or None where there is none."""
    raw = await tx.get(of_bus(place).key(name))
    return None if raw is None else decode(raw)


async def get(tx: Transaction, place: Place, name: str) -> Rule:
    """Return a rule. Raises AwsError where there is none, or no such bus."""
    await bus.get(tx, place)
    rule = await find(tx, place, name)
    if rule is None:
        raise errors.no_such_rule(name, place.name)
    return rule


async def targets(tx: Transaction, rule: Rule) -> list[Target]:
    """Return the targets of a rule."""
    space = targets_of(rule)
    return [decode_target(raw) for _, raw in await tx.range(space.begin, space.end, limit=TARGETS)]


def save(tx: Transaction, rule: Rule) -> None:
    """Write a rule."""
    tx.put(of_bus(rule.place).key(rule.name), _encode(rule))
    touch(tx, rule.place)


def remove(tx: Transaction, rule: Rule) -> None:
    """Delete a rule."""
    tx.delete(of_bus(rule.place).key(rule.name))
    touch(tx, rule.place)


def save_target(tx: Transaction, rule: Rule, target: Target) -> None:
    """Write a target of a rule."""
    tx.put(targets_of(rule).key(target["Id"]), _encode(target))
    touch(tx, rule.place)


def remove_target(tx: Transaction, rule: Rule, id: str) -> None:
    """Delete a target of a rule."""
    tx.delete(targets_of(rule).key(id))
    touch(tx, rule.place)


def touch(tx: Transaction, place: Place) -> None:
    """Note that rules of a bus have changed."""
    tx.put(_VERSIONS.key(*place), random_bytes(16))


async def compiled(tx: Transaction, place: Place) -> RuleSet:
    """Return the rules of a bus, ready to match."""
    version = await tx.get(_VERSIONS.key(*place))
    if version is None:
        return RuleSet([])
    known = _compiled.get(version)
    if known is None:
        space = of_bus(place)
        found = []
        for _, raw in await tx.range(space.begin, space.end, limit=RULES):
            rule = decode(raw)
            if rule.enabled and rule.pattern and (given := await targets(tx, rule)):
                found.append(Compiled(rule, compiled_pattern(rule.pattern), given))
        if len(_compiled) >= _COMPILED_BUSES:
            del _compiled[next(iter(_compiled))]
        known = _compiled[version] = RuleSet(found)
    return known
