"""How blocks declare resource types.

A block has them in its `cloudformation.py`, as `RESOURCE_TYPES`, which imports nothing of the block. A declaration says
which operations make, read, update, delete and list a resource. What else is to be known of a type is in AWS's schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Properties = Mapping[str, Any]
"""A resource's properties and attributes by their names."""
Source = str | Callable[[Properties], Any]
"""Where a member's value comes from: a property's path ("Code.ZipFile"), or what a function makes of all of them."""

ITEM: Final = "Item"
"""The property that a call of `Items` finds its item under."""
GENERATED: Final = "Generated"
"""The property that has what an operation has answered before."""
NAME: Final = "generated_name"
"""The property that has a name that was made up, for operations that need one where the type has none."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation, and what its input is made of."""

    operation: str
    """Its name; of another model than the type's with that before it ("sqs:CreateQueue")."""
    members: Mapping[str, Source | None] = field(default_factory=dict)
    """The members that do not come from the property of the same name, whatever its case; None: stays empty."""
    absent: Mapping[str, Any] = field(default_factory=dict)
    """What members have whose property is not given: an update goes back to it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A property that operations of its own set and remove once the resource is there."""

    name: str
    put: Call
    remove: Call | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A property that is a set: operations add and remove its items, once the resource is there."""

    items: Source
    add: Call
    remove: Call | None = None
    change: Call | None = None
    """Changes an item, where adding it again is not the same."""
    key: Callable[[Any], Any] | None = None
    """What tells items apart: one that changes otherwise is added again, and not removed first."""
    is_made: bool = False
    """Whether the operation that makes the resource adds those that it has at first."""
    is_removed_first: bool = False
    """Whether a resource cannot be deleted while it has items."""


@dataclass(frozen=True, slots=True)
class Name:
    """A property that is made up of the stack's name and the logical id where a template does not give it."""

    property: str
    max_length: int
    is_lower: bool = False
    is_alphanumeric: bool = False
    suffix: Callable[[Properties], str] = lambda properties: ""


@dataclass(frozen=True, slots=True)
class Ready:
    """How a resource is known to be there: by a member of what reading it answers."""

    member: str
    good: tuple[str | None, ...]
    bad: tuple[str, ...] = ()
    reason: str = ""
    """The member that says why it is bad."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type: the operations by which a resource is made, read, updated, deleted and listed."""

    name: str
    """As templates have it: "AWS::SQS::Queue"."""
    model: str
    """AWS's model that its operations belong to, as botocore names it."""
    create: Call | None = None
    """None: there is no such thing by itself, but for its parts; the name that is made up is its identifier."""
    read: Call | None = None
    updates: tuple[Call, ...] = ()
    parts: tuple[Part | Items, ...] = ()
    delete: Call | None = None
    named: Name | None = None
    exists: Call | None = None
    """Finds out whether a name that a template gives is taken; otherwise `read` does."""
    attributes: Mapping[str, Source] = field(default_factory=dict)
    """Attributes that are not members of the same name of what creating or reading answers: the path of a member, a
    text with properties in it ("arn:{partition}:sqs:{region}:{account}:{QueueName}"), or a function's result."""
    ref: Source = ""
    """What Ref returns where that is not the identifier: a property, or a text with properties in it."""
    alternatives: Mapping[str, Call] = field(default_factory=dict)
    """What makes the resource instead where a property is given."""
    generate: tuple[str, Call] | None = None
    """An operation whose answer the others find under `Generated`, where a property is given or changed."""
    is_recreated: bool = False
    """Whether it is deleted and made again, under the same identifier, where `updates` would be needed."""
    tag: Call | None = None
    untag: Call | None = None
    """Adds and removes tags: they find them under `Tags` and `TagKeys`."""
    ready: tuple[Ready, ...] = ()
    is_deleted_later: bool = False
    """Whether it is gone only once reading does not find it any more."""
    unchanged: str = ""
    """The words in the error of an update that changes nothing."""
    unlisted: tuple[str, ...] = ()
    """Properties that no call takes, and that say what follows from others."""
    list: Call | None = None
    capability: str = ""
    """The capability that a template with such a resource requires."""


def bag(*names: str, absent: Mapping[str, str] | None = None, **renamed: str) -> Callable[[Properties], dict[str, str]]:
    """Return what makes a map of texts of properties, each under its name or a given one.

    `absent` are the values of those that are not given.
    """
    all_names = {**{name: name for name in names}, **renamed}

    def make(properties: Properties) -> dict[str, str]:
        given = {all_names[name]: to_text(value) for name, value in properties.items() if name in all_names}
        return {**(absent or {}), **given}

    return make


def to_text(value: Any) -> str:
    """Return a value as AWS's maps of texts have it: objects as JSON, true and false in lower case."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def render(template: str, properties: Properties) -> str | None:
    """Return a text with properties in it, or the property of that name; None where one is missing."""
    if "{" not in template:
        value = find_path(properties, template)
        return None if value is None else to_text(value)
    try:
        return template.format_map(properties)
    except KeyError:
        return None


def find_path(value: Any, path: str) -> Any:
    """Return what a path ("Code.ZipFile", "Stacks.0.StackId") leads to; None where that is nothing."""
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
