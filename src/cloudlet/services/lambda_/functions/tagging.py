"""Tags of functions, event source mappings and code signing configurations. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core.aws import tags
from cloudlet.services.lambda_ import errors


def checked(given: Mapping[str, str] | None, known: Mapping[str, str] | None = None) -> tags.Tags:
    """Return tags with those of a request. Raises AwsError."""
    return tags.merge(known or {}, given or {}, errors.invalid)
