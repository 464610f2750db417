"""Compressed responses, for clients that say they can read them.

How a client's wishes are read, also the odd ones, is as DynamoDB does it (RFC 9110, 12.5.3, says less).
"""

from __future__ import annotations

import re
import zlib

CODINGS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""What zlib calls the codings (RFC 9110, 8.4.1), the preferred one first."""

_QUALITY = re.compile(r"q=([^;]*)")
_LEVEL = 4


def coding(accepted: str) -> str | None:
    """Return the coding that an Accept-Encoding header asks for; None where that is none of `CODINGS`."""
    qualities: dict[str, float] = {}
    for part in accepted.split(","):
        name, _, parameters = part.partition(";")
        name = name.strip().lower()
        qualities[name] = max(_quality(parameters), qualities.get(name, 0))
    others = qualities.get("*", 0)
    wanted = {name: quality for name, quality in qualities.items() if name in CODINGS}
    wanted |= {name: others for name in CODINGS if name not in qualities}
    best = max(wanted, key=wanted.__getitem__)
    return best if wanted[best] > 0 else None


def _quality(parameters: str) -> float:
    stated = _QUALITY.search(parameters)
    try:
        return min(float(stated[1]), 1.0) if stated is not None else 1.0
    except ValueError:
        return 1.0


def compress(body: bytes, name: str) -> bytes:
    """Return a body in a coding."""
    compressor = zlib.compressobj(_LEVEL, wbits=CODINGS[name])
    return compressor.compress(body) + compressor.flush()
