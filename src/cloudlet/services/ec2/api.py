"""The operations of Amazon EC2 that networks need."""

from __future__ import annotations

from cloudlet.services.ec2 import (
    api_addresses,
    api_dhcp_options,
    api_endpoints,
    api_gateways,
    api_interfaces,
    api_network_acls,
    api_peering,
    api_places,
    api_prefix_lists,
    api_route_tables,
    api_security_groups,
    api_subnets,
    api_tags,
    api_vpcs,
    networks,
)
from cloudlet.services.ec2.block import service

__all__ = [
    "api_addresses",
    "api_dhcp_options",
    "api_endpoints",
    "api_gateways",
    "api_interfaces",
    "api_network_acls",
    "api_peering",
    "api_places",
    "api_prefix_lists",
    "api_route_tables",
    "api_security_groups",
    "api_subnets",
    "api_tags",
    "api_vpcs",
    "networks",
    "service",
]
