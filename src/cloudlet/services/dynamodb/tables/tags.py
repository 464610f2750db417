"""Tags of tables. Developer Guide, "Tagging restrictions"."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from cloudlet.core import AwsError
from cloudlet.core.aws import tags
from cloudlet.services.dynamodb.errors import validation

MOST = 50
_KEY_LENGTH, _VALUE_LENGTH = 128, 256
_ALLOWED = re.compile(r"[\w\s.:/=+\-]*")


def checked(existing: Mapping[str, str], added: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags with more of them, `[{"Key": …, "Value": …}]`. Raises AwsError for what AWS does not admit."""
    pairs = [(tag["Key"], tag["Value"]) for tag in added]
    if not pairs:
        raise validation("Atleast one Tag needs to be provided as Input.")
    if len({key for key, _ in pairs}) < len(pairs):
        raise validation("One or more parameter values were invalid: Duplicate tag keys are not allowed")
    for key, value in pairs:
        if not 1 <= len(key) <= _KEY_LENGTH or not _ALLOWED.fullmatch(key):
            raise _invalid(f"Invalid Tag Key: {key}")
        if len(value) > _VALUE_LENGTH or not _ALLOWED.fullmatch(value):
            raise _invalid(f"Invalid Tag Value: {value}")
        if tags.is_reserved(key):
            raise _invalid("Tag keys that begin with aws: are reserved for system use")
    merged = {**existing, **dict(pairs)}
    if tags.count(merged) > MOST:
        raise _invalid(f"Too many tags: a resource can have {MOST} at most")
    return merged


def without(existing: Mapping[str, str], keys: Collection[str]) -> dict[str, str]:
    """Return tags without some; those that are not there are no error."""
    if not keys:
        raise validation("Atleast one Tag Key needs to be provided as Input.")
    return tags.remove(existing, keys)


def _invalid(reason: str) -> AwsError:
    return validation(f"One or more parameter values were invalid: {reason}")
