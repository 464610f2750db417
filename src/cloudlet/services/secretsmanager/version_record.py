"""Versions of secrets, as they are stored."""

from __future__ import annotations

import msgspec


class DataKey(msgspec.Struct, frozen=True):
    """The key that encrypts a value, encrypted by a KMS key."""

    kms_key: str
    """The KMS key as it was asked for; empty for the key that AWS manages."""
    blob: bytes


class Version(msgspec.Struct, frozen=True):
    """A version of a secret that has a value. Times are in seconds since the epoch."""

    id: str
    created: float
    is_binary: bool
    keys: tuple[DataKey, ...]
    """One data key, under each KMS key that decrypts it."""
    accessed: float = 0.0
    """The day of the last access, by its midnight; 0 where there was none."""


class Ciphertext(msgspec.Struct, frozen=True):
    """An encrypted value with its key, before it is stored."""

    key: DataKey
    ciphertext: bytes
