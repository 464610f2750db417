"""Last uses: of access keys, of users and roles, and of services by them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.iam.access_key_record import AccessKey
from cloudlet.services.iam.entity_record import Identity, Role
from cloudlet.services.iam.use_record import Use

_KEYS: Final = Subspace("key-use")
_IDENTITIES: Final = Subspace("use")
_SERVICES: Final = Subspace("service-use")
_MAX_SERVICES: Final = 1000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Use).decode


async def note_key(tx: Transaction, key: AccessKey, use: Use) -> None:
    """Note a use of an access key."""
    await _note(tx, _KEYS.key(key.id), use)


async def note_identity(tx: Transaction, identity: Identity, use: Use) -> None:
    """Note a use of a service by a user or role."""
    await _note(tx, _IDENTITIES.key(identity.account, identity.id), use)
    await _note(tx, _SERVICES.key(identity.account, identity.id, use.service), use)


async def _note(tx: Transaction, key: bytes, use: Use) -> None:
    """Note a use, unless a later one is noted."""
    raw = await tx.get(key)
    if raw is None or _decode(raw).at < use.at:
        tx.put(key, _encode(use))


def forget_key(tx: Transaction, key: AccessKey) -> None:
    """Forget the use of an access key that is deleted."""
    tx.delete(_KEYS.key(key.id))


def forget_identity(tx: Transaction, identity: Identity) -> None:
    """Forget the uses by a user or role that is deleted."""
    services = _SERVICES.sub(identity.account, identity.id)
    tx.delete(_IDENTITIES.key(identity.account, identity.id))
    tx.delete_range(services.begin, services.end)


async def list_services(tx: Transaction, identity: Identity) -> dict[str, Use]:
    """Return the last uses of services by a user or role."""
    space = _SERVICES.sub(identity.account, identity.id)
    rows = await tx.range(space.begin, space.end, limit=_MAX_SERVICES)
    return {use.service: use for use in (_decode(raw) for _, raw in rows)}


async def show_role_use(tx: Transaction, role: Role) -> dict[str, Any]:
    """Return the member that tells of the last use of a role."""
    raw = await tx.get(_IDENTITIES.key(role.account, role.id))
    use = None if raw is None else _decode(raw)
    return {"RoleLastUsed": {} if use is None else {"LastUsedDate": use.at, "Region": use.region}}


async def show_key_use(tx: Transaction, key: AccessKey) -> dict[str, Any]:
    """Return the last use of an access key."""
    raw = await tx.get(_KEYS.key(key.id))
    if raw is None:
        return {"ServiceName": "N/A", "Region": "N/A"}
    use = _decode(raw)
    return {"LastUsedDate": use.at, "ServiceName": use.service, "Region": use.region}
