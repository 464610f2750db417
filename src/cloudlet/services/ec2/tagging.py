"""Tags in requests (EC2 User Guide, "Tag your Amazon EC2 resources")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.aws.tags import count, is_reserved
from cloudlet.services.ec2.limits import MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS, MAX_TAGS


def merge(tags: Mapping[str, str], given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags with more of them. Raises AwsError."""
    merged = dict(tags)
    for each in given:
        key, value = each.get("Key", ""), each.get("Value", "")
        if not key:
            raise AwsError("InvalidParameterValue", "Tag key cannot be empty.")
        if is_reserved(key):
            raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        if len(key) > MAX_TAG_KEY_CHARACTERS + 1:
            raise AwsError("InvalidParameterValue", "Tag key exceeds the maximum length of 128 characters")
        if len(value) > MAX_TAG_VALUE_CHARACTERS + 1:
            raise AwsError("InvalidParameterValue", "Tag value exceeds the maximum length of 256 characters")
        merged[key] = value
    if count(merged) > MAX_TAGS:
        raise AwsError("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
    return merged


def read_specifications(params: Mapping[str, Any], type_name: str) -> dict[str, str]:
    """Return the tags that a request has for what it makes. Raises AwsError."""
    tags: dict[str, str] = {}
    for each in params.get("TagSpecifications") or ():
        given = each.get("ResourceType")
        if given is None:
            raise AwsError("InvalidParameterValue", "Tag specification resource type must have a value")
        if given != type_name:
            text = f"'{given}' is not a valid taggable resource type for this operation."
            raise AwsError("InvalidParameterValue", text)
        keys = [tag.get("Key", "") for tag in each.get("Tags") or ()]
        repeated = next((key for key in keys if key in tags or keys.count(key) > 1), None)
        if repeated is not None:
            raise AwsError("InvalidParameterValue", f"Duplicate tag key '{repeated}' specified.")
        tags = merge(tags, each.get("Tags") or ())
    return tags
