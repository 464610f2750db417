"""For whom series are read: an account in a region, at some time."""

from __future__ import annotations

from dataclasses import dataclass

from cloudlet.store import Store


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks. `now` is in seconds since the epoch."""

    store: Store
    account: str
    region: str
    now: float
