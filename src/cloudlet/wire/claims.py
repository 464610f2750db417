"""What is read of a signature, of any version, before it is verified."""

from __future__ import annotations


class Credential:
    """What a signature was made with and over: the same for many requests of one client."""

    __slots__ = ("access_key", "date", "names", "region", "scope", "service", "signed_headers")

    def __init__(
        self,
        access_key: str,
        date: str,
        region: str,
        service: str,
        signed_headers: str,
        names: tuple[str, ...],
        scope: str,
    ) -> None:
        self.access_key = access_key
        self.date = date
        self.region = region
        self.service = service
        self.signed_headers = signed_headers
        self.names = names
        """The signed headers, one by one."""
        self.scope = scope


class Claim:
    """What a signed request says of itself."""

    __slots__ = ("access_key", "credential", "expires", "service", "signature", "signed_at", "timestamp", "token")

    def __init__(
        self,
        credential: Credential,
        signature: str,
        timestamp: str,
        signed_at: int,
        expires: int | None = None,
        token: str | None = None,
    ) -> None:
        self.credential = credential
        self.access_key = credential.access_key
        self.service = credential.service
        self.signature = signature
        self.timestamp = timestamp
        self.signed_at = signed_at
        """The same in seconds since the epoch."""
        self.expires = expires
        """How long a presigned URL is valid, in seconds; None for a request signed in its headers."""
        self.token = token
