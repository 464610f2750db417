"""Declarations of how resources are read, as blocks make them.

A block has them in its `cloudformation_reading.py`, as `READINGS`, by the names of its types. A type whose properties
are the members of the same name in what its `read` answers needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties, Source

ANSWER: Final = "Answer"
"""The property that functions find an answer under, beside what is known of the resource."""
BASE: Final = "BaseAnswer"
"""The property that further readings find the answer of the first one under."""


@dataclass(frozen=True, slots=True)
class Read:
    """One operation that tells properties of a resource."""

    call: Call
    properties: Mapping[str, Source | None] = field(default_factory=dict)
    """The properties that are not members of the same name.

    Each is a path in the root of the answer, which is itself the empty path, or a function. None leaves one out.
    """
    root: Source = ""
    """The structure in the answer whose members are properties.

    It is looked for where none is named. A function returns None where the answer tells nothing of the resource.
    """
    is_exact: bool = False
    """Whether it tells nothing but `properties`."""


@dataclass(frozen=True, slots=True)
class ReadEach:
    """A property that lists what an operation answers to each of some names."""

    property: str
    names: Call
    call: Call
    """The operation that tells of one, which it finds under `Item`."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The operation that lists the resources of a type."""

    call: Call
    items: str = ""
    """The path of the list in the answer; the first one where none is named."""
    properties: Mapping[str, Source] = field(default_factory=dict)
    """The properties that are not members of the same name.

    Each is a path in an item, or a function, which finds the item under `Item`.
    """
    owner: tuple[str, str] | None = None
    """The type that resources belong to, and the property with its identifier."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The way to read the resources of one type."""

    base: Read | None = None
    """The operation that says whether there is one; the type's `read` where this is None."""
    others: tuple[Read | ReadEach, ...] = ()
    """Further ones; where they find nothing, the resource has no such properties."""
    list: Listing | None = None
    """The operation that lists; the type's `list` where this is None."""
    unread: tuple[str, ...] = ()
    """Properties that no operation tells, beside the schema's write-only ones."""


def read_tags(operation: str, member: str, source: Source, tags: str = "Tags") -> Read:
    """Return a reading of tags by an operation with a member for the resource.

    `tags` is a path in its answer.
    """
    return Read(Call(operation, {member: source}), {"Tags": tags}, is_exact=True)


def find_in(path: str, member: str, source: str) -> Callable[[Properties], Any]:
    """Return what finds the item of a list that has a property's value."""

    def find(properties: Properties) -> Any:
        items: Any = properties[ANSWER]
        for step in path.split("."):
            items = (items or {}).get(step)
        return next((item for item in items or () if item.get(member) == properties.get(source)), None)

    return find
