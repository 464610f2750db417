"""Certificates: found, saved and deleted, with what hangs on them."""

from __future__ import annotations

import msgspec

from cloudlet.core import Arn, Context, Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.records import Records
from cloudlet.core.kernel.block import Block
from cloudlet.services.acm import errors, timers
from cloudlet.services.acm.certificate_record import Certificate, Material

MAX_CERTIFICATES = 2500
"""Of an account in a region (user guide, "Quotas")."""
PENDING_TOPIC = b"pending-certificates"
PENDING = Subspace("pending")
"""A row for each certificate whose domains are not validated yet."""

_records = Records(Subspace("certificate"), Certificate, errors.CertificateNotFound)
_MATERIAL = Subspace("material")
_COUNTS = Subspace("count")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Material).decode
find = _records.find


def parse_arn(arn: str) -> tuple[str, str, str]:
    """Return the account, the region and the id that the ARN of a certificate names. Raises InvalidArn."""
    try:
        parts = Arn.parse(arn)
    except ValueError:
        raise errors.InvalidArn(arn) from None
    kind, _, name = parts.resource.partition("/")
    if parts.service != "acm" or kind != "certificate" or not name or "/" in name:
        raise errors.InvalidArn(arn)
    return parts.account, parts.region, name


async def get(ctx: Context, tx: Transaction, arn: str) -> Certificate:
    """Return a certificate of the caller's. Raises AwsError."""
    account, region, name = parse_arn(arn)
    found = await find(tx, ctx.account, ctx.region, name)
    if found is None or (account, region) != (ctx.account, ctx.region):
        raise errors.CertificateNotFound(arn)
    return found


async def list_all(tx: Transaction, account: str, region: str) -> list[Certificate]:
    """Return all certificates of an account in a region; a quota bounds them."""
    space = _records.get_space(account, region)
    return [_records.decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=MAX_CERTIFICATES)]


async def list_page(tx: Transaction, after: bytes, limit: int) -> list[tuple[bytes, Certificate]]:
    """Return the certificates of all accounts in pages, with their keys: those after a key."""
    space = Subspace("certificate")
    begin = after + b"\x00" if after else space.begin
    return [(key, _records.decode(raw)) for key, raw in await tx.range(begin, space.end, limit=limit)]


async def add(tx: Transaction, certificate: Certificate) -> None:
    """Write a new certificate. Raises LimitExceededError."""
    count = _COUNTS.key(certificate.account, certificate.region)
    if await tx.counter(count) >= MAX_CERTIFICATES:
        raise errors.LimitExceededError(
            "You have reached the maximum number of certificates. Delete certificates that are not in use, or contact "
            "AWS Support to request an increase."
        )
    tx.add(count, 1)
    save(tx, certificate)


def save(tx: Transaction, certificate: Certificate) -> None:
    """Write a certificate."""
    _records.save(tx, certificate)
    pending = _get_pending_key(certificate)
    if certificate.status == "PENDING_VALIDATION":
        tx.put(pending, b"")
        tx.notify(PENDING_TOPIC)
    else:
        tx.delete(pending)


def remove(tx: Transaction, certificate: Certificate) -> None:
    """Delete a certificate with its private key and tags."""
    timers.cancel(tx, certificate)
    _records.remove(tx, certificate)
    tx.delete(_get_pending_key(certificate))
    tx.delete(_MATERIAL.key(certificate.arn))
    tags.save(tx, certificate.arn, {})
    tx.add(_COUNTS.key(certificate.account, certificate.region), -1)


def _get_pending_key(certificate: Certificate) -> bytes:
    return PENDING.key(certificate.account, certificate.region, certificate.name)


def save_material(tx: Transaction, arn: str, material: Material) -> None:
    tx.put(_MATERIAL.key(arn), _encode(material))


async def find_material(tx: Transaction, arn: str) -> Material | None:
    """Return a certificate in PEM; None where it is not issued."""
    raw = await tx.get(_MATERIAL.key(arn))
    return None if raw is None else _decode(raw)


def encrypt_key(block: Block, arn: str, key: bytes) -> bytes:
    """Return a private key as it is kept."""
    return block.cloud.vault.encrypt(key, arn)


def decrypt_key(block: Block, arn: str, material: Material) -> bytes:
    """Return the private key of a certificate, PKCS #8 in PEM."""
    return block.cloud.vault.decrypt(material.key, arn)
