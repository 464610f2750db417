"""Rules and their targets."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.events import bus, errors, rule_record
from cloudlet.services.events.bus_record import Place
from cloudlet.services.events.rule_record import Rule, Target

RULES: Final = 300
"""Of a bus, at most."""
TARGETS: Final = 5
"""Of a rule, at most."""
MANAGED: Final = 100
"""Of a bus, at most: those of archives, beside its other rules."""
_RULES: Final = Subspace("rule")
_TARGETS: Final = Subspace("target")
_VERSIONS: Final = Subspace("rules-version")
_KEPT: Final = 512
"""So many keys are kept made."""


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
    return None if raw is None else rule_record.decode(raw)


async def get(tx: Transaction, place: Place, name: str) -> Rule:
    """Return a rule. Raises AwsError where there is none, or no such bus."""
    await bus.get(tx, place)
    rule = await find(tx, place, name)
    if rule is None:
        raise errors.no_such_rule(name, place.name)
    return rule


def check_changeable(rule: Rule, *, force: bool | None = False) -> None:
    """Raise AwsError for a rule that a service manages, unless the caller insists."""
    if rule.managed and not force:
        raise errors.is_managed(rule.name, rule.managed)


async def targets(tx: Transaction, rule: Rule) -> list[Target]:
    """Return the targets of a rule."""
    space = targets_of(rule)
    return [rule_record.decode_target(raw) for _, raw in await tx.range(space.begin, space.end, limit=TARGETS)]


def save(tx: Transaction, rule: Rule) -> None:
    """Write a rule."""
    tx.put(of_bus(rule.place).key(rule.name), rule_record.encode(rule))
    touch(tx, rule.place)


def remove(tx: Transaction, rule: Rule) -> None:
    """Delete a rule."""
    tx.delete(of_bus(rule.place).key(rule.name))
    touch(tx, rule.place)


def save_target(tx: Transaction, rule: Rule, target: Target) -> None:
    """Write a target of a rule."""
    tx.put(targets_of(rule).key(target["Id"]), rule_record.encode(target))
    touch(tx, rule.place)


def remove_target(tx: Transaction, rule: Rule, id: str) -> None:
    """Delete a target of a rule."""
    tx.delete(targets_of(rule).key(id))
    touch(tx, rule.place)


def touch(tx: Transaction, place: Place) -> None:
    """Note that rules or archives of a bus have changed."""
    tx.put(_version_key(place), random_bytes(16))


async def version(tx: Transaction, place: Place) -> bytes | None:
    """Return what changes with the rules and archives of a bus, and never comes again; None where there were none."""
    return await tx.get(_version_key(place))


@lru_cache(_KEPT)
def _version_key(place: Place) -> bytes:
    return _VERSIONS.key(*place)
