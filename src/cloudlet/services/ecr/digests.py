"""Digests of blobs and manifests. OCI image specification, "Descriptors"."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)


def is_digest(text: str) -> bool:
    """Whether a text is a digest by an algorithm that is known."""
    return _DIGEST.fullmatch(text) is not None


def compute(data: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of some bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def get_algorithm(digest: str) -> str:
    """Return the name of a digest's algorithm."""
    return digest.partition(":")[0]
