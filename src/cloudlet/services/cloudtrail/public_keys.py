"""The keys that digest files are signed with: one a region at a time, for some weeks, made when it is first needed.

User guide, "Custom implementations of CloudTrail log file integrity validation".
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.kernel.block import Block

_VALID_SECONDS = 30 * 86_400
_LISTED = 1000
_KEYS = Subspace("digest-key")
"""Region, start in seconds → Key."""


class Key(msgspec.Struct, frozen=True, array_like=True):
    """A key pair, valid from `start` until `end`, in seconds since the epoch."""

    start: int
    end: int
    private: bytes
    """PKCS #8, DER."""
    public: bytes
    """PKCS #1, DER."""

    @property
    def fingerprint(self) -> str:
        return hashlib.md5(self.public, usedforsecurity=False).hexdigest()

    def sign(self, text: str) -> str:
        """Return a signature, SHA256withRSA, in hexadecimal."""
        # Imported late: every Cloudlet has CloudTrail, few have trails, and this takes 8 MiB.
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_der_private_key

        key = load_der_private_key(self.private, None, unsafe_skip_rsa_key_validation=True)
        if not isinstance(key, RSAPrivateKey):
            raise TypeError(key)
        return key.sign(text.encode(), PKCS1v15(), SHA256()).hex()

    def shown(self) -> dict[str, Any]:
        return {
            "Value": self.public,
            "ValidityStartTime": self.start,
            "ValidityEndTime": self.end,
            "Fingerprint": self.fingerprint,
        }


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Key).decode


async def between(tx: Transaction, region: str, begin: float, end: float) -> list[Key]:
    """Return the keys of a region that are valid at some moment between two."""
    space = _KEYS.sub(region)
    rows = await tx.range(space.begin, space.key(int(end) + 1), limit=_LISTED, reverse=True)
    return [key for key in (_decode(raw) for _, raw in reversed(rows)) if key.end > begin]


async def valid_at(block: Block, region: str, moment: float) -> Key:
    """Return the key of a region for what is dated to a moment, in seconds since the epoch."""
    found = await block.store.transact(lambda tx: between(tx, region, moment, moment))
    if found:
        return found[-1]
    made = await asyncio.to_thread(_make, int(moment))

    async def keep(tx: Transaction) -> Key:
        others = await between(tx, region, moment, moment)
        if others:
            return others[-1]
        tx.put(_KEYS.key(region, made.start), _encode(made))
        return made

    return await block.store.transact(keep)


def _make(start: int) -> Key:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return Key(start, start + _VALID_SECONDS, private, public)
