"""AWS's default quotas (IAM User Guide, "IAM and AWS STS quotas")."""

from __future__ import annotations

from typing import Final

MAX_USERS: Final = 5000
MAX_GROUPS: Final = 300
MAX_ROLES: Final = 1000
MAX_INSTANCE_PROFILES: Final = 1000
MAX_POLICIES: Final = 1500
MAX_USER_GROUPS: Final = 10
MAX_USER_ACCESS_KEYS: Final = 2
MAX_ATTACHED_POLICIES: Final = 10
"""To a user, a group or a role."""
MAX_POLICY_VERSIONS: Final = 5
MAX_TAGS: Final = 50
MAX_USER_INLINE_CHARACTERS: Final = 2048
MAX_GROUP_INLINE_CHARACTERS: Final = 5120
MAX_ROLE_INLINE_CHARACTERS: Final = 10_240
MAX_TRUST_POLICY_CHARACTERS: Final = 2048
MAX_MANAGED_POLICY_CHARACTERS: Final = 6144
