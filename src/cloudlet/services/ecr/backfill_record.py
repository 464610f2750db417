"""Replication backfills as they are stored."""

from __future__ import annotations

import msgspec


class Backfill(msgspec.Struct, frozen=True, omit_defaults=True):
    """A replication of images that were there before. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    """The id by which it is known."""
    destination: str
    """Region/account."""
    started: float
    status: str = "PREPARING"
    repository: str = ""
    """The repository of which images are looked at next, while it is being prepared."""
    digest: str = ""
    """The last image of that repository that was looked at."""
    is_prepared: bool = False
    total: int = 0
    """The replications that it has; while it is being prepared, those found so far."""
    completed: int = 0
    failed: int = 0
    failures: tuple[str, ...] = ()
    """The codes of failed replications, each once."""
    failure: str = ""
    """The code for which it has failed itself."""
    ended: float = 0.0


class BackfillResult(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """The outcome of one replication."""

    repository: str
    digest: str
    tag: str
    failure: str = ""
    """The code of its failure; empty for one that is complete."""
