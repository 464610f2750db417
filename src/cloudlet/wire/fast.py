"""Shapes as msgspec types, so that one call in C parses and validates a JSON body.

The types are typed dictionaries: what is decoded is the parameters themselves. There is a type only where JSON and
parameters look the same; shapes with renamed members or timestamps in text have none. A body that a type refuses is
read again by `trees`, which decides what is really wrong and words it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict, cast

import msgspec

from cloudlet.wire.patterns import translate
from cloudlet.wire.shapes import Ref, Shape
from cloudlet.wire.timestamps import EARLIEST, LATEST
from cloudlet.wire.trees import INTEGER_BOUNDS

_INT64 = 2**63 - 1


class NotPlain(Exception):
    """A shape whose JSON form differs from its parameters."""


class TypeMaker:
    """Makes the types of one service's shapes, with or without the model's constraints."""

    def __init__(self, *, constrained: bool) -> None:
        self._constrained = constrained
        self._types: dict[str, Any] = {}

    def make(self, ref: Ref) -> Any:
        """Return the type of a use of a shape; raise `NotPlain` if there is none."""
        shape = ref.shape
        if shape.is_document:
            return Any
        if shape.kind == "structure":
            return self._structure(shape)
        if shape.kind == "list":
            element = _optional(self.make(shape.element), shape)
            return self._sized(list.__class_getitem__(element), shape)
        if shape.kind == "map":
            value = _optional(self.make(shape.value), shape)
            return self._sized(dict.__class_getitem__((self.make(shape.key), value)), shape)
        if shape.kind == "string":
            return self._string(ref)
        if shape.kind == "blob":
            return self._sized(bytes, shape)
        if shape.kind == "boolean":
            return bool
        if shape.kind == "timestamp":
            if ref.timestamp_format not in (None, "unixTimestamp"):
                raise NotPlain(shape.name)
            return Annotated[float, msgspec.Meta(ge=EARLIEST, lt=LATEST)]
        if shape.kind in ("float", "double"):
            return self._number(float, None, None, shape)
        if shape.kind in INTEGER_BOUNDS:
            return self._number(int, *INTEGER_BOUNDS[shape.kind], shape)
        raise NotPlain(shape.name)

    def structure(self, name: str, members: dict[str, Ref], required: tuple[str, ...]) -> Any:
        """Return the type of some of the members of a structure."""
        made = _empty(name)
        self._fill(made, members, required)
        return made

    def _structure(self, shape: Shape) -> Any:
        known = self._types.get(shape.name)
        if known is not None:
            return known
        # Filled in after it is remembered, so that a recursive shape finds itself.
        made = self._types[shape.name] = _empty(shape.name)
        try:
            self._fill(made, shape.members, shape.required)
        except NotPlain:
            del self._types[shape.name]
            raise
        return made

    def _fill(self, made: Any, members: dict[str, Ref], required: tuple[str, ...]) -> None:
        fields = {}
        for name, ref in members.items():
            if ref.wire_name not in (None, name):
                raise NotPlain(name)
            fields[name] = self.make(ref)
        made.__annotations__ = fields
        present = frozenset(required) if self._constrained else frozenset()
        made.__required_keys__ = present & fields.keys()
        made.__optional_keys__ = frozenset(fields) - present

    def _sized(self, type_: Any, shape: Shape) -> Any:
        low, high = shape.minimum, shape.maximum
        if not self._constrained or not (low or high is not None):
            return type_
        return Annotated[type_, msgspec.Meta(min_length=_length(low), max_length=_length(high))]

    def _string(self, ref: Ref) -> Any:
        shape = ref.shape
        if not self._constrained:
            return str
        if ref.enum:
            return Literal[ref.enum]
        low, high = _length(shape.minimum), _length(shape.maximum)
        pattern = translate(shape.pattern) if shape.pattern else None
        if low is None and high is None and pattern is None:
            return str
        return Annotated[str, msgspec.Meta(min_length=low, max_length=high, pattern=pattern)]

    def _number(self, type_: Any, low: Any, high: Any, shape: Shape) -> Any:
        if self._constrained:
            if shape.minimum is not None:
                low = shape.minimum if low is None else max(low, shape.minimum)
            if shape.maximum is not None:
                high = shape.maximum if high is None else min(high, shape.maximum)
        if low is None and high is None:
            return type_
        if type_ is int:
            low, high = max(int(low), -_INT64 - 1), min(int(high), _INT64)
        return Annotated[type_, msgspec.Meta(ge=low, le=high)]


def _empty(name: str) -> Any:
    make = cast(Any, TypedDict)
    return make(name, {}, total=False)


def _optional(type_: Any, shape: Shape) -> Any:
    return type_ | None if shape.is_sparse else type_


def _length(bound: int | float | None) -> int | None:
    return int(bound) if bound else (0 if bound == 0 else None)
