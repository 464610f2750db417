"""SSH public keys in their two encodings."""

from __future__ import annotations

from base64 import b64decode
from hashlib import md5
from typing import Final

from cloudlet.core import AwsError

_MIN_BITS: Final = 2048


def read(text: str) -> str:
    """Return a public key in the form of OpenSSH, given in that or PEM. Raises AwsError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_public_key,
        load_ssh_public_key,
    )

    given = text.strip().encode()
    if not given.startswith((b"ssh-", b"-----BEGIN ")):
        raise AwsError("UnrecognizedPublicKeyEncoding", "The public key is neither encoded as ssh-rsa nor as PEM.")
    try:
        key = load_ssh_public_key(given) if given.startswith(b"ssh-") else load_pem_public_key(given)
    except (ValueError, UnsupportedAlgorithm):
        raise AwsError("InvalidPublicKey", "The public key is malformed or otherwise invalid.") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_BITS:
        raise AwsError("InvalidPublicKey", f"The public key must be an RSA key of {_MIN_BITS} bits at least.")
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def to_pem(key: str) -> str:
    """Return a public key in PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

    return load_ssh_public_key(key.encode()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def compute_fingerprint(key: str) -> str:
    """Return the MD5 fingerprint of a public key, as `ssh-keygen -l -E md5` shows it."""
    digest = md5(b64decode(key.split(" ")[1]), usedforsecurity=False).hexdigest()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
