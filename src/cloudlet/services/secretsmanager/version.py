"""The versions of secrets in the store. A value lies apart from what is known of it."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.secretsmanager.secret_record import Secret
from cloudlet.services.secretsmanager.version_record import Ciphertext, Version

MAX_KEPT_VERSIONS: Final = 100
"""More of them are kept where they have labels, or are younger than a day."""
_KEPT_SECONDS: Final = 86_400
MAX_PRUNED_VERSIONS: Final = 100
"""In one transaction; others are left to the next one."""

_VERSIONS: Final = Subspace("version")
_AGES: Final = Subspace("version-age")
"""Versions by when they were created (ms)."""
_VALUES: Final = Subspace("value")
_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Version).decode


def get_space(secret: Secret) -> Subspace:
    """Return the versions of a secret, by their ids."""
    return _VERSIONS.sub(secret.account, secret.region, secret.name)


def _get_ages(secret: Secret) -> Subspace:
    return _AGES.sub(secret.account, secret.region, secret.name)


def _get_values(secret: Secret) -> Subspace:
    return _VALUES.sub(secret.account, secret.region, secret.name)


async def find(tx: Transaction, secret: Secret, id: str) -> Version | None:
    """Return a version, or None where there is none that has a value."""
    raw = await tx.get(get_space(secret).key(id))
    return None if raw is None else decode(raw)


async def read_ciphertext(tx: Transaction, secret: Secret, id: str) -> bytes:
    """Return the encrypted value of a version that is there."""
    raw = await tx.get(_get_values(secret).key(id))
    if raw is None:
        raise ValueError(f"the version {id} of {secret.arn} has no value")
    return raw


def save(tx: Transaction, secret: Secret, version: Version) -> None:
    """Write what is known of a version."""
    tx.put(get_space(secret).key(version.id), _encode(version))


def add(tx: Transaction, secret: Secret, id: str, sealed: Ciphertext, now: float, *, is_binary: bool) -> Secret:
    """Write a new version, and return the secret that has it."""
    save(tx, secret, Version(id, now, is_binary, (sealed.key,)))
    tx.put(_get_values(secret).key(id), sealed.ciphertext)
    tx.put(_get_ages(secret).key(_make_age(now), id), b"")
    return replace(secret, versions=secret.versions + 1)


async def remove(tx: Transaction, secret: Secret, id: str) -> Secret:
    """Delete a version, if it is there, and return the secret without it."""
    found = await find(tx, secret, id)
    if found is None:
        return secret
    tx.delete(get_space(secret).key(id))
    tx.delete(_get_values(secret).key(id))
    tx.delete(_get_ages(secret).key(_make_age(found.created), id))
    return replace(secret, versions=secret.versions - 1)


def remove_all(tx: Transaction, secret: Secret) -> None:
    """Delete all versions of a secret."""
    for space in (get_space(secret), _get_values(secret), _get_ages(secret)):
        tx.delete_range(space.begin, space.end)


async def prune(tx: Transaction, secret: Secret, now: float) -> tuple[Secret, list[str]]:
    """Delete the oldest deprecated versions beyond 100; return the secret and their ids.

    API reference, PutSecretValue: all versions that were created in the last 24 hours are kept.
    """
    excess = min(secret.versions - MAX_KEPT_VERSIONS, MAX_PRUNED_VERSIONS)
    if excess <= 0:
        return secret, []
    ages, attached = _get_ages(secret), set(secret.stages.values())
    rows = await tx.range(ages.begin, ages.key(_make_age(now - _KEPT_SECONDS)), limit=excess + len(attached))
    old = [ages.unpack(key)[-1] for key, _ in rows]
    gone = [id for id in old if id not in attached][:excess]
    for id in gone:
        secret = await remove(tx, secret, id)
    return secret, gone


def _make_age(moment: float) -> int:
    return int(moment * 1000)
