"""Load balancers of Elastic Load Balancing, whose names Route 53 answers and aliases lead to.

The block that has them is asked for their addresses: in its VPC a load balancer has those of its interfaces, elsewhere
one on this machine.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock

log = logging.getLogger("cloudlet.dns")

KNOWN_SECONDS: Final = 5.0
"""The time for which the addresses of a load balancer are taken to stay."""
_MODEL: Final = "elbv2"
_NAME: Final = re.compile(
    r"(?:dualstack\.)?(?P<host>[a-z0-9-]+"
    r"\.(?:(?P<region>[a-z0-9-]+)\.elb|elb\.(?P<network_region>[a-z0-9-]+))\.amazonaws\.com(?:\.cn)?)\.?"
)
_INGRESS: Final = re.compile(r"[a-z0-9]{1,3}-(?P<id>[0-9a-f]{8})[0-9a-f]{24}\.ecs\.(?P<region>[a-z0-9-]+)\.on\.aws\.?")
"""A host of a service of ECS, with digits of its load balancer's name."""
PLACES: Final = PerBlock(lambda block: set[tuple[str, str]]())
"""The accounts and Regions of VPCs that have networks: there are no load balancers elsewhere."""


class LoadBalancer(NamedTuple):
    """The addresses of a load balancer."""

    vpc: str
    inner: tuple[str, ...]
    """In its VPC."""
    outer: tuple[str, ...]
    """On this machine."""

    def list_addresses(self, vpc: str) -> tuple[str, ...]:
        """Return the addresses that clients in a VPC use, or others, whose VPC is empty."""
        return self.inner if vpc == self.vpc else self.outer


def is_load_balancer(name: str) -> bool:
    """Whether a name is that of a load balancer."""
    return _NAME.fullmatch(name) is not None


def is_served(name: str) -> bool:
    """Whether a name leads to a load balancer, its own or a service's of ECS."""
    return is_load_balancer(name) or _INGRESS.fullmatch(name) is not None


def _is_named(found: Mapping[str, Any], named: re.Match[str]) -> bool:
    """Whether a load balancer is the one of a name."""
    if named.re is _NAME:
        return bool(found["DNSName"].lower() == named["host"])
    name = str(found["LoadBalancerName"])
    return name.startswith("ecs-") and name.endswith(f"-alb-{named['id']}")


async def find_load_balancer(block: Block, account: str, name: str) -> LoadBalancer | None:
    """Return the load balancer with a name, of an account or of any, or None."""
    named = _NAME.fullmatch(name) or _INGRESS.fullmatch(name)
    if named is None or not block.cloud.has(_MODEL):
        return None
    region = named["region"] or named["network_region"]
    accounts = [account] if account else sorted(each for each, place in PLACES.get(block) if place == region)
    for each in accounts:
        try:
            async for found in _list_load_balancers(block, each, region):
                if _is_named(found, named):
                    return _read(found)
        except AwsError as error:
            log.warning("the addresses of %s are not known: %s", name, error)
    return None


async def _list_load_balancers(block: Block, account: str, region: str) -> AsyncIterator[dict[str, Any]]:
    marker: dict[str, str] | None = {}
    while marker is not None:
        answer = await block.call(_MODEL, "DescribeLoadBalancers", marker, account=account, region=region) or {}
        for each in answer.get("LoadBalancers") or ():
            yield each
        marker = {"Marker": answer["NextMarker"]} if answer.get("NextMarker") else None


def _read(found: dict[str, Any]) -> LoadBalancer:
    zones = found.get("AvailabilityZones") or ()
    addresses = [each for zone in zones for each in zone.get("LoadBalancerAddresses") or ()]
    return LoadBalancer(found.get("VpcId", ""), _list(addresses, "PrivateIPv4Address"), _list(addresses, "IpAddress"))


def _list(addresses: Iterable[dict[str, Any]], member: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each[member] for each in addresses if each.get(member)))
