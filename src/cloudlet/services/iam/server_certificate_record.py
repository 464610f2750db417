"""The record of a server certificate."""

from __future__ import annotations

from cloudlet.services.iam.entity_record import Entity


class ServerCertificate(Entity, frozen=True, kw_only=True):
    """A certificate for servers, with its private key."""

    kind = "server-certificate"
    body: str
    chain: str | None = None
    private_key: bytes
    """The key in PEM, encrypted."""
    expires: float

    @property
    def secret_place(self) -> str:
        """The place that the private key's encryption is bound to."""
        return f"iam:server-certificate:{self.id}"
