"""Form-encoded parameters as a tree: `Tag.1.Key=a` is Tag → 1 → Key → a."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from cloudlet.wire.errors import InvalidRequest
from cloudlet.wire.scalars import NotConvertible, from_text
from cloudlet.wire.shapes import Ref, Shape

MAX_PARAMETERS: Final = 100_000
MAX_DEPTH: Final = 64
_MAX_NODES: Final = 3 * MAX_PARAMETERS
"""Each takes some two hundred bytes, and those with many parts have most of these in common."""
_MAX_INDEX_DIGITS: Final = 9

Node = dict[str, Any]
"""Parts by name; a part is a node, and the value that a name itself has is under the empty name."""

ReadNode = Callable[[Node, str], Any]
NamesOf = Callable[[Ref, str], tuple[str, ...]]


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of a form or a query string, decoded; raise `InvalidRequest` if they are not text."""
    pairs = []
    if text.count("&") >= MAX_PARAMETERS:
        raise InvalidRequest("MalformedQueryString", "The request has too many parameters")
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            if "%" in part or "+" in part:
                name, value = _decoded(name), _decoded(value)
            pairs.append((name, value))
    return pairs


def _decoded(text: str) -> str:
    # ARNs, which most forms have, are coded in this only.
    plain = text.replace("%3A", ":")
    if "%" not in plain and "+" not in plain:
        return plain
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeError:
        raise InvalidRequest("MalformedQueryString", "The query string is not valid UTF-8") from None


def tree_of(pairs: list[tuple[str, str]]) -> Node:
    """Return the tree of some parameters."""
    root: Node = {}
    nodes = 0
    for name, value in pairs:
        node = root
        parts = name.split(".")
        if len(parts) > MAX_DEPTH:
            raise InvalidRequest("MalformedQueryString", "A parameter is nested too deeply")
        for part in parts:
            below = node.get(part)
            if below is None:
                below = node[part] = {}
                nodes += 1
            node = below
        node[""] = value
        if nodes > _MAX_NODES:
            raise InvalidRequest("MalformedQueryString", "The request has too many parts of parameters")
    return root


def numbered(node: Node) -> list[Node]:
    """Return the parts of a list in the order of their numbers."""
    indices = [name for name in node if name.isascii() and name.isdigit() and len(name) <= _MAX_INDEX_DIGITS]
    if len(indices) > 1:
        indices.sort(key=int)
    return [node[index] for index in indices]


class FormReader:
    """Compiles shapes to functions that read parameters from a tree.

    `names_of` gives the names that a use of a shape may have in forms, its own first. `nested_lists` is whether the
    elements of a list that is not flattened are below a name of their own.
    """

    def __init__(self, names_of: NamesOf, *, nested_lists: bool) -> None:
        self._names_of = names_of
        self._nested_lists = nested_lists
        self._compiled: dict[tuple[str, bool], ReadNode] = {}

    def structure(self, shape: Shape) -> ReadNode:
        """Return the function that reads the members of a structure."""
        table: list[tuple[str, str, ReadNode]] = []
        for name, ref in shape.members.items():
            wires = self._names_of(ref, name)
            if self._nested_lists and ref.flattened and ref.shape.kind == "list":
                # A flattened list's elements may have a name that replaces the list's own.
                wires += self._names_of(ref.shape.element, wires[0])
            read = self._read(ref)
            table.extend((wire, name, read) for wire in dict.fromkeys(wires))

        def read_structure(node: Node, path: str) -> dict[str, Any]:
            result: dict[str, Any] = {}
            for wire, name, read in table:
                below = node.get(wire)
                if below is not None and not result.get(name):
                    result[name] = read(below, f"{path}.{wire}" if path else wire)
            return result

        return read_structure

    def _read(self, ref: Ref) -> ReadNode:
        shape = ref.shape
        if shape.kind not in ("structure", "list", "map"):
            return _scalar(ref)
        flattened = ref.flattened or not self._nested_lists
        key = (shape.name, flattened)
        if key in self._compiled:
            return self._compiled[key]
        compiled = self._compiled
        # While the shape is being compiled, whatever contains it again reads through this.
        compiled[key] = lambda node, path: compiled[key](node, path)
        if shape.kind == "structure":
            read = self.structure(shape)
        elif shape.kind == "list":
            read = self._list(shape, flattened)
        else:
            read = self._map(shape, flattened)
        compiled[key] = read
        return read

    def _list(self, shape: Shape, flattened: bool) -> ReadNode:
        element = self._read(shape.element)
        # RDS and its like document both the element's own name and the general one.
        names = () if flattened else dict.fromkeys((*self._names_of(shape.element, "member"), "member"))

        def read_list(node: Node, path: str) -> list[Any]:
            for name in names:
                below = node.get(name)
                if below is not None:
                    return [element(part, f"{path}.{name}") for part in numbered(below)]
            return [element(part, path) for part in numbered(node)]

        return read_list

    def _map(self, shape: Shape, flattened: bool) -> ReadNode:
        key_name, value_name = self._names_of(shape.key, "key")[0], self._names_of(shape.value, "value")[0]
        read_value = self._read(shape.value)

        def read_map(node: Node, path: str) -> dict[str, Any]:
            entries = node if flattened else node.get("entry", {})
            result = {}
            for part in numbered(entries):
                key = part.get(key_name, {}).get("")
                value = part.get(value_name)
                if key is None:
                    raise InvalidRequest("MalformedInput", f"Key is missing in a map at {path}")
                if value is not None:
                    result[key] = read_value(value, path)
            return result

        return read_map


def _scalar(ref: Ref) -> ReadNode:
    read = from_text(ref)

    def read_scalar(node: Node, path: str) -> Any:
        text = node.get("")
        if text is None:
            raise InvalidRequest("MalformedInput", f"Unexpected complex element found at {path}")
        try:
            return read(text)
        except NotConvertible:
            raise InvalidRequest(
                "MalformedInput", f"The value '{text[:200]}' of parameter {path} is not a valid {ref.shape.kind}"
            ) from None

    return read_scalar
