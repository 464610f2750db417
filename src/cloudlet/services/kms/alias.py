"""Aliases: names of keys, each in one account and region."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.records import Records
from cloudlet.services.kms import errors

RESERVED: Final = "alias/aws/"
"""The prefix of the aliases of AWS managed keys."""
MAX_ALIASES: Final = 256
"""Of one key (developer guide, "Resource quotas")."""

_BY_KEY: Final = Subspace("alias-by-key")


class Alias(msgspec.Struct, frozen=True):
    """An alias. Times are in seconds since the epoch."""

    account: str
    region: str
    name: str
    """With `alias/` before it."""
    target: str
    """The id of its key."""
    created: float
    updated: float

    @property
    def arn(self) -> str:
        return make_alias_arn(self.account, self.region, self.name)


_aliases = Records(Subspace("alias"), Alias, errors.AliasNotFound)
get_space, find, decode = _aliases.get_space, _aliases.find, _aliases.decode


def make_alias_arn(account: str, region: str, name: str) -> str:
    return f"arn:{partition_of(region)}:kms:{region}:{account}:{name}"


async def save(tx: Transaction, alias: Alias) -> None:
    """Write an alias, which names its key from now on."""
    await remove_index(tx, alias)
    _aliases.save(tx, alias)
    tx.put(_BY_KEY.key(alias.account, alias.region, alias.target, alias.name), b"")


async def remove(tx: Transaction, alias: Alias) -> None:
    """Delete an alias."""
    await remove_index(tx, alias)
    _aliases.remove(tx, alias)


async def remove_index(tx: Transaction, alias: Alias) -> None:
    """Forget which key an alias names."""
    found = await find(tx, alias.account, alias.region, alias.name)
    if found is not None:
        tx.delete(_BY_KEY.key(found.account, found.region, found.target, found.name))


def get_space_of_key(account: str, region: str, key_id: str) -> Subspace:
    """Return the subspace of the names of a key's aliases."""
    return _BY_KEY.sub(account, region, key_id)


async def list_names(tx: Transaction, account: str, region: str, key_id: str, limit: int = MAX_ALIASES) -> list[str]:
    """Return the names of a key's aliases."""
    space = get_space_of_key(account, region, key_id)
    return [space.unpack(key)[0] for key, _ in await tx.range(space.begin, space.end, limit=limit)]
