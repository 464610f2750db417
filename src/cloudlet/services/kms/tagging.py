"""Tags of keys, which KMS gives other names than the rest of AWS does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core import AwsError
from cloudlet.core.aws import tags
from cloudlet.services.kms import errors


class InvalidTag(AwsError):
    """Tags that a key cannot have."""

    def __init__(self, message: str) -> None:
        super().__init__("TagException", message)


def merge(known: Mapping[str, str], given: Iterable[Mapping[str, str]] | None) -> tags.Tags:
    """Return tags with those of a request."""
    pairs = [(tag["TagKey"], tag["TagValue"]) for tag in given or ()]
    added = dict(pairs)
    if len(added) < len(pairs):
        raise InvalidTag("Duplicate tag keys")
    return tags.merge(known, added, InvalidTag, errors.ExceededLimit)


def to_api(known: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as KMS shows them."""
    return [{"TagKey": key, "TagValue": value} for key, value in sorted(known.items())]


def list_request_keys(given: Iterable[Mapping[str, str]] | None) -> dict[str, str | list[str]]:
    """Return the condition keys about the tags of a request."""
    added = {tag["TagKey"]: tag["TagValue"] for tag in given or ()}
    if not added:
        return {}
    return {"aws:TagKeys": list(added), **{f"aws:RequestTag/{key}": value for key, value in added.items()}}
