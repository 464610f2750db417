"""Sampling rules: which requests applications record.

Developer guide, "Configuring sampling rules"; API reference, "SamplingRule". An account has the rule Default from the
start: the first request each second, and 5 % of the others.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import Arn, partition_of
from cloudlet.services.xray.errors import invalid

DEFAULT = "Default"
_MOST = 25
"""Besides Default."""
_LOWEST_PRIORITY = 9999
_RULES = Subspace("sampling-rule")
"""Account, region, name → Rule."""
_CHANGED = Subspace("sampling-changed")
"""Account, region → when a rule was changed last, in seconds since the epoch."""
_ANY = ("ResourceARN", "ServiceName", "ServiceType", "Host", "HTTPMethod", "URLPath")


class Rule(msgspec.Struct, frozen=True):
    """What is stored of a rule: its members as the API names them, and times in seconds since the epoch."""

    name: str
    arn: str
    members: dict[str, Any]
    created: float
    modified: float

    @property
    def priority(self) -> int:
        return int(self.members["Priority"])

    @property
    def fixed_rate(self) -> float:
        return float(self.members["FixedRate"])

    @property
    def reservoir(self) -> int:
        return int(self.members["ReservoirSize"])

    def shown(self) -> dict[str, Any]:
        """Return it as a SamplingRuleRecord."""
        return {
            "SamplingRule": {"RuleName": self.name, "RuleARN": self.arn, **self.members},
            "CreatedAt": self.created,
            "ModifiedAt": self.modified,
        }


_decode = msgspec.msgpack.Decoder(Rule).decode


def _arn(ctx: Context, name: str) -> str:
    return str(Arn(partition_of(ctx.region), "xray", ctx.region, ctx.account, f"sampling-rule/{name}"))


def new(ctx: Context, given: dict[str, Any]) -> Rule:
    """Return a rule that is not stored. Raises AwsError."""
    name = given.get("RuleName")
    if not name:
        raise invalid("RuleName is required")
    if given.get("RuleARN"):
        raise invalid("RuleARN cannot be set")
    if given["Version"] != 1:
        raise invalid("The version of a sampling rule is 1")
    _refuse_boost(given)
    members = {key: value for key, value in given.items() if key not in ("RuleName", "RuleARN") and value is not None}
    members["Attributes"] = given.get("Attributes") or {}
    return Rule(name, _arn(ctx, name), members, ctx.now(), ctx.now())


def _refuse_boost(given: dict[str, Any]) -> None:
    if given.get("SamplingRateBoost") is not None:
        raise invalid("Cloudlet does not boost sampling rates: leave out SamplingRateBoost.")


def _default(ctx: Context) -> Rule:
    members = {
        **dict.fromkeys(_ANY, "*"),
        "Priority": 10_000,
        "FixedRate": 0.05,
        "ReservoirSize": 1,
        "Version": 1,
        "Attributes": {},
    }
    return Rule(DEFAULT, _arn(ctx, DEFAULT), members, 0.0, 0.0)


async def listed(ctx: Context, tx: Transaction) -> list[Rule]:
    """Return all rules, in the order in which applications try them."""
    space = _RULES.sub(ctx.account, ctx.region)
    stored = [_decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MOST + 1)]
    if all(rule.name != DEFAULT for rule in stored):
        stored.append(_default(ctx))
    return sorted(stored, key=lambda rule: (rule.priority, rule.name))


async def find(ctx: Context, tx: Transaction, name: str | None, arn: str | None) -> Rule:
    """Return the rule of a name or an ARN. Raises AwsError."""
    if (name is None) == (arn is None):
        raise invalid("Specify either RuleName or RuleARN, and not both")
    for rule in await listed(ctx, tx):
        if rule.name == name or rule.arn == arn:
            return rule
    raise invalid("Sampling rule does not exist")


async def add(ctx: Context, tx: Transaction, rule: Rule) -> None:
    """Store a new rule. Raises AwsError where there is one of its name, or too many."""
    others = await listed(ctx, tx)
    if any(other.name == rule.name for other in others):
        raise invalid(f"Sampling rule {rule.name} already exists")
    if len(others) > _MOST:
        raise AwsError("RuleLimitExceededException", f"There are {_MOST} sampling rules at most.")
    _save(ctx, tx, rule)


def change(ctx: Context, tx: Transaction, rule: Rule, given: dict[str, Any]) -> Rule:
    """Change the members of a rule that are given; return it as it is then. Raises AwsError."""
    _refuse_boost(given)
    changes = {key: value for key, value in given.items() if key not in ("RuleName", "RuleARN") and value is not None}
    if rule.name == DEFAULT and not changes.keys() <= {"FixedRate", "ReservoirSize"}:
        raise invalid("Of the default rule only FixedRate and ReservoirSize can be changed")
    if not 1 <= changes.get("Priority", 1) <= _LOWEST_PRIORITY:
        raise invalid(f"Priority must be between 1 and {_LOWEST_PRIORITY}")
    if not 0 <= changes.get("FixedRate", 0) <= 1:
        raise invalid("FixedRate must be between 0 and 1")
    if changes.get("ReservoirSize", 0) < 0:
        raise invalid("ReservoirSize must not be negative")
    changed = msgspec.structs.replace(rule, members={**rule.members, **changes}, modified=ctx.now())
    _save(ctx, tx, changed)
    return changed


def _save(ctx: Context, tx: Transaction, rule: Rule) -> None:
    tx.put(_RULES.key(ctx.account, ctx.region, rule.name), msgspec.msgpack.encode(rule))
    _note_change(ctx, tx)


def remove(ctx: Context, tx: Transaction, rule: Rule) -> None:
    """Forget a rule. Raises AwsError for Default."""
    if rule.name == DEFAULT:
        raise invalid("The default rule cannot be deleted")
    tx.delete(_RULES.key(ctx.account, ctx.region, rule.name))
    _note_change(ctx, tx)


def _note_change(ctx: Context, tx: Transaction) -> None:
    tx.put(_CHANGED.key(ctx.account, ctx.region), msgspec.msgpack.encode(ctx.now()))


async def changed(ctx: Context, tx: Transaction) -> float:
    """Return when a rule was changed last, in seconds since the epoch; 0 for never."""
    raw = await tx.get(_CHANGED.key(ctx.account, ctx.region))
    return 0.0 if raw is None else msgspec.msgpack.decode(raw, type=float)
