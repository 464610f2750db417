"""Sets of tags, as documents and as header have them.

S3 user guide, "Categorizing your objects using tags"; API reference, "PutBucketTagging".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudlet.core import AwsError
from cloudlet.core.aws.tags import STACK_TAGS, count, is_reserved, is_system_key

_LONGEST_KEY = 128
_LONGEST_VALUE = 256
_MOST_OF_A_BUCKET = 50
_UPDATED = "System tags cannot be added/updated by requester"
_MARKS = frozenset(" _.:/=+-@")


def checked_bucket_tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the tags of a bucket to store. Raises AwsError."""
    return checked(tags, _MOST_OF_A_BUCKET)


def check_system_tags(known: Mapping[str, str], tags: Mapping[str, str]) -> None:
    """Raise AwsError where tags have other system tags than a bucket has."""
    for key in STACK_TAGS:
        if key in tags and tags[key] != known.get(key):
            raise _invalid(_UPDATED, key)
        if key in known and key not in tags:
            raise _invalid("System tags cannot be removed by requester", key)


def checked(tags: Iterable[Mapping[str, str]], most: int) -> dict[str, str]:
    """Return tags to store, at most so many. Raises AwsError."""
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        check(key, value)
        if is_reserved(key):
            raise _invalid(_UPDATED, key)
        if key in found:
            raise _invalid("Cannot provide multiple Tags with the same key", key)
        found[key] = value
    if count(found) > most:
        kind = "Bucket" if most == _MOST_OF_A_BUCKET else "Object"
        raise AwsError("BadRequest", f"{kind} tag count cannot be greater than {most}", status=400)
    return found


def check(key: str, value: str) -> None:
    """Raise InvalidTag for what has not the form of a tag, of a bucket or of an object."""
    if not 0 < len(key) <= _LONGEST_KEY or not _is_plain(key):
        raise _invalid("The TagKey you have provided is invalid", key)
    if len(value) > _LONGEST_VALUE or not _is_plain(value):
        raise _invalid("The TagValue you have provided is invalid", key)


def check_of_object(key: str, value: str) -> None:
    """Raise InvalidTag for what can be no tag of an object."""
    if is_system_key(key):
        raise _invalid("Your TagKey cannot be prefixed with aws:", key)
    check(key, value)


def _is_plain(text: str) -> bool:
    return all(each.isalnum() or each in _MARKS for each in text)


def _invalid(message: str, key: str) -> AwsError:
    return AwsError("InvalidTag", message, status=400, TagKey=key)


def to_api(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as a TagSet, in the order of their keys."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
