"""Tags of functions, event source mappings and code signing configurations. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core import AwsError, tags
from cloudlet.services.lambda_ import errors


def checked(given: Mapping[str, str] | None, known: Mapping[str, str] | None = None) -> tags.Tags:
    """Return tags with those of a request. Raises AwsError."""
    too_many = errors.invalid(f"A resource can have at most {tags.MOST_TAGS} tags.")
    return tags.merged(known or {}, given or {}, reserved=_reserved, too_many=too_many)


def _reserved(key: str) -> AwsError:
    return errors.invalid("The aws: prefix is reserved, and cannot be used in tag keys.")
