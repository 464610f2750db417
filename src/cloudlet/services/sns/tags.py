"""The tags of topics (Developer Guide, "Amazon SNS topic tagging")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cloudlet.core import AwsError
from cloudlet.core.aws.tags import count, is_reserved
from cloudlet.services.sns import errors, limits

_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def with_tags(tags: Mapping[str, str], added: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return tags with more of them. Raises AwsError for tags that AWS does not admit."""
    keys = [tag["Key"] for tag in added]
    if len(set(keys)) < len(keys):
        raise errors.invalid_parameter("Duplicated keys are not allowed.")
    for tag in added:
        if not _ALLOWED.fullmatch(tag["Key"]) or not _ALLOWED.fullmatch(tag["Value"]):
            raise errors.invalid_parameter("Tags", "a tag has letters, digits, spaces and _.:/=+-@ only")
        if is_reserved(tag["Key"]):
            raise errors.invalid_parameter("Tags", "a tag's key must not start with aws:")
    merged = {**tags, **{tag["Key"]: tag["Value"] for tag in added}}
    if count(merged) > limits.TAGS:
        raise AwsError("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
    return merged
