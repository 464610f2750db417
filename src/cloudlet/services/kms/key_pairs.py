"""Key pairs and key material: made, read from DER, and checked. Nothing here knows of AWS's requests."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.kms import errors
from cloudlet.services.kms.key_spec import KeySpec, get_spec

PrivateKey = Any
"""A private key of the cryptography package, of whichever algorithm."""
PublicKey = Any

_PUBLIC_EXPONENT: Final = 65_537
_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}


class InvalidMaterial(ValueError):
    """Key material that does not fit a key spec."""


def generate_material(name: str) -> bytes:
    """Return new random bytes, or a private key in PKCS #8."""
    spec = get_spec(name)
    return to_der(generate_private_key(name)) if spec.is_pair else random_bytes(spec.size)


def generate_private_key(name: str) -> PrivateKey:
    """Return a new private key. Raises UnsupportedOperationException where the cryptography package has none."""
    spec = get_spec(name)
    if spec.kind == "rsa":
        return rsa.generate_private_key(_PUBLIC_EXPONENT, spec.size)
    if spec.kind == "ecc":
        return ec.generate_private_key(_CURVES[name])
    if spec.kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    try:
        return _get_lattice_class(name, spec).generate()
    except UnsupportedAlgorithm:
        raise UnavailableSpec(name) from None


def check_available(name: str) -> None:
    """Raise UnsupportedOperationException for a spec that the cryptography package cannot make keys of."""
    spec = get_spec(name)
    if spec.kind in ("ml-dsa", "ml-kem"):
        _get_lattice_class(name, spec)


def _get_lattice_class(name: str, spec: KeySpec) -> Any:
    """Return the class of private keys of ML-DSA or ML-KEM.

    Only newer versions of the package have it.
    """
    module = spec.kind.replace("-", "")
    try:
        found = import_module(f"cryptography.hazmat.primitives.asymmetric.{module}")
        return getattr(found, f"{name.replace('_', '', 1).replace('_', '')}PrivateKey")
    except (ImportError, AttributeError):
        raise UnavailableSpec(name) from None


class UnavailableSpec(errors.UnsupportedOperation):
    """A key spec that the installed cryptography package does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The cryptography package that Cloudlet runs with has no {name} keys.")


def to_der(key: PrivateKey) -> bytes:
    """Return a private key in PKCS #8."""
    return bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def to_public_der(key: PrivateKey) -> bytes:
    """Return the public key of a private key as SubjectPublicKeyInfo."""
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def load_private_key(der: bytes) -> PrivateKey:
    """Return a private key that was checked before it was stored."""
    return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)


def load_public_key(der: bytes) -> PublicKey:
    """Return a public key. Raises ValueError."""
    try:
        return load_der_public_key(der)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def derive_public_key(name: str, material: bytes) -> bytes:
    """Return the public key of material for a key spec; nothing where that is symmetric. Raises InvalidMaterial.

    It takes long where it checks the primes of an RSA key.
    """
    spec = get_spec(name)
    if not spec.is_pair:
        if len(material) != spec.size:
            raise InvalidMaterial(f"{name} takes {spec.size} bytes")
        return b""
    try:
        key: PrivateKey = load_der_private_key(material, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidMaterial(str(error)) from error
    if not _fits(key, name, spec):
        raise InvalidMaterial(f"not a private key of {name}")
    return to_public_der(key)


def _fits(key: PrivateKey, name: str, spec: KeySpec) -> bool:
    """Whether a private key is of a key spec."""
    if spec.kind == "rsa":
        return isinstance(key, rsa.RSAPrivateKey) and key.key_size == spec.size
    if spec.kind == "ecc":
        return is_on_curve(key, name)
    if spec.kind == "ed25519":
        return isinstance(key, ed25519.Ed25519PrivateKey)
    return isinstance(key, _get_lattice_class(name, spec))


def is_on_curve(key: PrivateKey | PublicKey, name: str) -> bool:
    """Whether a key is of the elliptic curve of a key spec."""
    is_elliptic = isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey)
    return is_elliptic and key.curve.name == _CURVES[name].name
