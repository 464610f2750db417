"""Reading JSON that others have written.

msgspec takes 20 µs for each number such as 1e300, whose exponent is large: a text of a megabyte would keep everybody
waiting for seconds. Where there are many of them, Python's own parser reads the text, which is slow for all others.
"""

from __future__ import annotations

from math import isinf
from typing import Any, Final

import msgspec

_SMALL: Final = 8192
_MANY: Final = 500
"""A text that is small, and one with fewer slow numbers, takes ten milliseconds at most."""
_ALIKE: Final = bytes.maketrans(b"123456789E", b"000000000e")
"""All digits are one digit, to be counted with what is around them: a regular expression takes five times as long."""
_decode: Final = msgspec.json.Decoder().decode


def decode(text: str | bytes) -> Any:
    """Return what a JSON text says. Raises ValueError and RecursionError."""
    if is_slow(text):
        # Hardly anybody needs it.
        import json

        # By itself it takes other encodings than UTF-8, and halves of surrogate pairs, which nobody can write again.
        plain = text if isinstance(text, str) else text.decode()
        read = json.loads(plain, parse_float=_finite, parse_constant=_refused)
        if "\\u" in plain:
            json.dumps(read, ensure_ascii=False).encode()
        return read
    return _decode(text)


def is_slow(text: str | bytes) -> bool:
    """Whether msgspec would take long with a text."""
    if len(text) <= _SMALL:
        return False
    alike = (text.encode(errors="replace") if isinstance(text, str) else text).translate(_ALIKE)
    return alike.count(b"0e00") + alike.count(b"0e+00") > _MANY


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("a number is out of range")
    return number


def _refused(constant: str) -> Any:
    """Refuse what Python takes for a number, and JSON does not."""
    raise ValueError(f"{constant} is not JSON")
