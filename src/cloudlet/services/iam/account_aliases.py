"""The aliases of accounts. An account has one at most, which no other account has."""

from __future__ import annotations

from typing import Final

from cloudlet.core import Subspace, Transaction

_ALIASES: Final = Subspace("account-alias")
_OWNERS: Final = Subspace("account-alias-owner")


async def find(tx: Transaction, account: str) -> str | None:
    """Return the alias of an account, or None."""
    raw = await tx.get(_ALIASES.key(account))
    return None if raw is None else raw.decode()


async def is_taken(tx: Transaction, alias: str) -> bool:
    """Whether an account has an alias."""
    return await tx.get(_OWNERS.key(alias)) is not None


def save(tx: Transaction, account: str, alias: str) -> None:
    """Give an alias to an account."""
    tx.put(_ALIASES.key(account), alias.encode())
    tx.put(_OWNERS.key(alias), account.encode())


def remove(tx: Transaction, account: str, alias: str) -> None:
    """Take its alias from an account."""
    tx.delete(_ALIASES.key(account))
    tx.delete(_OWNERS.key(alias))
