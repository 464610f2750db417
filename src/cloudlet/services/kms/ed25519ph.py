"""Ed25519ph, the prehashed variant of Ed25519 (RFC 8032, section 5.1).

The cryptography package does not have it. It computes with plain integers, so that the time it takes may leak the key
to somebody who measures it exactly.
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

_P: Final = 2**255 - 19
_Q: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT: Final = pow(2, (_P - 1) // 4, _P)
_DOMAIN: Final = b"SigEd25519 no Ed25519 collisions\x01\x00"
_KEY_BYTES: Final = 32

Point = tuple[int, int, int, int]
"""In extended homogeneous coordinates (X, Y, Z, T)."""


def _recover_x(y: int, sign: int) -> int | None:
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (not x and sign):
        return None
    return _P - x if (x & 1) != sign else x


_GY: Final = 4 * pow(5, _P - 2, _P) % _P
_GX: Final = _recover_x(_GY, 0) or 0
_G: Final[Point] = (_GX, _GY, 1, _GX * _GY % _P)
_NEUTRAL: Final[Point] = (0, 1, 1, 0)


def _add(p: Point, q: Point) -> Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _scale(factor: int, point: Point) -> Point:
    total = _NEUTRAL
    while factor:
        if factor & 1:
            total = _add(total, point)
        point = _add(point, point)
        factor >>= 1
    return total


def _compress(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(_KEY_BYTES, "little")


def _decompress(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    y = number & (1 << 255) - 1
    x = _recover_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % _P)


def _hash(*parts: bytes) -> int:
    return int.from_bytes(sha512(b"".join((_DOMAIN, *parts))).digest(), "little") % _Q


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature of a message by a private key of 32 bytes."""
    expanded = sha512(seed).digest()
    scalar = int.from_bytes(expanded[:_KEY_BYTES], "little") & (1 << 254) - 8 | 1 << 254
    public = _compress(_scale(scalar, _G))
    hashed = sha512(message).digest()
    nonce = _hash(expanded[_KEY_BYTES:], hashed)
    commitment = _compress(_scale(nonce, _G))
    proof = (nonce + _hash(commitment, public, hashed) * scalar) % _Q
    return commitment + proof.to_bytes(_KEY_BYTES, "little")


def is_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of a message is by the owner of a key."""
    if len(signature) != 2 * _KEY_BYTES:
        return False
    key, commitment = _decompress(public), _decompress(signature[:_KEY_BYTES])
    proof = int.from_bytes(signature[_KEY_BYTES:], "little")
    if key is None or commitment is None or proof >= _Q:
        return False
    challenge = _hash(signature[:_KEY_BYTES], public, sha512(message).digest())
    left, right = _scale(proof, _G), _add(commitment, _scale(challenge, key))
    return not ((left[0] * right[2] - right[0] * left[2]) % _P or (left[1] * right[2] - right[1] * left[2]) % _P)
