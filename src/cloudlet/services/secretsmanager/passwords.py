"""Random passwords with characters of several types."""

from __future__ import annotations

import string
from collections.abc import Collection
from typing import Final

from cloudlet.core.kernel.ids import random_below, token
from cloudlet.services.secretsmanager import errors

DEFAULT_LENGTH: Final = 32
TYPES: Final = {
    "ExcludeLowercase": string.ascii_lowercase,
    "ExcludeUppercase": string.ascii_uppercase,
    "ExcludeNumbers": string.digits,
    "ExcludePunctuation": string.punctuation,
}
"""The characters of each type, by the parameter that excludes it."""


def make(
    length: int, excluded: Collection[str], characters: Collection[str], *, has_space: bool, has_each: bool
) -> str:
    """Return a password without some types and some characters.

    It may have spaces, and has at least one character of each other type where it `has_each`. Raises AwsError.
    """
    types = ["".join(each for each in TYPES[kind] if each not in characters) for kind in TYPES if kind not in excluded]
    left = [each for each in types if each]
    alphabet = "".join(left) + (" " if has_space and " " not in characters else "")
    if not alphabet:
        raise errors.InvalidRequest("A password needs characters: all of them are excluded.")
    if not has_each:
        return token(length, alphabet)
    if len(left) < len(types):
        raise errors.InvalidRequest("A password can't have each included type: all characters of one are excluded.")
    if length < len(left):
        raise errors.InvalidParameter(f"Password length {length} too short based on the required types.")
    chosen = [token(1, each) for each in left] + list(token(length - len(left), alphabet))
    for last in range(length - 1, 0, -1):
        # Fisher and Yates: all orders are equally likely.
        other = random_below(last + 1)
        chosen[last], chosen[other] = chosen[other], chosen[last]
    return "".join(chosen)
