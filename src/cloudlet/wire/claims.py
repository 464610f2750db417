"""What is read of a signature, of any version, before it is verified."""

from __future__ import annotations

import msgspec


class Credential(msgspec.Struct, frozen=True):
    """What a signature was made with and over: the same for many requests of one client."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: str
    names: tuple[str, ...]
    """The signed headers, one by one."""
    scope: str


class Claim(msgspec.Struct, frozen=True):
    """What a signed request says of itself."""

    credential: Credential
    signature: str
    timestamp: str
    expires: int | None = None
    """How long a presigned URL is valid, in seconds; None for a request signed in its headers."""
    token: str | None = None

    @property
    def access_key(self) -> str:
        return self.credential.access_key

    @property
    def service(self) -> str:
        return self.credential.service
