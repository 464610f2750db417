"""Tags of schedule groups. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core import tags
from cloudlet.services.scheduler import errors


def checked(given: Iterable[Mapping[str, str]] | None, known: Mapping[str, str] | None = None) -> tags.Tags:
    """Return tags with those of a request. Raises AwsError."""
    return tags.merged(known or {}, tags.read(given), errors.validation, errors.quota_exceeded)
