"""Keys of objects. S3 user guide, "Naming Amazon S3 objects"."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError

_LONGEST_BYTES: Final = 1024
_MOST_BYTES_OF_A_CHARACTER: Final = 4


def check_key(key: str) -> None:
    """Raise KeyTooLongError for what cannot be the key of an object, whatever is to be done with it."""
    if len(key) <= _LONGEST_BYTES // _MOST_BYTES_OF_A_CHARACTER:
        return
    size = len(key.encode())
    if size > _LONGEST_BYTES:
        raise AwsError(
            "KeyTooLongError",
            "Your key is too long",
            status=400,
            Size=str(size),
            MaxSizeAllowed=str(_LONGEST_BYTES),
        )
