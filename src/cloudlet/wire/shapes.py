"""The graph of a service's shapes, resolved as it is walked.

A `Shape` is a type of the model; a `Ref` is one use of it, with the traits that the place of use adds. Shapes are
one object per name, so recursive types are finite and codecs can be remembered by shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import msgspec

Raw = Mapping[str, Any]


class Ref:
    """One use of a shape, as a member, an element, a key, a value, an input or an output."""

    __slots__ = (
        "enum",
        "event_header",
        "event_payload",
        "flattened",
        "host_label",
        "json_value",
        "location",
        "namespace",
        "query_name",
        "result_wrapper",
        "shape",
        "streaming",
        "timestamp_format",
        "wire_name",
        "xml_attribute",
    )

    def __init__(self, shape: Shape, raw: Raw) -> None:
        target = shape.raw

        def trait(name: str) -> Any:
            return raw.get(name, target.get(name))

        self.shape = shape
        # The name of a structure is that of a document's root; members do not take it over.
        root = shape.kind == "structure"
        self.wire_name: str | None = raw.get("locationName") if root else trait("locationName")
        self.query_name: str | None = trait("queryName")
        self.location: str | None = trait("location")
        self.flattened = bool(trait("flattened"))
        self.timestamp_format: str | None = trait("timestampFormat")
        self.json_value = bool(trait("jsonvalue"))
        self.streaming = bool(trait("streaming"))
        self.host_label = bool(trait("hostLabel"))
        self.xml_attribute = bool(trait("xmlAttribute"))
        self.event_header = bool(trait("eventheader"))
        self.event_payload = bool(trait("eventpayload"))
        self.result_wrapper: str | None = trait("resultWrapper")
        self.enum: tuple[str, ...] = tuple(trait("enum") or ())
        namespace = trait("xmlNamespace")
        if isinstance(namespace, str):
            namespace = {"uri": namespace}
        self.namespace: Mapping[str, str] | None = namespace

    def __repr__(self) -> str:
        return f"<Ref {self.shape.name}>"


class Shape:
    """A type of the model. `kind` is botocore's: structure, list, map, string, blob, integer, timestamp, …"""

    def __init__(self, name: str, raw: Raw, shapes: Shapes) -> None:
        self.name = name
        self.raw = raw
        self.kind: str = raw["type"]
        self._shapes = shapes

    @cached_property
    def members(self) -> dict[str, Ref]:
        """The members of a structure, in the model's order."""
        return {name: self._shapes.ref(raw) for name, raw in self.raw.get("members", {}).items()}

    @cached_property
    def element(self) -> Ref:
        """The elements of a list."""
        return self._shapes.ref(self.raw["member"])

    @cached_property
    def key(self) -> Ref:
        """The keys of a map."""
        return self._shapes.ref(self.raw["key"])

    @cached_property
    def value(self) -> Ref:
        """The values of a map."""
        return self._shapes.ref(self.raw["value"])

    @property
    def root_name(self) -> str:
        """The name of the root of a document that is a value of this shape."""
        name: str = self.raw.get("locationName") or self.name
        return name

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(self.raw.get("required", ()))

    @property
    def payload(self) -> str | None:
        """The member that is the whole HTTP body, for REST protocols."""
        name: str | None = self.raw.get("payload")
        return name

    @property
    def minimum(self) -> int | float | None:
        bound: int | float | None = self.raw.get("min")
        return bound

    @property
    def maximum(self) -> int | float | None:
        bound: int | float | None = self.raw.get("max")
        return bound

    @property
    def pattern(self) -> str | None:
        pattern: str | None = self.raw.get("pattern")
        return pattern

    @property
    def is_document(self) -> bool:
        return bool(self.raw.get("document"))

    @property
    def is_union(self) -> bool:
        return bool(self.raw.get("union"))

    @property
    def is_sparse(self) -> bool:
        return bool(self.raw.get("sparse"))

    @property
    def is_exception(self) -> bool:
        return bool(self.raw.get("exception"))

    @property
    def is_event_stream(self) -> bool:
        return bool(self.raw.get("eventstream"))

    @property
    def error(self) -> Raw:
        """What the model says of an exception: code, httpStatusCode, senderFault."""
        error: Raw = self.raw.get("error", {})
        return error

    @cached_property
    def event_stream(self) -> str | None:
        """The member that is an event stream, if there is one."""
        return next((name for name, ref in self.members.items() if ref.shape.is_event_stream), None)

    def __repr__(self) -> str:
        return f"<Shape {self.name}: {self.kind}>"


class Shapes:
    """All shapes of a service by name; each is unpacked when it is first used."""

    def __init__(self, packed: Mapping[str, bytes]) -> None:
        self._packed = packed
        self._shapes: dict[str, Shape] = {}

    def __getitem__(self, name: str) -> Shape:
        try:
            return self._shapes[name]
        except KeyError:
            shape = self._shapes[name] = Shape(name, msgspec.msgpack.decode(self._packed[name]), self)
            return shape

    def __iter__(self) -> Iterator[str]:
        return iter(self._packed)

    def ref(self, raw: Raw) -> Ref:
        """Return the use of a shape that a reference of the model describes."""
        return Ref(self[raw["shape"]], raw)
