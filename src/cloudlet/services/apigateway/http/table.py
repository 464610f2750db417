"""Which route a request is for. Developer guide, "Create routes for HTTP APIs in API Gateway".

A route that matches the whole path goes before one with a greedy variable, that before $default; what is said
literally before a variable, a method before ANY.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from cloudlet.services.apigateway import route_check

T = TypeVar("T")
Variables = dict[str, str]
_ANY = "ANY"


class _Entry(Generic[T]):
    """A route, and the names of its variables in the order of the path."""

    __slots__ = ("names", "route")

    def __init__(self, route: T, names: tuple[str, ...]) -> None:
        self.route = route
        self.names = names


class _Node(Generic[T]):
    """What follows a part of a path."""

    __slots__ = ("ends", "greedy", "literal", "variable")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[T]] = {}
        self.variable: _Node[T] | None = None
        self.ends: dict[str, _Entry[T]] = {}
        """The routes that end here, by method."""
        self.greedy: dict[str, _Entry[T]] = {}
        """The routes that take all that follows."""


class Router(Generic[T]):
    """The routes of a stage."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._default: T | None = None

    def add(self, route_key: str, route: T) -> None:
        """Add a route by its key, which was checked."""
        if route_key == route_check.DEFAULT:
            self._default = route
            return
        method, segments = route_check.parse(route_key)
        names: list[str] = []
        node = self._root
        for segment in segments:
            if segment.endswith("+}"):
                node.greedy.setdefault(method, _Entry(route, (*names, segment[1:-2])))
                return
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literal.setdefault(segment, _Node())
        node.ends.setdefault(method, _Entry(route, tuple(names)))

    def find(self, method: str, path: str) -> tuple[T, Variables] | None:
        """Return the route for a path, which begins with a slash, and the values of its variables."""
        segments = path[1:].split("/")
        found = self._whole(self._root, method, segments, 0, ()) or self._greedy(self._root, method, segments, 0, ())
        if found is not None:
            entry, values = found
            return entry.route, dict(zip(entry.names, values, strict=True))
        return None if self._default is None else (self._default, {})

    def _whole(
        self, node: _Node[T], method: str, segments: list[str], at: int, values: tuple[str, ...]
    ) -> tuple[_Entry[T], tuple[str, ...]] | None:
        if at == len(segments):
            entry = node.ends.get(method) or node.ends.get(_ANY)
            return None if entry is None else (entry, values)
        segment = segments[at]
        following = node.literal.get(segment)
        found = None if following is None else self._whole(following, method, segments, at + 1, values)
        if found is None and node.variable is not None and segment:
            found = self._whole(node.variable, method, segments, at + 1, (*values, segment))
        return found

    def _greedy(
        self, node: _Node[T], method: str, segments: list[str], at: int, values: tuple[str, ...]
    ) -> tuple[_Entry[T], tuple[str, ...]] | None:
        """Return the route with the longest path before its greedy variable."""
        if at == len(segments):
            return None
        segment = segments[at]
        following = node.literal.get(segment)
        found = None if following is None else self._greedy(following, method, segments, at + 1, values)
        if found is None and node.variable is not None and segment:
            found = self._greedy(node.variable, method, segments, at + 1, (*values, segment))
        if found is None:
            entry = node.greedy.get(method) or node.greedy.get(_ANY)
            rest = "/".join(segments[at:])
            if entry is not None and rest:
                return entry, (*values, rest)
        return found
