"""Rules and their targets: what is stored of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.arn import partition_of
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
_KEPT = 512
"""So many keys are kept made."""


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


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Rule).decode
decode_target = msgspec.msgpack.Decoder(dict[str, Any]).decode
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
    """Note that rules or archives of a bus have changed."""
    tx.put(_version_key(place), random_bytes(16))


async def version(tx: Transaction, place: Place) -> bytes | None:
    """Return what changes with the rules and archives of a bus, and never comes again; None where there were none."""
    return await tx.get(_version_key(place))


@lru_cache(_KEPT)
def _version_key(place: Place) -> bytes:
    return _VERSIONS.key(*place)
