"""Deletions, rotations and expiries that fall due.

Each has a row among those of its kind, by its time; what is done is decided by the key's record.
"""

from __future__ import annotations

from typing import Final, Literal

from cloudlet.core import Subspace, Transaction

Kind = Literal["clear", "delete", "expire", "rotate"]

_ROWS: Final = Subspace("due")


def get_space(kind: Kind) -> Subspace:
    """Return the subspace of a kind.

    Keys of rows have the time in milliseconds, then account, region and id of the key.
    """
    return _ROWS.sub(kind)


def get_topic(kind: Kind) -> bytes:
    """Return the topic that is notified of new rows of a kind."""
    return f"due-{kind}".encode()


def schedule(tx: Transaction, kind: Kind, when: float, account: str, region: str, key_id: str) -> None:
    """Have something looked at once a time has come, in seconds since the epoch."""
    tx.put(get_space(kind).key(int(when * 1000), account, region, key_id), b"")
    tx.notify(get_topic(kind))


def unschedule(tx: Transaction, kind: Kind, when: float | None, account: str, region: str, key_id: str) -> None:
    """Have it not looked at, if it was to be."""
    if when is not None:
        tx.delete(get_space(kind).key(int(when * 1000), account, region, key_id))
