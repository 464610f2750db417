"""Certificates that tests import: of authorities of their own, or signed by themselves."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudlet.testing.server import Aws
from tests.standing import eventually

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def body(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def private(self) -> bytes:
        return self.encode_key(PrivateFormat.PKCS8)

    def encode_key(self, form: PrivateFormat, phrase: bytes = b"") -> bytes:
        encryption = BestAvailableEncryption(phrase) if phrase else NoEncryption()
        encoded: bytes = self.key.private_bytes(Encoding.PEM, form, encryption)
        return encoded

    def params(self, **more: Any) -> dict[str, Any]:
        """Return what ImportCertificate takes."""
        return {"Certificate": self.body, "PrivateKey": self.private, **more}


def make_pair(
    *names: str,
    signer: Pair | None = None,
    common: str | None = None,
    is_authority: bool = False,
    begin: datetime.datetime | None = None,
    days: int = 90,
    key: Any = None,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.SERVER_AUTH,),
) -> Pair:
    """Return a certificate for names; it signs itself unless there is a signer."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common or (names[0] if names else "an authority"))])
    begin = begin or datetime.datetime.now(datetime.UTC) - DAY
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + days * DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    if usages and not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return Pair(builder.sign(signer.key if signer else key, hashes.SHA256()), key)


def bring(aws: Aws, *names: str, region: str = "us-east-1") -> str:
    """Have ACM have a certificate for names; return its ARN."""
    arn: str = aws.client("acm", region_name=region).import_certificate(**make_pair(*names).params())["CertificateArn"]
    return arn


def request_validated(aws: Aws, **given: Any) -> str:
    """Request a certificate, enter the records of its domains into Route 53, and wait until it is issued."""
    acm = aws.client("acm")
    arn: str = acm.request_certificate(**{"ValidationMethod": "DNS", **given})["CertificateArn"]
    enter_records(aws, arn)
    eventually(
        lambda: acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"],
        lambda status: status == "ISSUED",
    )
    return arn


def enter_records(aws: Aws, arn: str) -> None:
    """Enter the records that validate a certificate's domains, in zones of their own."""
    route53 = aws.client("route53")
    for option in aws.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]:
        reference = f"{arn}{option['DomainName']}"[-128:]
        zone = route53.create_hosted_zone(Name=option["ValidationDomain"], CallerReference=reference)
        record = option["ResourceRecord"]
        wanted = {
            "Name": record["Name"],
            "Type": record["Type"],
            "TTL": 60,
            "ResourceRecords": [{"Value": record["Value"]}],
        }
        changes = [{"Action": "UPSERT", "ResourceRecordSet": wanted}]
        route53.change_resource_record_sets(HostedZoneId=zone["HostedZone"]["Id"], ChangeBatch={"Changes": changes})


def make_rsa(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits)
