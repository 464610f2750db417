"""Quotas (VPC User Guide, "Amazon VPC quotas"; EC2 User Guide, "Elastic IP address limit")."""

from __future__ import annotations

from typing import Final

MAX_VPCS: Final = 5
MAX_SUBNETS: Final = 200
"""Of a VPC, as all that has no other subject."""
MAX_CIDR_BLOCKS: Final = 5
MAX_ROUTE_TABLES: Final = 200
MAX_ROUTES: Final = 500
MAX_INTERNET_GATEWAYS: Final = 5
"""Of a region."""
MAX_NAT_GATEWAYS: Final = 5
"""Of an availability zone."""
MAX_ADDRESSES: Final = 5
"""Of a region."""
MAX_SECURITY_GROUPS: Final = 2500
"""Of a region."""
MAX_RULES: Final = 60
"""Of a security group, in each direction."""
MAX_INTERFACES: Final = 5000
"""Of a region."""
MAX_PRIVATE_ADDRESSES: Final = 50
"""Of an interface (EC2 User Guide: what the largest instances have)."""
MAX_GROUPS: Final = 5
"""Of an interface."""
MAX_NETWORK_ACLS: Final = 200
MAX_ACL_ENTRIES: Final = 20
"""In each direction."""
MAX_PREFIX_LISTS: Final = 100
"""Of a region."""
MAX_PREFIX_LIST_ENTRIES: Final = 1000
MAX_PREFIX_LIST_VERSIONS: Final = 1000
MAX_GATEWAY_ENDPOINTS: Final = 20
"""Of a region."""
MAX_INTERFACE_ENDPOINTS: Final = 50
MAX_PEERINGS: Final = 50
MAX_PENDING_PEERINGS: Final = 25
MAX_TAGS: Final = 50
MAX_TAG_KEY_CHARACTERS: Final = 127
MAX_TAG_VALUE_CHARACTERS: Final = 255
MAX_FILTER_VALUES: Final = 200
