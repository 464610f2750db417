"""The certificate authority of this Cloudlet: a root, and two authorities below it that issue.

It is made once, at first use, for all accounts. As on AWS, RSA keys are certified by RSA, and those of elliptic curves
by ECDSA. The root's PEM is a page, which everybody may read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.acm.certificate_record import Facts
from cloudlet.store import pack

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

VALID_DAYS: Final = 198
"""User guide, "AWS Certificate Manager public certificates"."""
_DAY_SECONDS: Final = 86_400
_AUTHORITY_VALID_DAYS: Final = 36_500
_BACKDATED_DAYS: Final = 3650
"""The age of a new authority: a clock may be set back."""
_KEY: Final = pack(("authority",))
_OWNER: Final = ""
"""The account for which threads make the authority: none."""


class _Authority(msgspec.Struct, frozen=True):
    """An authority: its certificate, in PEM, and its private key, encrypted."""

    certificate: bytes
    key: bytes


class _AuthorityRecord(msgspec.Struct, frozen=True):
    root: _Authority
    rsa: _Authority
    ec: _Authority


class NewCertificate(NamedTuple):
    """A new certificate."""

    body: str
    key: bytes
    """PKCS #8, in PEM, not encrypted."""
    chain: str
    facts: Facts


class _Signer(NamedTuple):
    certificate: x509.Certificate
    key: PrivateKey


class _Signers(NamedTuple):
    """The authority, ready to issue."""

    root: bytes
    """PEM."""
    rsa: _Signer
    ec: _Signer


class _SignerCache:
    """The authority of a block, once it was read."""

    signers: _Signers | None = None


_known: PerBlock[_SignerCache] = PerBlock(lambda _: _SignerCache())
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_AuthorityRecord).decode


async def get_root(block: Block) -> bytes:
    """Return the certificate of the root, in PEM."""
    return (await _get_signers(block)).root


async def issue(block: Block, account: str, names: tuple[str, ...], key_algorithm: str) -> NewCertificate:
    """Return a new certificate for domain names, with a new key."""
    signers = await _get_signers(block)
    signer = signers.rsa if key_algorithm.startswith("RSA") else signers.ec
    return await run_in_worker(account, _issue, signers.root, signer, names, key_algorithm, block.clock.now())


async def _get_signers(block: Block) -> _Signers:
    known = _known.get(block)
    if known.signers is None:
        stored = await block.store.transact(_read)
        if stored is None:
            made = await run_in_worker(_OWNER, _make, block.clock.now())
            fresh = _AuthorityRecord(**{name: _encrypt(block, name, *each) for name, each in made.items()})

            async def keep(tx: Transaction) -> _AuthorityRecord:
                # Somebody else may have made one meanwhile.
                before = await _read(tx)
                if before is None:
                    tx.put(_KEY, _encode(fresh))
                return before or fresh

            stored = await block.store.transact(keep)
        keys = [block.cloud.vault.decrypt(getattr(stored, name).key, _get_place(name)) for name in ("rsa", "ec")]
        known.signers = await run_in_worker(_OWNER, _open, stored, *keys)
    return known.signers


async def _read(tx: Transaction) -> _AuthorityRecord | None:
    raw = await tx.get(_KEY)
    return None if raw is None else _decode(raw)


def _get_place(name: str) -> str:
    return f"acm/authority/{name}"


def _encrypt(block: Block, name: str, certificate: bytes, key: bytes) -> _Authority:
    return _Authority(certificate, block.cloud.vault.encrypt(key, _get_place(name)))


def _make(now: float) -> dict[str, tuple[bytes, bytes]]:
    """Return the certificates and keys, in PEM, of a new root and two authorities."""
    from cryptography.hazmat.primitives.serialization import Encoding

    root_key = make_key("EC_prime256v1")
    root = _make_authority("Cloudlet Root CA", root_key, None, now)
    made = {"root": (root.public_bytes(Encoding.PEM), _encode_key(root_key))}
    for name, title, algorithm in (
        ("rsa", "Cloudlet RSA 2048 M01", "RSA_2048"),
        ("ec", "Cloudlet ECDSA 256 M01", "EC_prime256v1"),
    ):
        key = make_key(algorithm)
        certificate = _make_authority(title, key, _Signer(root, root_key), now)
        made[name] = (certificate.public_bytes(Encoding.PEM), _encode_key(key))
    return made


def _open(stored: _AuthorityRecord, rsa: bytes, ec: bytes) -> _Signers:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from cryptography.x509 import load_pem_x509_certificate

    def read(kept: _Authority, key: bytes) -> _Signer:
        private: Any = load_pem_private_key(key, None)
        return _Signer(load_pem_x509_certificate(kept.certificate), private)

    return _Signers(stored.root.certificate, read(stored.rsa, rsa), read(stored.ec, ec))


def make_key(algorithm: str) -> PrivateKey:
    """Return a new private key of a type that certificates are requested with. Takes a while."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if algorithm.startswith("RSA_"):
        return rsa.generate_private_key(65537, int(algorithm.removeprefix("RSA_")))
    return ec.generate_private_key(ec.SECP384R1() if algorithm == "EC_secp384r1" else ec.SECP256R1())


def _encode_key(key: PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _make_authority(title: str, key: PrivateKey, signer: _Signer | None, now: float) -> x509.Certificate:
    """Return the certificate of an authority: that of the root where nobody signs for it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    from cloudlet.services.acm.x509_reading import to_datetime

    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Cloudlet"), x509.NameAttribute(NameOID.COMMON_NAME, title)]
    )
    authority_key = (signer.key if signer else key).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(to_datetime(_get_day(now) - _BACKDATED_DAYS * _DAY_SECONDS))
        .not_valid_after(to_datetime(_get_day(now) + _AUTHORITY_VALID_DAYS * _DAY_SECONDS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0 if signer else 1), critical=True)
        .add_extension(_make_key_usage("key_cert_sign", "crl_sign", "digital_signature"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if signer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key)
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(signer.key if signer else key, hashes.SHA256())


def _issue(root: bytes, signer: _Signer, names: tuple[str, ...], key_algorithm: str, now: float) -> NewCertificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    from cloudlet.services.acm.x509_reading import read_facts, to_datetime

    key = make_key(key_algorithm)
    usages = ("digital_signature", "key_encipherment") if key_algorithm.startswith("RSA") else ("digital_signature",)
    begin = _get_day(now)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(to_datetime(begin))
        .not_valid_after(to_datetime(begin + VALID_DAYS * _DAY_SECONDS - 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_make_key_usage(*usages), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.certificate.public_key()),  # type: ignore[arg-type] # RSA or EC
            critical=False,
        )
        .sign(signer.key, hashes.SHA256())
    )
    chain = signer.certificate.public_bytes(Encoding.PEM) + root
    return NewCertificate(made.public_bytes(Encoding.PEM).decode(), _encode_key(key), chain.decode(), read_facts(made))


def _make_key_usage(*usages: str) -> x509.KeyUsage:
    from cryptography import x509

    members = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{member: member in usages for member in members})


def _get_day(now: float) -> float:
    """Return the beginning of a day; certificates are valid for whole ones, as AWS's are."""
    return now // _DAY_SECONDS * _DAY_SECONDS
