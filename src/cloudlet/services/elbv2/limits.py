"""The quotas of an account (user guides, "Quotas"), which are AWS's defaults."""

from __future__ import annotations

from typing import Final

MAX_APPLICATION_LOAD_BALANCERS: Final = 50
MAX_NETWORK_LOAD_BALANCERS: Final = 50
MAX_LISTENERS: Final = 50
MAX_RULES: Final = 100
"""Rules of a load balancer, default rules not counted."""
MAX_CERTIFICATES: Final = 25
"""Certificates of a load balancer, default certificates not counted."""
MAX_TARGET_GROUPS: Final = 3000
MAX_LOAD_BALANCER_TARGET_GROUPS: Final = 100
MAX_ACTION_TARGET_GROUPS: Final = 5
MAX_LOAD_BALANCER_TARGETS: Final = {"application": 1000, "network": 3000}
MAX_TARGETS: Final = 1000
"""Targets of a target group."""
MAX_CONDITION_VALUES: Final = 5
MAX_CONDITION_WILDCARDS: Final = 6
MAX_ACTIONS: Final = 5
MAX_TRUST_STORES: Final = 20
MAX_AUTHORITIES: Final = 25
MAX_REVOKED_ENTRIES: Final = 500_000
MAX_TRUST_FILE_BYTES: Final = 1 << 20
MIN_FREE_ADDRESSES: Final = 8
"""Free addresses of each subnet of a load balancer."""
PAGE_SIZE: Final = 400

ACCOUNT_LIMITS: Final[dict[str, int]] = {
    "application-load-balancers": MAX_APPLICATION_LOAD_BALANCERS,
    "certificates-per-application-load-balancer": MAX_CERTIFICATES,
    "certificates-per-network-load-balancer": MAX_CERTIFICATES,
    "condition-values-per-alb-rule": MAX_CONDITION_VALUES,
    "condition-wildcards-per-alb-rule": MAX_CONDITION_WILDCARDS,
    "gateway-load-balancers": 0,
    "listeners-per-application-load-balancer": MAX_LISTENERS,
    "listeners-per-network-load-balancer": MAX_LISTENERS,
    "network-load-balancers": MAX_NETWORK_LOAD_BALANCERS,
    "rules-per-application-load-balancer": MAX_RULES,
    "target-groups": MAX_TARGET_GROUPS,
    "target-groups-per-action-on-application-load-balancer": MAX_ACTION_TARGET_GROUPS,
    "target-groups-per-action-on-network-load-balancer": MAX_ACTION_TARGET_GROUPS,
    "target-groups-per-application-load-balancer": MAX_LOAD_BALANCER_TARGET_GROUPS,
    "targets-per-application-load-balancer": MAX_LOAD_BALANCER_TARGETS["application"],
    "targets-per-network-load-balancer": MAX_LOAD_BALANCER_TARGETS["network"],
}
"""The limits that DescribeAccountLimits tells, by their names."""
