"""Tags of alarms, mute rules and dashboards. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core import AwsError, tags
from cloudlet.services.cloudwatch import errors


def checked(given: Iterable[Mapping[str, str]] | None, known: Mapping[str, str] | None = None) -> tags.Tags:
    """Return tags with those of a request. Raises AwsError."""
    too_many = errors.invalid_value(f"A resource can have {tags.MOST_TAGS} tags at most.")
    return tags.merged(known or {}, tags.read(given), reserved=_reserved, too_many=too_many)


def _reserved(key: str) -> AwsError:
    return errors.invalid_value(f"The tag key {key} is invalid: aws: is a reserved prefix.")
