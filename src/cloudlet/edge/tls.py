"""Certificates: the user's own, or ones from a certificate authority of this Cloudlet's."""

from __future__ import annotations

import datetime
import os
import ssl
from pathlib import Path

from cloudlet.core.kernel.system_clock import wall_time

_LOCAL_NAMES = (
    "localhost",
    "*.localhost",
    "localhost.localstack.cloud",
    "*.localhost.localstack.cloud",
    "*.us-east-1.localhost.localstack.cloud",
)
_LOCAL_ADDRESSES = ("127.0.0.1", "::1")
_YEARS = 10


def server_context(certificate: Path | str, key: Path | str, phrase: str | None = None) -> ssl.SSLContext:
    """Return the context of a server with this certificate (chain) and key, in PEM. Raises OSError, ssl.SSLError.

    `phrase` is what the key is encrypted with, if it is.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key, phrase)
    context.set_alpn_protocols(["http/1.1"])
    return context


def local_authority(folder: Path) -> Path:
    """Return the file of the local authority, which is there once there was need of one."""
    return folder / "ca.pem"


def local_certificate(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """Return the files of the local authority, of a certificate for this machine, and of its key.

    They are made where they are not there, or were made for another host. Clients trust the first (AWS_CA_BUNDLE).
    """
    authority, certificate, key = local_authority(folder), folder / "server.pem", folder / "server.key"
    made_for = folder / "host"
    if not made_for.exists() or made_for.read_text() != host:
        folder.mkdir(parents=True, exist_ok=True)
        _make(authority, certificate, key, host)
        made_for.write_text(host)
    return authority, certificate, key


def _make(authority: Path, certificate: Path, key: Path, host: str) -> None:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.fromtimestamp(wall_time(), datetime.UTC)

    def build(name: str, issuer: x509.Name | None, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        )

    authority_key = ec.generate_private_key(ec.SECP256R1())
    root = (
        build("Cloudlet local authority", None, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                key_cert_sign=True,
                crl_sign=True,
                digital_signature=False,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _LOCAL_NAMES]
    addresses = {*_LOCAL_ADDRESSES}
    try:
        addresses.add(str(ipaddress.ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in sorted(addresses)]
    server_key = ec.generate_private_key(ec.SECP256R1())
    leaf = (
        build("Cloudlet", root.subject, server_key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority.write_bytes(root.public_bytes(pem))
    descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    certificate.write_bytes(leaf.public_bytes(pem))
