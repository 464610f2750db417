"""The tags of certificates; a tag may have no value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core.aws import tags
from cloudlet.services.acm import errors


def merge(known: Mapping[str, str], given: Iterable[Mapping[str, str]] | None) -> tags.Tags:
    """Return tags with more of them. Raises InvalidTag and TooManyTags."""
    read = [{"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in given or ()]
    return tags.merge(known, read, errors.InvalidTag, errors.TooManyTags)
