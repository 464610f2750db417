"""Pull-through cache rules as they are stored."""

from __future__ import annotations

import msgspec


class CacheRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """The source of images of the repositories with a prefix.

    Times are in seconds since the epoch.
    """

    account: str
    region: str
    name: str
    """The prefix of the repositories' names; ROOT for all that no other rule is for."""
    url: str
    """The host of the upstream registry."""
    upstream: str
    """The kind of registry, as the API has it."""
    created: float
    updated: float
    credential: str = ""
    """The ARN of the secret for the upstream registry."""
    role: str = ""
    upstream_prefix: str = ""
