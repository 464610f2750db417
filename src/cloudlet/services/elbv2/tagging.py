"""Tags of load balancers and of what belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.aws import tags
from cloudlet.services.elbv2.errors import TooManyTags, ValidationError


def merge(known: tags.Tags, given: Sequence[dict[str, Any]] | None) -> tags.Tags:
    """Return tags with more of them. Raises AwsError."""
    keys = [each["Key"] for each in given or ()]
    repeated = next((key for key in keys if keys.count(key) > 1), None)
    if repeated is not None:
        raise AwsError("DuplicateTagKeysException", f"The tag key '{repeated}' was specified more than once")
    return tags.merge(known, given, ValidationError, TooManyTags)


def read_new(given: Sequence[dict[str, Any]] | None) -> tags.Tags:
    """Return the tags of a new resource. Raises AwsError."""
    return merge({}, given)
