"""Records of the credentials of users, besides access keys."""

from __future__ import annotations

import msgspec


class UserCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential of a user."""

    account: str
    user: str
    """The key of its user; empty for the account's root."""
    id: str
    created: float


class LoginProfile(UserCredential, frozen=True, kw_only=True):
    """A password. Its hash is kept, with those of the ones before it; all of them have one salt."""

    salt: bytes
    hashes: tuple[bytes, ...]
    """The newest first."""
    changed: float
    """The time at which the password was set."""
    is_reset_required: bool = False


class SigningCertificate(UserCredential, frozen=True, kw_only=True):
    """A certificate by which a user signs requests."""

    body: str
    is_active: bool = True


class SshPublicKey(UserCredential, frozen=True, kw_only=True):
    """A public key by which a user comes to repositories, as OpenSSH has it."""

    body: str
    fingerprint: str
    is_active: bool = True


class ServiceCredential(UserCredential, frozen=True, kw_only=True):
    """A user name and a password for one service, or a key for its API."""

    service: str
    service_user: str
    secret: bytes
    """The password, encrypted."""
    expires: float | None = None
    is_active: bool = True
