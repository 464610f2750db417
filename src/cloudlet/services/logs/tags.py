"""Tags of log groups. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core import AwsError
from cloudlet.services.logs import errors

MOST_TAGS = 50


def merged(tags: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return tags with more of them. Raises AwsError."""
    for key in added:
        if key.lower().startswith("aws:"):
            raise errors.invalid(f"The tag key {key} is invalid: aws: is a reserved prefix.")
    both = {**tags, **added}
    if len(both) > MOST_TAGS:
        raise AwsError("TooManyTagsException", f"A log group can have {MOST_TAGS} tags at most.")
    return both


def without(tags: Mapping[str, str], keys: list[str]) -> dict[str, str]:
    """Return tags without some; those that are not there are no error."""
    return {key: value for key, value in tags.items() if key not in keys}
