"""Tags of objects. S3 user guide, "Categorizing your objects using tags"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from cloudlet.core import AwsError
from cloudlet.services.s3 import errors
from cloudlet.services.s3.object_data import tag_sets

LIMIT: Final = 10


def from_header(text: str | None) -> dict[str, str]:
    """Return the tags of x-amz-tagging. Raises AwsError."""
    if not text:
        return {}
    try:
        # Commas are no separators, and what tags have none of.
        pairs = [] if "," in text else parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        pairs = []
    if not pairs or len(dict(pairs)) != len(pairs):
        raise errors.invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.",
            "x-amz-tagging",
            text,
        )
    return _checked(pairs)


def from_document(tag_set: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the tags of a TagSet. Raises AwsError."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tag_set]
    if len(dict(pairs)) != len(pairs):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key", status=400)
    return _checked(pairs)


def _checked(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    if len(pairs) > LIMIT:
        raise AwsError("BadRequest", f"Object tags cannot be greater than {LIMIT}", status=400)
    for key, value in pairs:
        tag_sets.check_of_object(key, value)
    return dict(pairs)
