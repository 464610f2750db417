"""Transforms as templates declare them: for the whole in `Transform`, for a part by `Fn::Transform`.

User guide, "Perform custom processing on CloudFormation templates with template macros".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.services.cloudformation import errors

INCLUDE: Final = "AWS::Include"
SECTION: Final = "Transform"
FUNCTION: Final = "Fn::Transform"


class TransformError(AwsError):
    """A transform that failed: the operation begins all the same, and fails by it."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message)


@dataclass(frozen=True, slots=True)
class Transform:
    """A transform, and what it is given."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


Apply = Callable[[Transform, Any], Awaitable[Any]]
"""Returns what a transform makes of a part of a template."""


def parse_transforms(declared: Any) -> list[Transform]:
    """Return the transforms that `Transform` or `Fn::Transform` has, in their order. Raises AwsError."""
    return [_parse_one(one) for one in (declared if isinstance(declared, list) else [declared])]


def _parse_one(declared: Any) -> Transform:
    if isinstance(declared, str):
        return Transform(declared)
    if not isinstance(declared, dict) or not isinstance(declared.get("Name"), str):
        raise errors.make_format_error("Every Transform must have a Name, which is a string.")
    unknown = [key for key in declared if key not in ("Name", "Parameters")]
    if unknown or not isinstance(declared.get("Parameters", {}), dict):
        raise errors.make_format_error("A Transform has a Name and Parameters, which are an object.")
    return Transform(declared["Name"], declared.get("Parameters", {}))


def list_names(raw: Any) -> list[str]:
    """Return the names of all transforms of a template, those of its parts first. Raises AwsError."""
    names = [transform.name for transform in _list_inner(raw)]
    if isinstance(raw, dict) and raw.get(SECTION):
        names += [transform.name for transform in parse_transforms(raw[SECTION])]
    return names


def _list_inner(value: Any) -> list[Transform]:
    if isinstance(value, dict):
        inner = [transform for key, item in value.items() if key != FUNCTION for transform in _list_inner(item)]
        return inner + (parse_transforms(value[FUNCTION]) if FUNCTION in value else [])
    if isinstance(value, list):
        return [transform for item in value for transform in _list_inner(item)]
    return []


async def expand(value: Any, apply: Apply) -> Any:
    """Return a value with each `Fn::Transform` applied to its siblings, the deepest first."""
    if isinstance(value, list):
        return [await expand(item, apply) for item in value]
    if not isinstance(value, dict):
        return value
    found: Any = {key: await expand(item, apply) for key, item in value.items() if key != FUNCTION}
    if FUNCTION in value:
        for transform in parse_transforms(value[FUNCTION]):
            found = await apply(transform, found)
    return found
