"""The record of an access key."""

from __future__ import annotations

import msgspec


class AccessKey(msgspec.Struct, frozen=True):
    """A long-term access key. Its secret is derived from its id, and not stored."""

    account: str
    user: str
    """The key of its user; empty for the account's root."""
    id: str
    created: float
    is_active: bool = True
    partition: str = "aws"
