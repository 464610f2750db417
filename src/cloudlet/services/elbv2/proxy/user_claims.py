"""Claims of users for targets, in a token that the load balancer signs."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import sha512
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloudlet.services.elbv2.proxy.view import Description

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the curve P-256."""
_KEY_ID: Final = "00000000-0000-0000-0000-000000000001"


@lru_cache(maxsize=4)
def _make_key(seed: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(sha512(seed).digest()) % (_ORDER - 1) + 1, ec.SECP256R1())


def _get_key(block: Block) -> ec.EllipticCurvePrivateKey:
    return _make_key(block.cloud.tokens.derive_key("elbv2 user claims"))


def sign(block: Block, signer: str, config: Description, claims: dict[str, Any], expires: float) -> str:
    """Return claims of a user as a token, signed for a load balancer."""
    # Slow to import, and not needed by who has no users.
    from jwt import get_algorithm_by_name

    head = {
        "typ": "JWT",
        "kid": _KEY_ID,
        "alg": "ES256",
        "signer": signer,
        "iss": config["Issuer"],
        "client": config["ClientId"],
        "exp": int(expires),
    }
    content = {**claims, "exp": int(expires), "iss": config["Issuer"]}
    signed = f"{_encode(json.dumps(head).encode())}.{_encode(json.dumps(content).encode())}"
    return f"{signed}.{_encode(get_algorithm_by_name('ES256').sign(signed.encode(), _get_key(block)))}"


def _encode(part: bytes) -> str:
    # AWS keeps the padding, unlike the standard.
    return urlsafe_b64encode(part).decode()


def show_public_key(block: Block) -> str:
    """Return the key by which targets verify claims, in PEM."""
    public = _get_key(block).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
