"""Temporary credentials that carry their own proof.

A session token holds who its bearer is and until when, under a MAC with the cloud's master key; the secret access
key is derived from the access key id with the same key. So the front door verifies temporary credentials without
asking the service that issued them, which may be down.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloudlet.core.kernel.identity import Kind, Principal
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.store.folders import sync_folder

_MAC_BYTES = 32
_ACCOUNT_SHIFT = 7
_PLAIN_BYTES = 512
"""Up to which size a payload is not compressed: short ones gain nothing by it."""
_ZLIB = b"\x78"
"""The first byte of a compressed payload, which no other one has."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a session token says. `expires` is in seconds since the epoch."""

    principal: Principal
    expires: float


class _Bearer(msgspec.Struct):
    kind: Kind
    account: str
    arn: str
    user_id: str
    access_key: str
    invoked_by: str = ""
    session: SessionDetails | None = None
    assumed_by: str = ""
    assumed_for: str = ""


class _Payload(msgspec.Struct, omit_defaults=True):
    principal: _Bearer
    expires: float


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    access_key: str
    secret_key: str
    session_token: str
    expires: float


class TokenSealer:
    """Issues and opens session tokens under one master key."""

    def __init__(self, master_key: bytes) -> None:
        self._master_key = master_key

    def issue(self, principal: Principal, expires: float, least_size: int = 0) -> TemporaryCredentials:
        """Return credentials that let their bearer act as `principal` until `expires`.

        The session token has so many characters at least.
        """
        access_key = make_access_key_id("ASIA", principal.account)
        bearer = _Bearer(
            principal.kind,
            principal.account,
            principal.arn,
            principal.user_id,
            access_key,
            principal.invoked_by,
            principal.session,
            principal.assumed_by,
            principal.assumed_for,
        )
        payload = msgspec.msgpack.encode(_Payload(bearer, expires))
        if least_size or len(payload) > _PLAIN_BYTES:
            payload = zlib.compress(payload, 9)
        # Four characters stand for three bytes; what follows compressed data is no part of it.
        payload += bytes(max(0, -(-least_size // 4) * 3 - _MAC_BYTES - len(payload)))
        token = base64.b64encode(self._mac(b"token", payload) + payload).decode()
        return TemporaryCredentials(access_key, self.derive_secret(access_key), token, expires)

    def open(self, token: str) -> Session:
        """Return what a token says. Raises ValueError for one that was not issued here."""
        raw = base64.b64decode(token, validate=True)
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(b"token", payload)):
            raise ValueError("the token was not issued here")
        if payload.startswith(_ZLIB):
            payload = zlib.decompressobj().decompress(payload)
        said = msgspec.msgpack.decode(payload, type=_Payload)
        bearer = said.principal
        principal = Principal(
            bearer.kind,
            bearer.account,
            bearer.arn,
            bearer.user_id,
            bearer.access_key,
            bearer.invoked_by,
            bearer.session,
            bearer.assumed_by,
            bearer.assumed_for,
        )
        return Session(principal, said.expires)

    def derive_secret(self, access_key: str) -> str:
        """Return the secret access key (40 characters) that belongs to an access key id issued here."""
        return base64.b64encode(self._mac(b"secret", access_key.encode())[:30]).decode()

    def derive_key(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for one purpose, derived from the master key."""
        return self._mac(b"derived", purpose.encode())

    def _mac(self, purpose: bytes, payload: bytes) -> bytes:
        return hmac.digest(self._master_key, purpose + b"\0" + payload, hashlib.sha256)


def load_master_key(file: Path) -> bytes:
    """Return the master key kept in `file`, making one (readable by the owner alone) where there is none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        key = os.urandom(32)
        file.parent.mkdir(parents=True, exist_ok=True)
        # One that has had this process's number before may have left a file of its own.
        fresh = file.with_suffix(f".{os.urandom(8).hex()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.write(descriptor, key)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            # Of several processes that make one at once, the first wins.
            os.link(fresh, file)
            sync_folder(file.parent)
        except FileExistsError:
            return file.read_bytes()
        finally:
            fresh.unlink()
        return key


def make_access_key_id(prefix: str, account: str) -> str:
    """Return a new access key id (prefix and 16 characters) that names its account, as AWS's do since 2019."""
    head = (1 << 47) | (int(account) << _ACCOUNT_SHIFT) | random_bytes(1)[0] >> 1
    return prefix + base64.b32encode(head.to_bytes(6, "big") + random_bytes(4)).decode()


def parse_account(access_key: str) -> str | None:
    """Return the 12-digit account that an access key id names, or None where it names none."""
    if len(access_key) == 12 and access_key.isascii() and access_key.isdecimal():
        return access_key
    if len(access_key) != 20 or access_key[:4] not in ("AKIA", "ASIA"):
        return None
    try:
        raw = base64.b32decode(access_key[4:])
    except ValueError:
        return None
    account = (int.from_bytes(raw[:6], "big") & ((1 << 47) - 1)) >> _ACCOUNT_SHIFT
    return f"{account:012d}" if raw[0] & 0x80 and account < 10**12 else None
