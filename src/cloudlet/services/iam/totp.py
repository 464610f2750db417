"""One-time passwords by the time (RFC 6238): six digits by SHA-1, each 30 seconds."""

from __future__ import annotations

import hmac
from typing import Final

STEP_SECONDS: Final = 30
_DIGITS: Final = 6


def get_step(time: float) -> int:
    """Return the number of the step of a time, in seconds since the epoch."""
    return int(time) // STEP_SECONDS


def make_code(seed: bytes, step: int) -> str:
    """Return the code of a step."""
    mac = hmac.digest(seed, step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}}"


def find_step(seed: bytes, codes: tuple[str, ...], around: int, window: int) -> int | None:
    """Return the step of the last of some consecutive codes, or None.

    It is looked for at most `window` from another step, the nearest first.
    """
    for step in sorted(range(around - window, around + window + 1), key=lambda each: abs(each - around)):
        first = step - len(codes) + 1
        if all(hmac.compare_digest(make_code(seed, first + at), code) for at, code in enumerate(codes)):
            return step
    return None
