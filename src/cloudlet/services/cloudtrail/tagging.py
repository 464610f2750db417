"""Tags of trails and event data stores. API reference, "AddTags"."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cloudlet.core import AwsError
from cloudlet.core.aws import tags as core_tags


def with_tags(tags: Mapping[str, str], added: list[dict[str, str]]) -> dict[str, str]:
    """Return tags with more of them. Raises AwsError for what cannot be one, and for too many."""
    if len({tag["Key"] for tag in added}) < len(added):
        raise AwsError("InvalidTagParameterException", "The tag list has a key twice.")
    given = {tag["Key"]: tag.get("Value") or "" for tag in added}
    return core_tags.merge(
        tags, given, partial(AwsError, "InvalidTagParameterException"), partial(AwsError, "TagsLimitExceededException")
    )
