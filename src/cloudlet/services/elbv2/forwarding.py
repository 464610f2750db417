"""Checks of the target groups that actions forward to, and the secrets of actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.elbv2 import arns, limits, network_changes, protocols, storing
from cloudlet.services.elbv2.actions import USES_EXISTING, Actions
from cloudlet.services.elbv2.balancer_record import LoadBalancer
from cloudlet.services.elbv2.errors import IncompatibleProtocols, InvalidAction, InvalidConfiguration, QuotaExcess
from cloudlet.services.elbv2.group_record import TargetGroup
from cloudlet.services.elbv2.listener_record import Listener, Rule


async def check(
    ctx: Context, tx: Transaction, found: LoadBalancer, protocol: str, actions: Sequence[dict[str, Any]]
) -> None:
    """Raise AwsError unless a listener of a protocol may do actions."""
    groups = {arn: await storing.get_target_group(ctx, tx, arn) for arn in storing.list_target_groups(actions)}
    for arn, group in groups.items():
        _check_protocols(group, protocol)
        if group.vpc and group.vpc != found.vpc:
            raise InvalidConfiguration(
                f"The target group '{arn}' is in VPC '{group.vpc}', and the load balancer in VPC '{found.vpc}'"
            )
        if any(name != found.name for name in await storing.list_using_load_balancers(tx, arn)):
            raise AwsError(
                "TargetGroupAssociationLimitException",
                f"The following target groups cannot be associated with more than one load balancer: {arn}",
            )
    used = {arn for each in await storing.list_holders(tx, found) for arn in storing.list_target_groups(each.actions)}
    limit = limits.MAX_LOAD_BALANCER_TARGET_GROUPS
    if len(used | groups.keys()) > limit:
        text = f"A load balancer can only use '{limit}' unique target groups"
        raise QuotaExcess("TooManyUniqueTargetGroupsPerLoadBalancerException", text)
    await storing.check_target_count(tx, found, groups.values())
    for arn, group in groups.items():
        if arn not in used:
            await storing.forget_health(tx, group)


def _check_protocols(group: TargetGroup, protocol: str) -> None:
    if group.protocol not in protocols.FORWARDS_TO[protocol]:
        kind = f"protocol '{group.protocol}'" if group.protocol else f"target type '{group.type}'"
        text = f"Listener protocol '{protocol}' is not supported with a target group with the {kind}"
        raise IncompatibleProtocols(text)
    if group.is_grpc and protocol != "HTTPS":
        text = f"Listener protocol '{protocol}' is not supported with a target group with the protocol-version 'GRPC'"
        raise InvalidConfiguration(text)


def encrypt_secret(ctx: Context, holder: str, parsed: Actions, before: bytes) -> bytes:
    """Return the client secret of actions, encrypted, for the ARN of a listener or rule. Raises InvalidAction."""
    if parsed.keeps_secret:
        if not before:
            raise InvalidAction(f"There is no client secret, which {USES_EXISTING} refers to")
        return before
    return ctx.block.cloud.vault.encrypt(parsed.secret.encode(), f"elbv2:{holder}") if parsed.secret else b""


def decrypt_secret(block: Block, holder: Listener | Rule) -> str:
    """Return the client secret of a listener or rule; "" where it has none."""
    return block.cloud.vault.decrypt(holder.secret, f"elbv2:{holder.arn}").decode() if holder.secret else ""


async def request_served(tx: Transaction, holder: Listener | Rule) -> None:
    """Have the load balancer of a listener or rule served anew."""
    name = arns.get_load_balancer_name(holder.name)
    found = await storing.LOAD_BALANCERS.find(tx, holder.account, holder.region, name)
    if found is not None:
        network_changes.request(tx, found.account, found.region, found.vpc)
