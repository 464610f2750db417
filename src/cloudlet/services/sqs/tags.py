"""Cost allocation tags (Developer Guide, "Quotas related to queues")."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudlet.core.aws.tags import count, is_reserved
from cloudlet.services.sqs import errors, limits

_KEY_LENGTH, _VALUE_LENGTH = 128, 256
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def with_tags(tags: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return tags with more of them. Raises AwsError for tags that AWS does not admit."""
    if not added:
        raise errors.missing("Tags")
    for key, value in added.items():
        if not 1 <= len(key) <= _KEY_LENGTH or not _ALLOWED.fullmatch(key):
            raise errors.invalid_parameter(f"Tag key {key} must have 1 to 128 letters, digits, spaces or _.:/=+-@.")
        if len(value) > _VALUE_LENGTH or not _ALLOWED.fullmatch(value):
            raise errors.invalid_parameter(f"Tag value {value} can have up to 256 letters, digits, spaces or _.:/=+-@.")
        if is_reserved(key):
            raise errors.invalid_parameter(f"Tag keys that start with 'aws:' are reserved: {key}.")
    merged = {**tags, **added}
    if count(merged) > limits.TAGS:
        raise errors.invalid_parameter(f"Too many tags added for queue. Maximum is {limits.TAGS}.")
    return merged
