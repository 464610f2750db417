"""Tags and what AWS requires of them.

Source: IAM User Guide, "Tags for AWS Identity and Access Management resources".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cloudlet.core.aws.tags import Tags, count, is_reserved
from cloudlet.services.iam import errors, limits


def merge(tags: Tags, added: Sequence[Mapping[str, str]] | None, *, is_by_case: bool) -> Tags:
    """Return tags with more of them. Raises AwsError for tags that AWS does not admit.

    `is_by_case`: keys that differ in case alone are different ones. Else a tag takes the place of such a one.
    """
    given = {tag["Key"]: tag["Value"] for tag in added or ()}
    keys = {_fold(key, is_by_case=is_by_case) for key in given}
    if len(keys) < len(added or ()):
        raise errors.invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(map(is_reserved, given)):
        raise errors.invalid_input("Caller is not an internal service, and is not allowed to set system tags")
    merged = remove(tags, list(given), is_by_case=is_by_case) | given
    if count(merged) > limits.MAX_TAGS:
        raise errors.limit_exceeded("The number of tags has reached the maximum limit.")
    return merged


def remove(tags: Tags, keys: Sequence[str], *, is_by_case: bool) -> Tags:
    """Return tags without some; those that are not there are no error."""
    gone = {_fold(key, is_by_case=is_by_case) for key in keys}
    return {key: value for key, value in tags.items() if _fold(key, is_by_case=is_by_case) not in gone}


def _fold(key: str, *, is_by_case: bool) -> str:
    return key if is_by_case else key.lower()
