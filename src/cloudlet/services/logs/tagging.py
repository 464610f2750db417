"""Tags of resources. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core import AwsError, tags
from cloudlet.services.logs import errors


def merged(known: Mapping[str, str], added: Mapping[str, str]) -> tags.Tags:
    """Return tags with more of them. Raises AwsError."""
    too_many = AwsError("TooManyTagsException", f"A resource can have {tags.MOST_TAGS} tags at most.")
    return tags.merged(known, added, reserved=_reserved, too_many=too_many)


def _reserved(key: str) -> AwsError:
    return errors.invalid(f"The tag key {key} is invalid: aws: is a reserved prefix.")
