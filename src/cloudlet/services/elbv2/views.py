"""The side of the control plane that the proxy sees, and what the proxy tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.aws.arn import Arn
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2 import (
    api_listeners,
    api_load_balancers,
    api_rules,
    api_target_groups,
    arns,
    certificates,
    forwarding,
    interfaces,
    storing,
)
from cloudlet.services.elbv2.balancer_record import LoadBalancer
from cloudlet.services.elbv2.group_record import Target, TargetGroup
from cloudlet.services.elbv2.listener_record import Listener, Rule
from cloudlet.services.elbv2.proxy import view
from cloudlet.services.elbv2.trust_store_record import TrustStore

VpcKey = tuple[str, str, str]
"""The account, the region and the id of a VPC."""
_MAX_READ_ROWS: Final = 100_000


async def list_vpcs(block: Block) -> list[VpcKey]:
    """Return the VPCs that have load balancers."""

    async def read(tx: Transaction) -> list[VpcKey]:
        rows = await tx.range(storing.NETWORKS.begin, storing.NETWORKS.end, limit=_MAX_READ_ROWS)
        found = (storing.NETWORKS.unpack(key) for key, _ in rows)
        return list(dict.fromkeys((account, region, vpc) for account, region, vpc, _ in found))

    return await block.store.transact(read)


async def load_view(block: Block, key: VpcKey) -> view.View:
    """Return the load balancers of a VPC, and what they refer to.

    Those without network interfaces yet are left out.
    """
    found = await block.store.transact(lambda tx: _read(block, tx, key))
    account, region, vpc = key
    needed = {arn for each in found.load_balancers for listener in each.listeners for arn in listener.certificates}
    loaded: dict[str, view.Certificate] = {}
    for arn in sorted(needed):
        try:
            material = await certificates.find_material(block, account, region, arn)
        except AwsError as error:
            if is_transient(error.code, error.status):
                raise
            continue
        if material is not None:
            loaded[arn] = view.Certificate(arn, material.chain, material.key)
    return view.View(account, region, vpc, found.load_balancers, found.target_groups, loaded, found.trust_stores)


async def _read(block: Block, tx: Transaction, key: VpcKey) -> view.View:
    account, region, vpc = key
    space = storing.NETWORKS.sub(*key)
    names = [space.unpack(row)[-1] for row, _ in await tx.range(space.begin, space.end, limit=_MAX_READ_ROWS)]
    balancers: list[view.LoadBalancer] = []
    groups: dict[str, view.TargetGroup] = {}
    stores: dict[str, view.TrustStore] = {}
    for name in names:
        found = await storing.LOAD_BALANCERS.find(tx, account, region, name)
        if found is None or not any(each.address for each in found.placements):
            continue
        listeners = await storing.list_listeners(tx, found)
        shown = [await _show_listener(block, tx, each) for each in listeners]
        for holder in await storing.list_holders(tx, found):
            for arn in storing.list_target_groups(holder.actions):
                group = await storing.TARGET_GROUPS.find(tx, account, region, _get_name(arn))
                if group is not None and arn not in groups:
                    groups[arn] = await _show_group(tx, group, found)
        for listener in listeners:
            store = await storing.TRUST_STORES.find(tx, account, region, _get_name(listener.trust_store))
            if store is not None:
                stores[store.arn] = await _show_store(tx, store)
        balancers.append(
            view.LoadBalancer(
                api_load_balancers.to_api(found),
                api_load_balancers.get_attributes(found),
                tuple(shown),
                tuple(each.address for each in found.placements if each.address),
                found.machine_address,
            )
        )
    return view.View(account, region, vpc, tuple(balancers), groups, {}, stores)


def _get_name(arn: str) -> str:
    """Return the record name that an ARN ends with; "" for none."""
    return Arn.parse(arn).resource.partition("/")[2] if arn else ""


async def _show_listener(block: Block, tx: Transaction, found: Listener) -> view.Listener:
    described = api_listeners.to_api(found)
    described["DefaultActions"] = _add_secret(block, found)
    rules = []
    for rule in await storing.list_rules(tx, found):
        rules.append({**api_rules.to_api(rule), "Actions": _add_secret(block, rule)})
    known = dict.fromkeys(arn for arn in (found.certificate, *found.certificates) if arn)
    return view.Listener(described, api_listeners.get_attributes(found), tuple(rules), tuple(known))


def _add_secret(block: Block, holder: Listener | Rule) -> list[dict[str, Any]]:
    """Return the actions of a listener or rule with their client secret."""
    secret = forwarding.decrypt_secret(block, holder)
    return [
        {**action, "AuthenticateOidcConfig": {**action["AuthenticateOidcConfig"], "ClientSecret": secret}}
        if "AuthenticateOidcConfig" in action
        else action
        for action in holder.actions
    ]


async def _show_group(tx: Transaction, group: TargetGroup, user: LoadBalancer) -> view.TargetGroup:
    shown = [await _show_target(tx, group, each) for each in await storing.list_targets(tx, group)]
    return view.TargetGroup(
        api_target_groups.to_api(group, [user.arn]), api_target_groups.get_attributes(group), tuple(shown)
    )


async def _show_target(tx: Transaction, group: TargetGroup, target: Target) -> view.Target:
    address = await storing.find_address(tx, group, target)
    return view.Target(target.id, target.port, address, target.zone, target.registered, target.draining_until)


async def _show_store(tx: Transaction, store: TrustStore) -> view.TrustStore:
    lists = []
    for each in store.revocations:
        raw = await tx.get(storing.REVOCATION_FILES.key(store.account, store.region, store.name, each.id))
        lists.append((raw or b"").decode())
    return view.TrustStore(store.arn, store.bundle, tuple(lists))


# What the proxy tells


async def record_health(block: Block, group_arn: str, health: Mapping[tuple[str, int], view.TargetHealth]) -> None:
    """Write down what health checks say of targets of a group."""
    account, region = storing.get_owner(group_arn)

    async def record(tx: Transaction) -> None:
        group = await storing.TARGET_GROUPS.find(tx, account, region, _get_name(group_arn))
        if group is None:
            return
        for (target_id, port), told in health.items():
            target = await storing.find_target(tx, group, target_id, port)
            said = (told.state, told.reason, told.description)
            if target is not None and said != (target.state, target.reason, target.description):
                changed = replace(target, state=told.state, reason=told.reason, description=told.description)
                storing.save_target(tx, group, changed)

    await block.store.transact(record)


async def record_refusal(block: Block, arn: str, text: str) -> None:
    """Write down why Envoy has refused a resource; "" where it has taken it."""
    account, region = storing.get_owner(arn)
    name = arns.get_load_balancer_name(_get_name(arn))
    await block.store.transact(lambda tx: interfaces.record_refusal(tx, account, region, name, arn, text))
