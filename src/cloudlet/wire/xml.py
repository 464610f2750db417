"""XML: documents read with bounds, results written by joining strings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from xml.parsers import expat

from cloudlet.wire import xml_columns
from cloudlet.wire.errors import InvalidResult
from cloudlet.wire.scalars import NotConvertible, from_text, to_text
from cloudlet.wire.shapes import Ref, Shape
from cloudlet.wire.trees import unexpected
from cloudlet.wire.xml_text import escape, escape_many, escape_many_readable, escape_readable

MAX_DEPTH: Final = 128
MAX_ELEMENTS: Final = 200_000
"""Each takes some hundred bytes of memory. The largest that has a use are 10,000 parts of an upload, with checksums."""

_WRITTEN_VALUES: Final = 64


class MalformedXml(ValueError):
    """A document that is not well-formed, or has what is not accepted: a DTD, very deep nesting, very many elements."""


class Element:
    """An element of a document, with namespace prefixes taken off names."""

    __slots__ = ("attributes", "children", "name", "parts")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.parts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.parts)


def parse_document(data: bytes) -> Element:
    """Return the root of a document; raise `MalformedXml` if it cannot be read."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    root = Element("", {})
    stack = [root]
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS:
            raise MalformedXml("the document has too many elements")
        if len(stack) > MAX_DEPTH:
            raise MalformedXml("the document is nested too deeply")
        element = Element(name.rpartition(":")[2], attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(name: str) -> None:
        stack.pop()

    def text(content: str) -> None:
        stack[-1].parts.append(content)

    def refuse(*_: Any) -> None:
        raise MalformedXml("a document type is not accepted")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeError, LookupError) as error:
        raise MalformedXml(str(error)) from None
    return root.children[0]


Read = Callable[[Element], Any]


class XmlReader:
    """Compiles shapes to functions that read parameters from elements."""

    def __init__(self) -> None:
        self._compiled: dict[str, Read] = {}

    def structure(self, members: Mapping[str, Ref]) -> Read:
        """Return the function that reads some of the members of a structure."""
        children: dict[str, tuple[str, Read, bool]] = {}
        attributes: dict[str, tuple[str, Any]] = {}
        for name, ref in members.items():
            wire = ref.wire_name or name
            if ref.xml_attribute:
                attributes[wire.rpartition(":")[2]] = (name, from_text(ref))
            elif ref.flattened and ref.shape.kind == "list":
                read = self.value(ref.shape.element)
                children[wire.rpartition(":")[2]] = (name, read, True)
                if ref.shape.element.wire_name:
                    children.setdefault(ref.shape.element.wire_name, (name, read, True))
            elif ref.flattened and ref.shape.kind == "map":
                children[wire.rpartition(":")[2]] = (name, self._entry(ref.shape), True)
            else:
                children[wire.rpartition(":")[2]] = (name, self.value(ref), False)
        maps = {name for name, ref in members.items() if ref.shape.kind == "map"}

        def read_structure(element: Element) -> dict[str, Any]:
            result: dict[str, Any] = {}
            for child in element.children:
                found = children.get(child.name)
                if found is None:
                    continue
                name, read, repeated = found
                if not repeated:
                    result[name] = read(child)
                elif name in maps:
                    key, value = read(child)
                    result.setdefault(name, {})[key] = value
                else:
                    result.setdefault(name, []).append(read(child))
            if attributes:
                for raw, text in element.attributes.items():
                    if raw.startswith("xmlns"):
                        continue
                    known = attributes.get(raw.rpartition(":")[2])
                    if known is not None:
                        result[known[0]] = known[1](text)
            return result

        return read_structure

    def value(self, ref: Ref) -> Read:
        """Return the function that reads the element of one value."""
        shape = ref.shape
        if shape.kind not in ("structure", "list", "map"):
            read_text = from_text(ref)

            def read_scalar(element: Element) -> Any:
                if element.children:
                    raise NotConvertible(element.name)
                return read_text(element.text)

            return read_scalar
        if shape.name in self._compiled:
            return self._compiled[shape.name]
        compiled, name = self._compiled, shape.name
        # While the shape is being compiled, whatever contains it again reads through this.
        compiled[name] = lambda element: compiled[name](element)
        if shape.kind == "structure":
            read = self.structure(shape.members)
        elif shape.kind == "list":
            read = self._list(shape)
        else:
            read = self._map(shape)
        compiled[name] = read
        return read

    def _list(self, shape: Shape) -> Read:
        name, read = shape.element.wire_name or "member", self.value(shape.element)
        return lambda element: [read(child) for child in element.children if child.name == name]

    def _map(self, shape: Shape) -> Read:
        read = self._entry(shape)
        return lambda element: dict(read(child) for child in element.children if child.name == "entry")

    def _entry(self, shape: Shape) -> Read:
        key_name, value_name = shape.key.wire_name or "key", shape.value.wire_name or "value"
        read_key, read_value = self.value(shape.key), self.value(shape.value)

        def read_entry(element: Element) -> tuple[Any, Any]:
            key = value = None
            for child in element.children:
                if child.name == key_name:
                    key = read_key(child)
                elif child.name == value_name:
                    value = read_value(child)
            if key is None or value is None:
                raise NotConvertible(element.name)
            return key, value

        return read_entry


Write = Callable[[Any], str]
NameOf = Callable[[Ref, str], str]


class XmlWriter:
    """Compiles shapes to functions that return the XML of results.

    `name_of` gives the name of the element of a use of a shape, or its default. What XML cannot hold is written as a
    reference, as S3 does, which most parsers refuse; or, `readable`, as U+FFFD.
    """

    def __init__(self, name_of: NameOf, *, readable: bool) -> None:
        self._name_of = name_of
        self._escape = escape_readable if readable else escape
        self._escape_many = escape_many_readable if readable else escape_many
        self._contents: dict[str, Write] = {}

    def structure(self, shape: Shape, members: Mapping[str, Ref]) -> Write:
        """Return the function that writes the elements of some of the members of a structure."""
        table = {
            name: _nothing if ref.xml_attribute else self.value(ref, self._name_of(ref, name))
            for name, ref in members.items()
        }
        names = table.keys()

        def write_structure(value: Any) -> str:
            # A plain dictionary is known at once; asking whether something is a Mapping takes longer than writing it.
            if type(value) is not dict and not isinstance(value, Mapping):
                raise unexpected(shape, value)
            if not value.keys() <= names:
                unknown = ", ".join(map(repr, value.keys() - names))
                raise InvalidResult(f"{shape.name} has no member {unknown}")
            return "".join([table[name](item) for name, item in value.items() if item is not None])

        return write_structure

    def value(self, ref: Ref, name: str) -> Write:
        """Return the function that writes a value in an element of that name, or in several if it is flattened."""
        shape = ref.shape
        if shape.kind == "structure":
            return self.element(ref.shape, name, namespace_of(ref))
        if shape.kind == "list":
            return self._list(ref, name)
        if shape.kind == "map":
            return self._map(ref, name)
        text = to_text(ref)
        opening, closing = _tags(ref, name)
        if shape.kind != "string":
            # Numbers, dates, booleans and base64 have nothing to escape.
            return lambda value: f"{opening}{text(value)}{closing}"

        escape = self._escape
        # What has one of a few values is mostly written already.
        written = {each: f"{opening}{escape(each)}{closing}" for each in ref.enum[:_WRITTEN_VALUES]}

        def write_string(value: Any) -> str:
            plain = value if type(value) is str else text(value)
            return written.get(plain) or f"{opening}{escape(plain)}{closing}"

        return write_string

    def element(self, shape: Shape, name: str, namespace: str, members: Mapping[str, Ref] | None = None) -> Write:
        """Return the function that writes a structure, or some of its members, in an element of that name."""
        attributes = [
            (member, f' {attribute.wire_name or member}="', to_text(attribute))
            for member, attribute in shape.members.items()
            if attribute.xml_attribute
        ]
        escape = self._escape
        opening, closing = f"<{name}{namespace}", f"</{name}>"
        content: list[Write] = [] if members is None else [self.structure(shape, members)]

        def write_element(value: Any) -> str:
            if not content:
                content.append(self._content(shape))
            given = ""
            if attributes and isinstance(value, Mapping):
                given = "".join(
                    f'{start}{escape(text(value[member]))}"'
                    for member, start, text in attributes
                    if value.get(member) is not None
                )
            return f"{opening}{given}>{content[0](value)}{closing}"

        return write_element

    def _content(self, shape: Shape) -> Write:
        # Compiled when it is first written, which is also what lets a shape contain itself.
        if shape.name not in self._contents:
            self._contents[shape.name] = self.structure(shape, shape.members)
        return self._contents[shape.name]

    def _list(self, ref: Ref, name: str) -> Write:
        shape = ref.shape
        if ref.flattened:
            opening, closing, element_name = "", "", name
        else:
            opening, closing = _tags(ref, name)
            element_name = self._name_of(shape.element, "member")
        write, empty = self.value(shape.element, element_name), f"<{element_name}/>"
        write_rows = self._rows(shape.element, element_name)

        def write_list(value: Any) -> str:
            if not isinstance(value, list | tuple):
                raise unexpected(shape, value)
            if len(value) >= xml_columns.FEWEST and write_rows is not None:
                try:
                    return f"{opening}{write_rows(value)}{closing}"
                except xml_columns.Unlike:
                    pass
            return f"{opening}{''.join([empty if item is None else write(item) for item in value])}{closing}"

        return write_list

    def _rows(self, ref: Ref, name: str) -> Callable[[Sequence[Any]], str] | None:
        """Return the function that writes many structures that are alike, where they can be."""
        shape = ref.shape
        if shape.kind != "structure" or any(member.xml_attribute for member in shape.members.values()):
            return None
        opening, closing = _tags(ref, name)
        columns: dict[str, xml_columns.Column] = {}

        def write_rows(rows: Sequence[Any]) -> str:
            if not columns:
                columns.update((name, self._column(ref, name)) for name, ref in shape.members.items())
            return xml_columns.written(rows, columns, opening, closing)

        return write_rows

    def _column(self, ref: Ref, default: str) -> xml_columns.Column:
        kind, name = ref.shape.kind, self._name_of(ref, default)
        if kind in ("structure", "list", "map"):
            return xml_columns.Column("", xml_columns.elements(self.value(ref, name)), "")
        opening, closing = _tags(ref, name)
        if kind == "string":
            return xml_columns.Column(opening, xml_columns.strings(self._escape_many), closing)
        return xml_columns.Column(opening, xml_columns.scalars(to_text(ref)), closing)

    def _map(self, ref: Ref, name: str) -> Write:
        shape = ref.shape
        if ref.flattened:
            opening, closing = "", ""
            entry, entry_end = f"<{name}>", f"</{name}>"
        else:
            opening, closing = _tags(ref, name)
            entry, entry_end = "<entry>", "</entry>"
        write_key = self.value(shape.key, self._name_of(shape.key, "key"))
        write_value = self.value(shape.value, self._name_of(shape.value, "value"))

        def write_map(value: Any) -> str:
            if not isinstance(value, Mapping):
                raise unexpected(shape, value)
            entries = [
                f"{entry}{write_key(key)}{write_value(item)}{entry_end}"
                for key, item in value.items()
                if item is not None
            ]
            return f"{opening}{''.join(entries)}{closing}"

        return write_map


def _tags(ref: Ref, name: str) -> tuple[str, str]:
    return f"<{name}{namespace_of(ref)}>", f"</{name}>"


def _nothing(_: Any) -> str:
    return ""


def namespace_of(ref: Ref) -> str:
    """Return the namespace declaration of an element, as it stands in its tag."""
    namespace = ref.namespace
    if namespace is None:
        return ""
    prefix = namespace.get("prefix")
    return f' xmlns{":" + prefix if prefix else ""}="{escape(namespace["uri"])}"'


def wire_name(ref: Ref, default: str) -> str:
    """Return the name of an element in plain XML."""
    return ref.wire_name or default
