"""The quotas of Route 53 (Developer Guide, "Quotas")."""

from __future__ import annotations

from typing import Final

MAX_ZONES: Final = 500
"""Of an account."""
MAX_RECORDS: Final = 10_000
"""Of a hosted zone."""
MAX_VPCS: Final = 300
"""Of a private hosted zone."""
MAX_AUTHORIZATIONS: Final = 1_000
MAX_CHANGES: Final = 1_000
"""Values in one batch; an UPSERT counts twice."""
MAX_CHANGE_CHARACTERS: Final = 32_000
MAX_VALUES: Final = 400
"""Of one record."""
MAX_SETS: Final = 100
"""Records with the same name and type."""
MAX_MANAGED_SETS: Final = 1_000
"""Records of one service of Cloud Map (Developer Guide, "Quotas": 1,000 instances)."""
MAX_HEALTH_CHECKS: Final = 200
MAX_CHILD_HEALTH_CHECKS: Final = 256
MAX_DELEGATION_SETS: Final = 100
MAX_SERVED_ZONES: Final = 100
MAX_TRAFFIC_POLICIES: Final = 50
MAX_TRAFFIC_POLICY_VERSIONS: Final = 1_000
MAX_TRAFFIC_POLICY_INSTANCES: Final = 5
MAX_CIDR_COLLECTIONS: Final = 5
MAX_CIDR_BLOCKS: Final = 1_000
"""Of a collection."""
MAX_CIDR_BLOCK_CHANGES: Final = 1_000
MAX_KEY_SIGNING_KEYS: Final = 2
"""Of a hosted zone."""
MAX_QUERY_LOGGING_CONFIGS: Final = 1
"""Of a hosted zone."""
PAGE: Final = 100
"""Items of a list, and their limit; record sets have 300."""
