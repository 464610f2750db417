"""Secrets in the store, with the indexes by which they are listed."""

from __future__ import annotations

import re
from typing import Final

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.core.kernel.ids import token
from cloudlet.services.secretsmanager import errors
from cloudlet.services.secretsmanager.secret_record import Secret

NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_ARN: Final = re.compile(r"arn:[a-z-]+:secretsmanager:([^:]*):([^:]*):secret:(.+)", re.DOTALL)
_SUFFIX_CHARACTERS: Final = 6
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

_records: Final = Records(Subspace("secret"), Secret, lambda _: errors.ResourceNotFound())
find, decode, get_space = _records.find, _records.decode, _records.get_space
_ORDER: Final = Subspace("order")


def make_suffix() -> str:
    """Return random characters for the end of an ARN."""
    return token(_SUFFIX_CHARACTERS, _ALPHABET)


async def get(ctx: Context, tx: Transaction, id: str) -> Secret:
    """Return the secret of a name, an ARN, or an ARN without its random characters. Raises AwsError."""
    match = _ARN.fullmatch(id)
    if match is None:
        if NAME.fullmatch(id) is None:
            raise errors.InvalidName
        return await _records.get(tx, ctx.account, ctx.region, id)
    region, account, resource = match.groups()
    if region != ctx.region:
        raise errors.ResourceNotFound
    name, hyphen, suffix = resource[: -_SUFFIX_CHARACTERS - 1], resource[-7:-6], resource[-_SUFFIX_CHARACTERS:]
    if hyphen == "-":
        found = await find(tx, account, region, name)
        if found is not None and found.suffix == suffix:
            return found
    return await _records.get(tx, account, region, resource)


def save(tx: Transaction, secret: Secret, before: Secret | None) -> None:
    """Write a secret that is new, or was as `before`."""
    if before is not None:
        _delete_from_indexes(tx, before)
    for order, moment in _list_moments(secret):
        tx.put(get_order(secret.account, secret.region, order).key(moment, secret.name), b"")
    _records.save(tx, secret)


def remove(tx: Transaction, secret: Secret) -> None:
    """Delete the record of a secret."""
    _delete_from_indexes(tx, secret)
    _records.remove(tx, secret)


def get_order(account: str, region: str, order: str) -> Subspace:
    """Return the index of the secrets of an account in a region by a moment.

    Its keys end with the names.
    """
    return _ORDER.sub(account, region, order)


def _delete_from_indexes(tx: Transaction, secret: Secret) -> None:
    for order, moment in _list_moments(secret):
        tx.delete(get_order(secret.account, secret.region, order).key(moment, secret.name))


def _list_moments(secret: Secret) -> list[tuple[str, int]]:
    """Return the indexes that a secret is in, with its moments (ms) there."""
    return [
        ("created-date", int(secret.created * 1000)),
        ("last-changed-date", int(secret.changed * 1000)),
        ("last-accessed-date", int(secret.accessed * 1000)),
    ]
