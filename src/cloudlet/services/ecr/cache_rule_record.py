"""Pull-through cache rules as they are stored."""

from __future__ import annotations

import msgspec


class CacheRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the images of repositories with a prefix come from. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    """The prefix of the repositories' names; ROOT for all that no other rule is for."""
    url: str
    """The host of the upstream registry."""
    upstream: str
    """Its kind, as the API has it."""
    created: float
    updated: float
    credential: str = ""
    """The ARN of the secret with the name and the token that the upstream registry wants."""
    role: str = ""
    upstream_prefix: str = ""
