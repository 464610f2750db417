"""Timers of lifecycle policies: the times at which they are carried out next."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ecr.repository_record import Repository

_PERIOD_SECONDS: Final = 3600
DUE: Final = Subspace("lifecycle-due")
"""Time in milliseconds, account, region, name, id → nothing.

It counts where the repository says the same.
"""
TOPIC: Final = b"lifecycle"


def schedule(tx: Transaction, about: Repository, now: float) -> Repository:
    """Have a repository's policy carried out an hour later. Return the record to be saved."""
    due = int((now + _PERIOD_SECONDS) * 1000)
    tx.put(DUE.key(due, about.account, about.region, about.name, about.id), b"")
    tx.notify(TOPIC)
    return replace(about, lifecycle_due=due)
