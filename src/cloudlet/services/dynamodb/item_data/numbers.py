"""DynamoDB's numbers: 38 significant decimal digits, magnitudes from 1E-130 to 9.99…E+125, exact.

Developer Guide, "Naming rules and data types", Number; "Item sizes and formats".
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Final

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import Reworded, validation

PRECISION: Final = 38
LARGEST_EXPONENT: Final = 125
SMALLEST_EXPONENT: Final = -130
_LONGEST_SIZE: Final = 21
_LONGEST_WHOLE: Final = PRECISION - 1
"""Characters of whole numbers whose sum has no more digits than a number may have."""

_CANONICAL_INTEGER: Final = re.compile(r"-?[1-9][0-9]{0,37}|0").fullmatch
_NUMBER: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?").fullmatch
# Wide enough for every sum of two numbers: digits from 1E+126 down to 1E-168 (a 38th digit at 1E-130).
_EXACT: Final = Context(prec=300, Emax=999, Emin=-999)


def canonical(text: str) -> str:
    """Return a number as DynamoDB gives it back: plain decimal notation without needless zeros. Raises AwsError."""
    if _CANONICAL_INTEGER(text):
        return text
    match = _NUMBER(text)
    if match is None or not (match[2] or match[3]):
        raise not_a_number(text)
    sign, whole, fraction, exponent = match.groups()
    fraction = fraction or ""
    return _plain("-" if sign == "-" else "", whole + fraction, int(_bounded(exponent or "0")) - len(fraction))


def add(left: str, right: str) -> str:
    """Return the sum of two canonical numbers. Raises AwsError where 38 digits cannot hold it."""
    if _whole(left) and _whole(right):
        return str(int(left) + int(right))
    return _sum(_EXACT.add(Decimal(left), Decimal(right)))


def subtract(left: str, right: str) -> str:
    """Return the difference of two canonical numbers. Raises AwsError where 38 digits cannot hold it."""
    if _whole(left) and _whole(right):
        return str(int(left) - int(right))
    return _sum(_EXACT.subtract(Decimal(left), Decimal(right)))


def compare(left: str, right: str) -> int:
    """Return a negative number, 0 or a positive one, as the first number is less than, equal to or above the second."""
    if left == right:
        return 0
    return -1 if Decimal(left) < Decimal(right) else 1


def size(text: str) -> int:
    """Return the bytes that a canonical number counts for: one for each two digits, and one; one more below zero.

    Digits pair up around the decimal point, as the digits of a number to the base of 100.
    """
    if text.isdigit() and text[-1] != "0":
        return min((len(text) + 1) // 2 + 1, _LONGEST_SIZE)
    if text == "0":
        return 1
    whole, _, fraction = text.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    lowest = -len(fraction) if fraction else len(digits) - len(digits.rstrip("0"))
    highest = len(digits) - 1 - len(fraction)
    pairs = highest // 2 - lowest // 2 + 1
    return min(pairs + 1 + text.startswith("-"), _LONGEST_SIZE)


def _whole(text: str) -> bool:
    """Whether a canonical number is an integer with which Python counts as DynamoDB does."""
    return len(text) <= _LONGEST_WHOLE and "." not in text


def not_a_number(text: str) -> AwsError:
    reason = "The parameter cannot be converted to a numeric value"
    return validation(f"{reason}: {text}") if text else Reworded(f"{reason}: ", reason)


def overflow() -> AwsError:
    return validation("Number overflow. Attempting to store a number with magnitude larger than supported range")


def underflow() -> AwsError:
    return validation("Number underflow. Attempting to store a number with magnitude smaller than supported range")


def _bounded(exponent: str) -> str:
    """Return an exponent that fits a machine's integer, as far out of range as the one given."""
    digits = exponent.lstrip("+-").lstrip("0") or "0"
    if len(digits) > 9:
        digits = "9" * 9
    return ("-" if exponent.startswith("-") else "") + digits


def _plain(sign: str, digits: str, exponent: int) -> str:
    """Return digits times ten to an exponent in plain notation. Raises AwsError for what DynamoDB cannot keep."""
    digits = digits.lstrip("0")
    if not digits:
        return "0"
    significant = digits.rstrip("0")
    exponent += len(digits) - len(significant)
    magnitude = exponent + len(significant) - 1
    if magnitude > LARGEST_EXPONENT:
        raise overflow()
    if magnitude < SMALLEST_EXPONENT:
        raise underflow()
    if len(significant) > PRECISION:
        raise validation("Attempting to store more than 38 significant digits in a Number")
    if exponent >= 0:
        return f"{sign}{significant}{'0' * exponent}"
    whole, fraction = significant[:exponent], significant[exponent:]
    return f"{sign}{whole or '0'}.{fraction.rjust(-exponent, '0')}"


def _sum(value: Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits))
    # AWS calls a sum that needs more than 38 digits an overflow, whatever its magnitude.
    if len(text.strip("0")) > PRECISION:
        raise overflow()
    return _plain("-" if sign else "", text, int(exponent))
