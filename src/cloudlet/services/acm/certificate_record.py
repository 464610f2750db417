"""Certificates as they are stored. All times are in seconds since the epoch."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cloudlet.core.aws.arn import partition_of


class Facts(msgspec.Struct, frozen=True):
    """The content of a certificate, read once when it is issued or imported."""

    serial: str
    """The serial number in hexadecimal: `0a:1b:…`."""
    subject: str
    subject_parts: dict[str, Any]
    """The subject as DistinguishedName of the API has it."""
    issuer: str
    """The organization, or else the common name, of who has signed it."""
    issuer_parts: dict[str, Any]
    not_before: float
    not_after: float
    key_algorithm: str
    signature_algorithm: str
    key_usages: tuple[str, ...]
    extended_key_usages: tuple[tuple[str, str], ...]
    """Names and OIDs."""
    names: tuple[dict[str, Any], ...]
    """The subject alternative names, as GeneralName of the API has them."""

    @property
    def common_name(self) -> str:
        name: str = self.subject_parts.get("CommonName", "")
        return name

    @property
    def domains(self) -> tuple[str, ...]:
        """The names among the subject alternative names that are DNS's."""
        return tuple(name["DnsName"] for name in self.names if "DnsName" in name)


class Renewal(msgspec.Struct, frozen=True):
    """The outcome of the last managed renewal."""

    status: Literal["PENDING_VALIDATION", "SUCCESS"]
    updated: float


class Material(msgspec.Struct, frozen=True):
    """A certificate as files have it, in PEM. It is kept apart, since lists do not need it."""

    body: str
    chain: str
    """Empty where an imported certificate has none."""
    key: bytes
    """The private key, PKCS #8 in PEM, encrypted by the vault under the certificate's ARN."""


class Certificate(msgspec.Struct, frozen=True):
    """A certificate, or the request for one."""

    account: str
    region: str
    name: str
    """The id, which is the end of its ARN."""
    type: Literal["AMAZON_ISSUED", "IMPORTED"]
    status: str
    created: float
    domain: str
    """Empty where an imported certificate names none."""
    domains: tuple[str, ...]
    """All names, `domain` among them."""
    key_algorithm: str
    validation_domains: dict[str, str] = {}
    """The validation domains of the request, by name."""
    validated: tuple[str, ...] = ()
    """The domains, without `*.`, that are validated."""
    is_exportable: bool = False
    logs_transparency: bool = True
    facts: Facts | None = None
    """None while it is not issued."""
    issued: float | None = None
    """The time at which it was issued last."""
    imported: float | None = None
    revoked: float | None = None
    revocation_reason: str = ""
    failure_reason: str = ""
    exported: float = 0.0
    """The time at which it was exported last; 0 where it never was."""
    used_by: tuple[str, ...] = ()
    """The ARNs of the resources that use it."""
    renewal: Renewal | None = None
    due: int = 0
    """The time of its timer, in milliseconds since the epoch; 0 where it has none."""

    @property
    def arn(self) -> str:
        return f"arn:{partition_of(self.region)}:acm:{self.region}:{self.account}:certificate/{self.name}"

    @property
    def is_imported(self) -> bool:
        return self.type == "IMPORTED"

    @property
    def is_eligible(self) -> bool:
        """Whether it is renewed: it is in use, or was exported since it was issued."""
        if self.is_imported or self.status != "ISSUED":
            return False
        return bool(self.used_by) or 0.0 < (self.issued or 0.0) <= self.exported
