"""The keys of signed zones in the store. Private zone-signing keys are encrypted; key-signing keys are in KMS."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import dns.dnssec
import msgspec
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
)
from msgspec.structs import replace

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.timing import back_off
from cloudlet.services.route53 import signatures
from cloudlet.services.route53.answering import DNSKEY_TTL_SECONDS, Part
from cloudlet.services.route53.block import NAMES_TOPIC
from cloudlet.services.route53.compiling import make_rrset, to_dns_name
from cloudlet.services.route53.dnssec_record import ServedKeys, ZoneSigning
from cloudlet.services.route53.names import parse_name

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

ACTIVE, INACTIVE = "ACTIVE", "INACTIVE"
_SIGNINGS: Final = Subspace("signing")
_KMS_REGION: Final = "us-east-1"
_PRINCIPAL: Final = "dnssec-route53.amazonaws.com"
_REFRESH_SECONDS: Final = 3_600.0
_RENEWAL_SECONDS: Final = 86_400.0
_READ: Final = 100
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ZoneSigning).decode


class InvalidKmsArn(AwsError):
    def __init__(self, arn: str, why: str) -> None:
        super().__init__("InvalidKMSArn", f"The KeyManagementServiceArn {arn} that you specified isn't valid: {why}")


async def find(tx: Transaction, zone: str) -> ZoneSigning | None:
    """Return what a zone is signed with; None where it has no key."""
    raw = await tx.get(_SIGNINGS.key(zone))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, signing: ZoneSigning) -> None:
    """Write what a zone is signed with; nothing at all where it has no key."""
    if signing.keys:
        tx.put(_SIGNINGS.key(signing.zone), _encode(signing))
    else:
        tx.delete(_SIGNINGS.key(signing.zone))
    tx.notify(NAMES_TOPIC)


async def read_served(tx: Transaction, zone: str) -> tuple[ZoneSigning | None, int]:
    """Return what answers of a zone are signed with, as it is stored."""
    return await find(tx, zone), 0


def open_served(block: Block, signing: ZoneSigning | None) -> ServedKeys:
    """Return what answers are signed with, decrypted."""
    if signing is None or not signing.is_signing:
        return ServedKeys()
    raw = block.cloud.vault.decrypt(signing.zone_key, _get_place(signing.zone))
    private = load_der_private_key(raw, None)
    return ServedKeys(tuple(list_public_keys(signing)), signing.signatures, signing.zone_public_key, private)


def list_public_keys(signing: ZoneSigning) -> list[str]:
    """Return the DNSKEY records of a zone, in their text form."""
    signers = [(signatures.KEY_SIGNING, key.public_key) for key in signing.keys if key.status == ACTIVE]
    every = [*signers, (signatures.ZONE_SIGNING, signing.zone_public_key)]
    return [f"{flags} 3 {signatures.ALGORITHM} {public}" for flags, public in every]


def make_zone_key(block: Block, zone: str) -> tuple[bytes, str]:
    """Return a new zone-signing key, encrypted, and its public half."""
    key = ec.generate_private_key(ec.SECP256R1())
    raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return block.cloud.vault.encrypt(raw, _get_place(zone)), signatures.encode_public_key(key.public_key())


def _get_place(zone: str) -> str:
    return f"route53/zone-signing-key/{zone}"


async def load_public_key(block: Block, account: str, arn: str) -> str:
    """Return the public half of a key of KMS. Raises InvalidKMSArn for one that cannot sign zones."""
    found = await _call_kms(block, account, arn, "GetPublicKey", {"KeyId": arn})
    if found.get("KeySpec") != "ECC_NIST_P256" or found.get("KeyUsage") != "SIGN_VERIFY":
        raise InvalidKmsArn(arn, "the key must be an asymmetric one of ECC_NIST_P256 for signing.")
    try:
        public = load_der_public_key(found["PublicKey"])
    except (ValueError, InvalidKey):
        raise InvalidKmsArn(arn, "the key has no public half.") from None
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise InvalidKmsArn(arn, "the key is not one of an elliptic curve.")
    return signatures.encode_public_key(public)


async def _call_kms(block: Block, account: str, arn: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Call KMS for a zone. Raises InvalidKMSArn."""
    principal = make_principal("service", account, _PRINCIPAL, "route53", "")
    try:
        found = await block.cloud.call(
            "kms", operation, dict(params), principal=principal, account=account, region=_KMS_REGION
        )
    except AwsError as error:
        raise InvalidKmsArn(arn, error.message) from None
    return dict(found or {})


async def sign_keys(block: Block, signing: ZoneSigning) -> ZoneSigning:
    """Return a zone's keys with signatures of its DNSKEY records, by its active key-signing keys."""
    now = block.clock.now()
    keys = make_rrset(Part(signing.domain, "DNSKEY", DNSKEY_TTL_SECONDS, tuple(list_public_keys(signing))))
    zone, signed = to_dns_name(parse_name(signing.domain)), []
    for key in signing.keys:
        if key.status != ACTIVE:
            continue
        record = signatures.make_dnskey(signatures.KEY_SIGNING, key.public_key)
        unsigned = signatures.make_unsigned(keys, zone, record, now, signatures.KEYS_VALID_SECONDS)
        params = {
            "KeyId": key.kms_arn,
            "Message": signatures.get_signed_data(keys, unsigned),
            "MessageType": "RAW",
            "SigningAlgorithm": "ECDSA_SHA_256",
        }
        found = await _call_kms(block, signing.account, key.kms_arn, "Sign", params)
        raw = signatures.to_raw_signature(found["Signature"])
        signed.append(unsigned.replace(signature=raw).to_text())
    return replace(signing, signatures=tuple(signed), signed=now)


async def renew(block: Block, lease: Lease) -> None:
    """Renew the signatures of keys, once a day each, for ever. Answers are signed again each hour."""
    works = KeyedTasks(block)
    while True:
        begin = _SIGNINGS.begin
        while rows := await block.store.transact(partial(_list, begin=begin)):
            await lease.hold()
            for key, raw in rows:
                await works.attempt(key, f"renewing the signatures of {key!r}", partial(_renew, block, raw))
            begin = rows[-1][0] + b"\x00"
        await block.store.transact(_tell)
        await back_off(block, _REFRESH_SECONDS)


async def _tell(tx: Transaction) -> None:
    """Have answers made again, with new signatures."""
    tx.notify(NAMES_TOPIC)


async def _list(tx: Transaction, begin: bytes) -> list[tuple[bytes, bytes]]:
    return await tx.range(begin, _SIGNINGS.end, limit=_READ)


async def _renew(block: Block, raw: bytes) -> None:
    signing = _decode(raw)
    if not signing.is_signing or signing.signed + _RENEWAL_SECONDS > block.clock.now():
        return
    try:
        renewed = await sign_keys(block, signing)
    except AwsError:
        # The signatures that there are hold for two weeks; the key may be allowed again by then.
        return

    async def body(tx: Transaction) -> None:
        if await find(tx, signing.zone) == signing:
            save(tx, renewed)

    await block.store.transact(body)


def get_key_tag(public_key: str) -> int:
    """Return the number that signatures name a key-signing key by."""
    return dns.dnssec.key_id(signatures.make_dnskey(signatures.KEY_SIGNING, public_key))


def make_ds(domain: str, public_key: str) -> str:
    """Return the DS record by which a parent zone trusts a key."""
    key = signatures.make_dnskey(signatures.KEY_SIGNING, public_key)
    return dns.dnssec.make_ds(to_dns_name(parse_name(domain)), key, "SHA256").to_text().upper()
