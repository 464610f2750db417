"""What is kept of a table beside its schema: stream, time to live, backups, tags, policy, insights.

It is part of the table's record, so that a write learns from what it reads anyway who else must hear of it.
"""

from __future__ import annotations

import msgspec


class Stream(msgspec.Struct, array_like=True, frozen=True):
    """The latest stream of a table."""

    id: int
    label: str
    """The time of its creation as ISO 8601 has it: what tells the streams of one table apart."""
    view: str
    """What records show: KEYS_ONLY, NEW_IMAGE, OLD_IMAGE or NEW_AND_OLD_IMAGES."""
    enabled: bool = True
    lanes: int = 4
    """How many shards are open at a time: 1 or 4."""


class Recovery(msgspec.Struct, array_like=True, frozen=True):
    """Point-in-time recovery that is enabled. `since` is in seconds since the epoch."""

    since: float
    days: int = 35


class Policy(msgspec.Struct, array_like=True, frozen=True):
    """A resource-based policy, of the table or of one of its streams."""

    text: str
    revision: str


class Insights(msgspec.Struct, array_like=True, frozen=True):
    """Contributor insights as older Cloudlets have kept them, without gathering any."""

    enabled: bool
    mode: str
    changed: float


class Features(msgspec.Struct, array_like=True, frozen=True):
    """All of that; `()` and `{}` and None are what a new table has."""

    stream: Stream | None = None
    ttl: str | None = None
    """The attribute that says when an item expires."""
    recovery: Recovery | None = None
    copies: int = 0
    """How many backups and exports are being made, for which former states of items must be kept."""
    epoch: int = 0
    """The journal's latest epoch, as older Cloudlets have kept it (see `timeline`)."""
    tags: dict[str, str] = {}
    policies: dict[str, Policy] = {}
    """By resource: "" for the table, a stream's label for a stream."""
    insights: dict[str, Insights] = {}
    """By index, "" for the table."""

    @property
    def streams(self) -> bool:
        """Whether writes go to a stream."""
        return self.stream is not None and self.stream.enabled

    @property
    def journals(self) -> bool:
        """Whether the former state of what is written must be kept."""
        return self.recovery is not None or self.copies > 0

    @property
    def watched(self) -> bool:
        """Whether anyone must hear of a write."""
        return self.streams or self.ttl is not None or self.journals
