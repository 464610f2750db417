"""Load balancers that ECS makes: given to routes, made, changed and removed.

Developer guide, "Resources created by Amazon ECS Express Mode services" and "Create and manage an Amazon ECS Gateway".
A load balancer comes with its first route, and goes with its last one. Each step is one call and what it has made; it
may be killed in between, as the call finds what is there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retrying import is_transient
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.ecs import errors, gateway_changing, gateways, ingress
from cloudlet.services.ecs.gateway_changing import ANYBODY, PORT
from cloudlet.services.ecs.ingress_calls import Calling, describe_failure, find_pause
from cloudlet.services.ecs.ingress_record import Balancer, Route

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

log = logging.getLogger("cloudlet.ecs")
MAX_ROUTES: Final = 25
"""The routes of one load balancer: each has a certificate there."""
_PATIENCE_SECONDS: Final = 1.0
_NOTHING: Final = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}


class Place(NamedTuple):
    """The place of a load balancer, which all routes of the same place share."""

    account: str
    region: str
    gateway: str
    access: str
    vpc: str
    subnets: tuple[str, ...]
    """One of each Availability Zone, in order."""


async def open_route(
    tx: Transaction, place: Place, now: float, balancer: Mapping[str, Any], route: Mapping[str, Any], limit: int
) -> Route:
    """Return a new route, through a load balancer that has room or a new one.

    `balancer` and `route` are more members of either; a gateway, or Express Mode, has `limit` load balancers at most.
    Raises InvalidParameterException.
    """
    known = await ingress.list_balancers(tx, place.account, place.region, place.gateway)
    free = next((each for each in known if _get_place(each) == place and _has_room(each)), None)
    if free is None:
        if len([each for each in known if not each.is_leaving]) >= limit:
            raise errors.InvalidParameter(f"The maximum number of load balancers ({limit}) has been reached.")
        free = Balancer(
            account=place.account,
            region=place.region,
            id=random_bytes(4).hex(),
            gateway=place.gateway,
            access=place.access,
            vpc=place.vpc,
            subnets=list(place.subnets),
            created=now,
            updated=now,
            **balancer,
        )
    made = Route(
        account=place.account,
        region=place.region,
        id=free.id + random_bytes(12).hex(),
        gateway=place.gateway,
        access=place.access,
        vpc=place.vpc,
        created=now,
        updated=now,
        **route,
    )
    slot = next(number for number in range(MAX_ROUTES) if number not in free.slots.values())
    routes = {**free.routes, made.id: [made.cluster, made.service]}
    ingress.save_balancer(tx, replace(free, routes=routes, slots={**free.slots, made.id: slot}))
    ingress.save_route(tx, made)
    BALANCERS.request(tx, *free.key)
    return made


def _get_place(balancer: Balancer) -> Place:
    subnets = tuple(balancer.subnets)
    return Place(balancer.account, balancer.region, balancer.gateway, balancer.access, balancer.vpc, subnets)


def _has_room(balancer: Balancer) -> bool:
    return not balancer.is_leaving and len(balancer.routes) < MAX_ROUTES


async def forget_route(tx: Transaction, route: Route) -> None:
    """Forget a route; the load balancer that has none any more goes."""
    ingress.remove_route(tx, route)
    if route.gateway:
        await gateways.forget_association(tx, route.account, route.region, route.gateway, route.cluster)
    balancer = await ingress.find_balancer(tx, route.account, route.region, route.balancer)
    if balancer is None:
        return
    routes = {id: names for id, names in balancer.routes.items() if id != route.id}
    slots = {id: slot for id, slot in balancer.slots.items() if id != route.id}
    ingress.save_balancer(tx, replace(balancer, routes=routes, slots=slots, is_leaving=not routes))
    if not routes:
        BALANCERS.request(tx, *balancer.key)


async def share_rules(tx: Transaction, route: Route) -> Route:
    """Leave the rules of a security group to another route that needs them.

    Return the route without them.
    """
    balancer = await ingress.find_balancer(tx, route.account, route.region, route.balancer)
    if route.owns_group or not route.opened or balancer is None:
        return route
    for id, (cluster, service) in balancer.routes.items():
        other = await ingress.find_route(tx, (route.account, route.region, cluster, service, id))
        if other is None or other.is_leaving or other.security_group != route.security_group:
            continue
        if other.port == route.opened:
            rules = [*dict.fromkeys((*other.rule_ids, *route.rule_ids))]
            ingress.save_route(tx, replace(other, rule_ids=rules))
            left = replace(route, rule_ids=[], opened=0)
            ingress.save_route(tx, left)
            return left
    return route


async def _reconcile(block: Block, key: Key) -> float | None:
    """Do one step for a load balancer."""
    account, region, id = key
    found = await block.store.transact(lambda tx: ingress.find_balancer(tx, account, region, id))
    if found is None:
        return None
    calling = Calling.make(block, found)
    try:
        if found.is_leaving and not found.was_repeated:
            changes: dict[str, Any] | None = await _repeat(calling, found)
        else:
            changes = await (_remove(calling, found) if found.is_leaving else _make(calling, found))
    except AwsError as error:
        await _note(block, found, {"failure": describe_failure(error)})
        return find_pause(log, f"the load balancer {found.name}", error, found.failure)
    if changes is None:
        return None
    await _note(block, found, {**changes, "failure": ""})
    return 0.0


BALANCERS: Final = Reconciler("ingress-balancers", _reconcile, patience_seconds=_PATIENCE_SECONDS)


async def _note(block: Block, known: Balancer, changes: dict[str, Any]) -> None:
    """Write down what was made; a load balancer of which nothing is left is forgotten."""

    async def body(tx: Transaction) -> None:
        found = await ingress.find_balancer(tx, *known.key)
        if found is None:
            return
        changed = replace(found, **changes)
        is_empty = not (changed.arn or changed.certificate or changed.security_group)
        if changed.is_leaving and changed.was_repeated and is_empty:
            ingress.remove_balancer(tx, changed)
        elif changed != found:
            ingress.save_balancer(tx, replace(changed, updated=block.clock.now()))

    await block.store.transact(body)


async def _repeat(calling: Calling, found: Balancer) -> dict[str, Any]:
    """Repeat the step that a killed process may have been in.

    What it has made is not written down.
    """
    try:
        made = await _make(calling, found)
    except AwsError as error:
        if is_transient(error.code, error.status):
            raise
        made = None
    return {**(made or {}), "was_repeated": True}


async def _make(calling: Calling, found: Balancer) -> dict[str, Any] | None:
    """Make what is missing of a load balancer; return what was made, or None. Raises AwsError."""
    if not found.security_group:
        name = found.name.replace("-alb-", "-alb-sg-")
        group = await calling.create_group(name, found.vpc, "Load balancer managed by Amazon ECS")
        if not found.wanted.get("inboundSecurityGroup"):
            await calling.let_in(group, PORT, ANYBODY)
        return {"security_group": group}
    if not found.certificate:
        return {"certificate": await calling.request_certificate(found.domain, found.id)}
    if not found.arn:
        params: dict[str, Any] = {
            "Name": found.name,
            "Subnets": found.subnets,
            "SecurityGroups": _list_groups(found),
            "Scheme": found.scheme,
            "Type": "application",
            "Tags": calling.tags,
        }
        made = await calling.call("elbv2", "CreateLoadBalancer", params)
        settings = gateway_changing.make_first(found) if found.gateway else {}
        return {"arn": made["LoadBalancers"][0]["LoadBalancerArn"], "settings": settings}
    if not found.listener:
        params = {
            "LoadBalancerArn": found.arn,
            "Protocol": "HTTPS",
            "Port": PORT,
            "Certificates": [{"CertificateArn": found.certificate}],
            "DefaultActions": [_NOTHING],
            "Tags": calling.tags,
        }
        made = await calling.call("elbv2", "CreateListener", params)
        return {"listener": made["Listeners"][0]["ListenerArn"]}
    return await gateway_changing.change(calling, found)


def _list_groups(found: Balancer) -> list[str]:
    given = found.wanted.get("inboundSecurityGroup")
    return [found.security_group, *([given] if given else [])]


async def _remove(calling: Calling, found: Balancer) -> dict[str, Any] | None:
    """Remove something of a load balancer; return what is gone. Raises AwsError."""
    if found.arn:
        if found.settings.get("deletionProtection"):
            await gateway_changing.release(calling, found)
        await calling.remove("elbv2", "DeleteLoadBalancer", {"LoadBalancerArn": found.arn})
        return {"arn": "", "listener": ""}
    if found.certificate:
        await calling.remove("acm", "DeleteCertificate", {"CertificateArn": found.certificate})
        return {"certificate": ""}
    if found.security_group:
        await calling.remove("ec2", "DeleteSecurityGroup", {"GroupId": found.security_group})
        return {"security_group": ""}
    return {}
