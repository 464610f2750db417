"""Keys by which answers are signed, as they are stored."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec


class KeySigningKey(msgspec.Struct, frozen=True):
    """A key-signing key: its private half is in KMS."""

    name: str
    reference: str
    kms_arn: str
    status: str
    public_key: str
    """In base64, as DNSKEY records have it."""
    created: float
    modified: float


class ZoneSigning(msgspec.Struct, frozen=True):
    """The keys of a zone, and the signatures of those."""

    account: str
    zone: str
    domain: str
    keys: tuple[KeySigningKey, ...] = ()
    zone_key: bytes = b""
    """The private zone-signing key, encrypted; Route 53 manages it by itself."""
    zone_public_key: str = ""
    is_signing: bool = False
    signatures: tuple[str, ...] = ()
    """The RRSIG records of the DNSKEY records, by the active key-signing keys."""
    signed: float = 0.0
    """The time at which those were made."""


class ServedKeys(NamedTuple):
    """The keys that answers are signed with, decrypted."""

    public_keys: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    zone_public_key: str = ""
    private_key: Any = None
