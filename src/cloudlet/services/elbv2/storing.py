"""Reading and writing the records of load balancers, and the rows that lead to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.arn import Arn
from cloudlet.core.aws.listing import list_names
from cloudlet.core.aws.records import Record, Records
from cloudlet.services.elbv2 import arns, errors, limits, machine_addresses
from cloudlet.services.elbv2.balancer_record import LoadBalancer
from cloudlet.services.elbv2.group_record import Target, TargetGroup
from cloudlet.services.elbv2.listener_record import Listener, Rule
from cloudlet.services.elbv2.trust_store_record import TrustStore

R = TypeVar("R", bound=Record)
LOAD_BALANCERS: Final = Records(Subspace("load-balancer"), LoadBalancer, errors.LoadBalancerNotFound)
LISTENERS: Final = Records(Subspace("listener"), Listener, errors.ListenerNotFound)
RULES: Final = Records(Subspace("rule"), Rule, errors.RuleNotFound)
TARGET_GROUPS: Final = Records(Subspace("target-group"), TargetGroup, errors.TargetGroupNotFound)
TRUST_STORES: Final = Records(Subspace("trust-store"), TrustStore, errors.TrustStoreNotFound)

TITLES: Final = Subspace("title")
"""The names that resources were given, by kind; each leads to a record's name."""
NETWORKS: Final = Subspace("network")
"""VPCs, with the load balancers that each has."""
USES: Final = Subspace("use")
"""Target groups and trust stores, with the listeners and rules that use them."""
REVOCATION_FILES: Final = Subspace("revocation-file")
"""Revocation lists in PEM, by trust store and id."""
_TARGETS: Final = Subspace("target")
_MAX_READ_ROWS: Final = 100_000

_encode = msgspec.msgpack.Encoder().encode
_decode_target = msgspec.msgpack.Decoder(Target).decode


# By ARN


async def _get(
    ctx: Context, tx: Transaction, records: Records[R], kind: str, arn: str, absent: Callable[[str], AwsError]
) -> R:
    found = await records.find(tx, ctx.account, ctx.region, arns.parse_name(ctx, kind, arn))
    if found is None:
        raise absent(arn)
    return found


async def get_load_balancer(ctx: Context, tx: Transaction, arn: str) -> LoadBalancer:
    """Return a load balancer. Raises AwsError."""
    return await _get(ctx, tx, LOAD_BALANCERS, arns.LOAD_BALANCER, arn, errors.LoadBalancerNotFound)


async def get_listener(ctx: Context, tx: Transaction, arn: str) -> Listener:
    """Return a listener. Raises AwsError."""
    return await _get(ctx, tx, LISTENERS, arns.LISTENER, arn, errors.ListenerNotFound)


async def get_rule(ctx: Context, tx: Transaction, arn: str) -> Rule:
    """Return a rule, which is no default one. Raises AwsError."""
    found = await RULES.find(tx, ctx.account, ctx.region, arns.parse_name(ctx, arns.RULE, arn))
    if found is None:
        raise errors.RuleNotFound(arn)
    return found


async def find_default_rule(ctx: Context, tx: Transaction, arn: str) -> Listener | None:
    """Return the listener whose default rule an ARN names."""
    name = arns.parse_name(ctx, arns.RULE, arn)
    found = await LISTENERS.find(tx, ctx.account, ctx.region, arns.get_listener_name(name))
    return found if found is not None and found.default_rule_arn == arn else None


async def get_target_group(ctx: Context, tx: Transaction, arn: str) -> TargetGroup:
    """Return a target group. Raises AwsError."""
    return await _get(ctx, tx, TARGET_GROUPS, arns.TARGET_GROUP, arn, errors.TargetGroupNotFound)


async def get_trust_store(ctx: Context, tx: Transaction, arn: str) -> TrustStore:
    """Return a trust store. Raises AwsError."""
    return await _get(ctx, tx, TRUST_STORES, arns.TRUST_STORE, arn, errors.TrustStoreNotFound)


# What belongs together


async def _list_below(tx: Transaction, records: Records[Any], account: str, region: str, name: str) -> list[Any]:
    rows = await list_names(tx, records.get_space(account, region), f"{name}/", "", _MAX_READ_ROWS)
    return [records.decode(raw) for _, raw in rows]


async def list_listeners(tx: Transaction, load_balancer: LoadBalancer) -> list[Listener]:
    """Return the listeners of a load balancer."""
    return await _list_below(tx, LISTENERS, load_balancer.account, load_balancer.region, load_balancer.name)


async def list_rules(tx: Transaction, holder: LoadBalancer | Listener) -> list[Rule]:
    """Return the rules of a listener or load balancer by priority, without default rules."""
    found: list[Rule] = await _list_below(tx, RULES, holder.account, holder.region, holder.name)
    return sorted(found, key=lambda rule: rule.priority)


async def list_holders(tx: Transaction, load_balancer: LoadBalancer) -> list[Listener | Rule]:
    """Return what has actions of a load balancer: its listeners and their rules."""
    return [*await list_listeners(tx, load_balancer), *await list_rules(tx, load_balancer)]


async def find_title(tx: Transaction, kind: str, account: str, region: str, title: str) -> str | None:
    """Return the record name of what has a name."""
    raw = await tx.get(TITLES.key(kind, account, region, title))
    return None if raw is None else raw.decode()


async def count_records(tx: Transaction, records: Records[Any], ctx: Context, limit: int, prefix: str = "") -> int:
    """Return the number of records of an account, as far as a limit."""
    return len(await list_names(tx, records.get_space(ctx.account, ctx.region), prefix, "", limit))


# Uses of target groups and trust stores


def list_target_groups(actions: Iterable[dict[str, Any]]) -> list[str]:
    """Return the ARNs of the target groups that actions forward to, each once."""
    found = [
        group["TargetGroupArn"]
        for action in actions
        for group in (action.get("ForwardConfig") or {}).get("TargetGroups", ())
    ]
    return list(dict.fromkeys(found))


def record_uses(tx: Transaction, holder: Listener | Rule, before: Iterable[str], after: Iterable[str]) -> None:
    """Write down which target groups or trust store a listener or rule uses, by ARNs."""
    old, new = set(before), set(after)
    for arn in old - new:
        tx.delete(_get_use_key(arn, holder))
    for arn in new - old:
        tx.put(_get_use_key(arn, holder), holder.name.encode())


def _get_use_key(arn: str, holder: Listener | Rule) -> bytes:
    return USES.key(arn, arns.get_load_balancer_name(holder.name), holder.name)


async def list_users(tx: Transaction, arn: str) -> list[str]:
    """Return the record names of what uses a target group or trust store."""
    space = USES.sub(arn)
    return [raw.decode() for _, raw in await tx.range(space.begin, space.end, limit=_MAX_READ_ROWS)]


async def list_using_load_balancers(tx: Transaction, arn: str) -> list[str]:
    """Return the record names of the load balancers that use a target group."""
    return list(dict.fromkeys(arns.get_load_balancer_name(each) for each in await list_users(tx, arn)))


# Targets


def _get_target_key(group: TargetGroup, target: Target) -> bytes:
    return _TARGETS.key(group.account, group.region, group.name, target.id, target.port)


async def list_targets(tx: Transaction, group: TargetGroup) -> list[Target]:
    """Return the targets of a group, those that are draining among them."""
    space = _TARGETS.sub(group.account, group.region, group.name)
    return [_decode_target(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_READ_ROWS)]


async def find_target(tx: Transaction, group: TargetGroup, target: str, port: int) -> Target | None:
    """Return a target of a group."""
    raw = await tx.get(_TARGETS.key(group.account, group.region, group.name, target, port))
    return None if raw is None else _decode_target(raw)


async def find_address(tx: Transaction, group: TargetGroup, target: Target) -> str:
    """Return the address of a target in the VPC; "" where it has none."""
    if group.type != "alb":
        return target.address
    name = Arn.parse(target.id).resource.partition("/")[2]
    found = await LOAD_BALANCERS.find(tx, group.account, group.region, name)
    return next((each.address for each in found.placements if each.address), "") if found else ""


def save_target(tx: Transaction, group: TargetGroup, target: Target) -> None:
    """Write a target."""
    tx.put(_get_target_key(group, target), _encode(target))


def remove_target(tx: Transaction, group: TargetGroup, target: Target) -> None:
    """Delete a target."""
    tx.delete(_get_target_key(group, target))


async def forget_health(tx: Transaction, group: TargetGroup) -> None:
    """Have targets checked anew: what was told of them is of another time."""
    for target in await list_targets(tx, group):
        if target.state:
            save_target(tx, group, replace(target, state="", reason="", description=""))


async def check_target_count(tx: Transaction, load_balancer: LoadBalancer, more: Iterable[TargetGroup] = ()) -> None:
    """Raise QuotaExcess where a load balancer has too many targets, with those of further groups."""
    limit = limits.MAX_LOAD_BALANCER_TARGETS[load_balancer.type]
    groups = {each.arn: each for each in more}
    for holder in await list_holders(tx, load_balancer):
        for arn in list_target_groups(holder.actions):
            name = arn.partition(f":{arns.TARGET_GROUP}/")[2]
            found = await TARGET_GROUPS.find(tx, load_balancer.account, load_balancer.region, name)
            groups |= {} if found is None else {arn: found}
    if sum([len(await list_targets(tx, each)) for each in groups.values()]) > limit:
        text = f"The maximum number of targets has been reached on load balancer '{load_balancer.arn}'"
        raise errors.QuotaExcess("TooManyTargetsException", text)


# Deletion


def remove_rule(tx: Transaction, rule: Rule) -> None:
    """Delete a rule, and what it is found by."""
    record_uses(tx, rule, list_target_groups(rule.actions), ())
    tags.save(tx, rule.arn, {})
    RULES.remove(tx, rule)


async def remove_listener(tx: Transaction, listener: Listener) -> None:
    """Delete a listener with its rules, and what it is found by."""
    for rule in await list_rules(tx, listener):
        remove_rule(tx, rule)
    record_uses(tx, listener, list_target_groups(listener.actions), ())
    if listener.trust_store:
        record_uses(tx, listener, (listener.trust_store,), ())
    tags.save(tx, listener.arn, {})
    LISTENERS.remove(tx, listener)


async def remove_load_balancer(tx: Transaction, load_balancer: LoadBalancer) -> None:
    """Delete a load balancer with its listeners, and what it is found by."""
    for listener in await list_listeners(tx, load_balancer):
        await remove_listener(tx, listener)
    account, region = load_balancer.account, load_balancer.region
    tx.delete(TITLES.key(arns.LOAD_BALANCER, account, region, load_balancer.title))
    tx.delete(NETWORKS.key(account, region, load_balancer.vpc, load_balancer.name))
    machine_addresses.leave(tx, load_balancer)
    tags.save(tx, load_balancer.arn, {})
    LOAD_BALANCERS.remove(tx, load_balancer)


def get_owner(arn: str) -> tuple[str, str]:
    """Return the account and region of an ARN."""
    parsed = Arn.parse(arn)
    return parsed.account, parsed.region
