"""Keys of objects. S3 user guide, "Naming Amazon S3 objects"."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError

_LONGEST_BYTES: Final = 1024
_MOST_BYTES_OF_A_CHARACTER: Final = 4


def check_key(key: str) -> None:
    """Raise AwsError for what cannot be the key of an object, whatever is to be done with it."""
    if ".." in key and _leads_out(key):
        raise AwsError("InvalidURI", "Couldn't parse the specified URI.", status=400)
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


def _leads_out(key: str) -> bool:
    """Whether a key, read as a path, goes above where it begins ("Object keys with relative path elements")."""
    depth = 0
    for element in key.split("/"):
        if element == "..":
            depth -= 1
        elif element not in ("", "."):
            depth += 1
        if depth < 0:
            return True
    return False
