"""Access keys: how they are found, by their ids and by their users."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.iam import errors
from cloudlet.services.iam.access_key_record import AccessKey
from cloudlet.services.iam.deletion_checks import add_user_check
from cloudlet.services.iam.entity_record import User

_KEYS: Final = Subspace("access-key")
_IDS: Final = Subspace("access-key-of")
_MAX_ROWS: Final = 100
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AccessKey).decode


async def find(tx: Transaction, access_key_id: str) -> AccessKey | None:
    """Return an access key of whichever account, or None."""
    raw = await tx.get(_KEYS.key(access_key_id))
    return None if raw is None else _decode(raw)


async def get(tx: Transaction, account: str, user: str, access_key_id: str) -> AccessKey:
    """Return an access key of a user. Raises AwsError where there is none."""
    found = await find(tx, access_key_id)
    if found is None or (found.account, found.user) != (account, user):
        raise errors.no_such_entity(f"The Access Key with id {access_key_id} cannot be found.")
    return found


async def list_keys(tx: Transaction, account: str, user: str) -> list[AccessKey]:
    """Return the access keys of a user, or of the root ("")."""
    space = _IDS.sub(account, user)
    rows = await tx.range(space.begin, space.end, limit=_MAX_ROWS)
    found = [await find(tx, space.unpack(key)[0]) for key, _ in rows]
    return [each for each in found if each is not None]


def save(tx: Transaction, key: AccessKey) -> None:
    """Write an access key."""
    tx.put(_KEYS.key(key.id), _encode(key))
    tx.put(_IDS.key(key.account, key.user, key.id), b"")


def remove(tx: Transaction, key: AccessKey) -> None:
    """Delete an access key."""
    tx.delete(_KEYS.key(key.id))
    tx.delete(_IDS.key(key.account, key.user, key.id))


async def move(tx: Transaction, user: User, renamed: User) -> None:
    """Give the access keys of a user to it under its other name."""
    for key in await list_keys(tx, user.account, user.key):
        remove(tx, key)
        save(tx, replace(key, user=renamed.key))


@add_user_check
async def check_user(tx: Transaction, user: User) -> None:
    """Raise AwsError for a user that has access keys."""
    if await list_keys(tx, user.account, user.key):
        raise errors.delete_conflict("Cannot delete entity, must delete access keys first.")
