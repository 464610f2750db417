"""Key specs: which uses and algorithms each has (KMS Developer Guide, "Key spec reference")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from cloudlet.services.kms import errors

Kind = Literal["symmetric", "hmac", "rsa", "ecc", "ed25519", "ml-dsa", "ml-kem"]

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"
ENCRYPT: Final = "ENCRYPT_DECRYPT"
SIGN: Final = "SIGN_VERIFY"
MAC: Final = "GENERATE_VERIFY_MAC"
AGREE: Final = "KEY_AGREEMENT"
ENCAPSULATE: Final = "ENCAPSULATE_DECAPSULATE"

ALGORITHMS_MEMBER: Final = {
    ENCRYPT: "EncryptionAlgorithms",
    SIGN: "SigningAlgorithms",
    MAC: "MacAlgorithms",
    AGREE: "KeyAgreementAlgorithms",
    ENCAPSULATE: "EncapsulationAlgorithms",
}
"""The member of key metadata that lists the algorithms of a usage."""


class KeySpec(NamedTuple):
    """One key spec."""

    kind: Kind
    uses: Mapping[str, tuple[str, ...]]
    """The algorithms by key usage."""
    size: int = 0
    """Of symmetric key material in bytes, of RSA moduli in bits."""
    is_slow: bool = False
    """Whether work with its private key takes about a millisecond or more."""

    @property
    def is_pair(self) -> bool:
        """Whether it has a public key."""
        return self.kind not in ("symmetric", "hmac")


_RSA: Final = {
    ENCRYPT: ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),
    SIGN: tuple(f"RSASSA_{scheme}_SHA_{size}" for scheme in ("PKCS1_V1_5", "PSS") for size in (256, 384, 512)),
}

SPECS: Final[Mapping[str, KeySpec]] = {
    SYMMETRIC: KeySpec("symmetric", {ENCRYPT: (SYMMETRIC,)}, 32),
    **{f"HMAC_{bits}": KeySpec("hmac", {MAC: (f"HMAC_SHA_{bits}",)}, bits // 8) for bits in (224, 256, 384, 512)},
    **{f"RSA_{bits}": KeySpec("rsa", _RSA, bits, is_slow=True) for bits in (2048, 3072, 4096)},
    "ECC_NIST_P256": KeySpec("ecc", {SIGN: ("ECDSA_SHA_256",), AGREE: ("ECDH",)}),
    "ECC_NIST_P384": KeySpec("ecc", {SIGN: ("ECDSA_SHA_384",), AGREE: ("ECDH",)}, is_slow=True),
    "ECC_NIST_P521": KeySpec("ecc", {SIGN: ("ECDSA_SHA_512",), AGREE: ("ECDH",)}, is_slow=True),
    "ECC_SECG_P256K1": KeySpec("ecc", {SIGN: ("ECDSA_SHA_256",)}, is_slow=True),
    "ECC_NIST_EDWARDS25519": KeySpec("ed25519", {SIGN: ("ED25519_SHA_512", "ED25519_PH_SHA_512")}),
    **{f"ML_DSA_{level}": KeySpec("ml-dsa", {SIGN: ("ML_DSA_SHAKE_256",)}, is_slow=True) for level in (44, 65, 87)},
    **{f"ML_KEM_{size}": KeySpec("ml-kem", {ENCAPSULATE: ("ML_KEM",)}) for size in (512, 768, 1024)},
}
"""All that KMS has but SM2, which exists in China's regions only."""


def get_spec(name: str) -> KeySpec:
    """Return a key spec. Raises UnsupportedOperationException for SM2."""
    found = SPECS.get(name)
    if found is None:
        raise errors.UnsupportedOperation(f"Cloudlet has no {name} keys: the cryptography package cannot make them.")
    return found


def get_usage(name: str, usage: str | None) -> str:
    """Return the usage of a key to be created. Raises ValidationException for one that its spec does not have."""
    if usage is None:
        if name == SYMMETRIC:
            return ENCRYPT
        raise errors.ValidationError(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    if usage not in get_spec(name).uses:
        raise errors.ValidationError(f"KeyUsage {usage} is not compatible with KeySpec {name}")
    return usage
