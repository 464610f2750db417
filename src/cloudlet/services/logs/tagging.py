"""Tags of resources. API reference, "TagResource"."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from cloudlet.core import AwsError
from cloudlet.core.aws import tags
from cloudlet.services.logs import errors


def merged(known: Mapping[str, str], added: Mapping[str, str]) -> tags.Tags:
    """Return tags with more of them. Raises AwsError."""
    return tags.merge(known, added, errors.invalid, partial(AwsError, "TooManyTagsException"))
