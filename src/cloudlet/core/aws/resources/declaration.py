"""Declarations of resource types, as blocks make them.

A block has them in its `cloudformation.py`, as `RESOURCE_TYPES`, which imports nothing of the block. A declaration says
which operations make, read, update, delete and list a resource. What else is to be known of a type is in AWS's schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

Properties = Mapping[str, Any]
"""A resource's properties and attributes by their names."""
Source = str | Callable[[Properties], Any]
"""The origin of a member's value: a property's path ("Code.ZipFile"), or a function of all."""

ITEM: Final = "Item"
"""The property that a call of `Items` finds its item under."""
GENERATED: Final = "Generated"
"""The property that has what an operation has answered before."""
FORMER: Final = "Former"
"""The property with those that a resource had before an update.

Some operations have to be told what is gone.
"""
NAME: Final = "generated_name"
"""The property with a generated name, for operations that need one."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation, and what its input is made of."""

    operation: str
    """The name of the operation, with its model where that is another one ("sqs:CreateQueue")."""
    members: Mapping[str, Source | None] = field(default_factory=dict)
    """The members that do not come from the property of the same name.

    Case does not count in names. None leaves a member empty.
    """
    absent: Mapping[str, Any] = field(default_factory=dict)
    """The values of members whose property is not given: an update goes back to them."""
    region: Callable[[Properties], str] | None = None
    """The region that the operation is called in, where that is not the resource's."""


@dataclass(frozen=True, slots=True)
class Part:
    """A property that operations of its own set and remove once the resource is there."""

    name: str
    put: Call
    remove: Call | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A property that is a set, whose items operations add and remove."""

    items: Source
    add: Call
    remove: Call | None = None
    change: Call | None = None
    """Changes an item, where adding it again is not the same."""
    key: Callable[[Any], Any] | None = None
    """The key of an item: one that changes otherwise is added again."""
    is_made: bool = False
    """Whether the operation that makes the resource adds those that it has at first."""
    is_removed_first: bool = False
    """Whether a resource cannot be deleted while it has items."""


@dataclass(frozen=True, slots=True)
class Name:
    """The property with a resource's name, which is generated where a template gives none."""

    property: str
    max_length: int
    is_lower: bool = False
    is_alphanumeric: bool = False
    suffix: Callable[[Properties], str] = lambda properties: ""


@dataclass(frozen=True, slots=True)
class Ready:
    """The sign that a resource is there: a member of what reading it answers."""

    member: str
    good: tuple[str | None, ...]
    bad: tuple[str, ...] = ()
    reason: str = ""
    """The member that says why it is bad."""


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A resource type, with the operations that make, read, update, delete and list resources."""

    name: str
    """The name that templates have: "AWS::SQS::Queue"."""
    model: str
    """AWS's model that its operations belong to, as botocore names it."""
    create: Call | None = None
    """None where there is nothing but parts. The identifier is a generated name then."""
    read: Call | None = None
    lookups: tuple[Call, ...] = ()
    """Further calls that read attributes of a resource that is ready."""
    updates: tuple[Call, ...] = ()
    parts: tuple[Part | Items, ...] = ()
    delete: Call | None = None
    named: Name | None = None
    exists: Call | None = None
    """The call that finds what has a name already; `read` where there is none."""
    attributes: Mapping[str, Source] = field(default_factory=dict)
    """Attributes that are not members of the same name of answers.

    Each is the path of a member, a text with properties ("arn:{partition}:sqs:{region}:{account}:{QueueName}"), or a
    function's result.
    """
    ref: Source = ""
    """The value of Ref, where that is not the identifier."""
    alternatives: Mapping[str, Call] = field(default_factory=dict)
    """The calls that make the resource instead, where a property is given."""
    generate: tuple[str, Call] | None = None
    """An operation whose answer others find under `Generated`, where a property changes."""
    is_recreated: bool = False
    """Whether it is deleted and made again, under the same identifier, for an update."""
    tag: Call | None = None
    """Adds tags, which it finds under `Tags`."""
    untag: Call | None = None
    """Removes tags, which it finds under `TagKeys`.

    Where none is named, it is the call that adds some, with Untag for Tag.
    """
    ready: tuple[Ready, ...] = ()
    is_deleted_later: bool = False
    """Whether it is gone only once reading does not find it any more."""
    unchanged: str = ""
    """The words in the error of an update that changes nothing."""
    undeletable: str = ""
    """The words in the error of deleting what is deleted already, or goes by itself."""
    unlisted: tuple[str, ...] = ()
    """Properties that no call takes, and that say what follows from others."""
    list: Call | None = None
    capability: str = ""
    """The capability that a template with such a resource requires."""

    @property
    def can_create(self) -> bool:
        """Whether operations make resources: some types are CloudFormation's own."""
        return self.create is not None or bool(self.parts)

    @property
    def can_update(self) -> bool:
        """Whether operations change resources."""
        return bool(self.updates or self.parts or self.tag or self.is_recreated)

    @property
    def untagging(self) -> Call | None:
        """The call that removes tags."""
        if self.untag is not None or self.tag is None:
            return self.untag
        return replace(self.tag, operation=self.tag.operation.replace("Tag", "Untag", 1))

    @property
    def can_delete(self) -> bool:
        """Whether operations delete resources."""
        return self.can_create and (self.delete is not None or bool(self.parts))


def make_bag(
    *names: str, absent: Mapping[str, str] | None = None, **renamed: str
) -> Callable[[Properties], dict[str, str]]:
    """Return a source that is a map of properties as texts.

    Each property is there under its name, or under the one that is given.

    `absent` are the values of those that are not given.
    """
    all_names = {**{name: name for name in names}, **renamed}

    def make(properties: Properties) -> dict[str, str]:
        given = {all_names[name]: to_text(value) for name, value in properties.items() if name in all_names}
        return {**(absent or {}), **given}

    return make


def to_text(value: Any) -> str:
    """Return a value as text: objects as JSON, true and false in lower case."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def render(template: str, properties: Properties) -> str | None:
    """Return a text with properties filled in; None where one is missing."""
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
