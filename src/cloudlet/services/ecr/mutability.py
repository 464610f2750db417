"""Mutability of tags: they may move to another image, or not.

User guide, "Preventing image tags from being overwritten".
"""

from __future__ import annotations

from typing import Any, Final

from cloudlet.services.ecr import errors
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.wildcards import is_match

_WITH_EXCLUSION: Final = "_WITH_EXCLUSION"
_MAX_WILDCARDS: Final = 2


def is_immutable(repository: Repository, tag: str) -> bool:
    """Whether a tag stays with its image."""
    is_excluded = any(is_match(each, tag) for each in repository.exclusions)
    return repository.mutability.startswith("IMMUTABLE") != is_excluded


def parse(params: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the mutability and the exclusions that a request asks for. Raises InvalidParameter."""
    asked = params.get("imageTagMutability") or "MUTABLE"
    filters = tuple(each["filter"] for each in params.get("imageTagMutabilityExclusionFilters") or ())
    if asked.endswith(_WITH_EXCLUSION) != bool(filters):
        raise errors.InvalidParameter(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'exclusion "
            "filters must be given with IMMUTABLE_WITH_EXCLUSION and MUTABLE_WITH_EXCLUSION, and with these only'"
        )
    for pattern in filters:
        if pattern.count("*") > _MAX_WILDCARDS:
            raise errors.InvalidParameter(
                "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'a filter "
                f"can have {_MAX_WILDCARDS} wildcards at most'"
            )
    return asked, filters
