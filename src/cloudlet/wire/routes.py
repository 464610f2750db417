"""REST routes: a tree of path templates, and what tells operations with the same path apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cloudlet.wire.http import HttpRequest

if TYPE_CHECKING:
    from cloudlet.wire.model import ServiceModel
    from cloudlet.wire.operation import Operation

_LABEL: Final = re.compile(r"\{[^{}+]+(\+?)\}")
_ANYWHERE: Final = "@connections"
"""API Gateway's callbacks are below a stage's path, whatever that is."""


class Route:
    """An operation at a path, with what its requests must have in query string and headers."""

    __slots__ = ("deprecated", "headers", "literal", "name", "query", "static")

    def __init__(self, operation: Operation, literal: int) -> None:
        self.name = operation.name
        self.literal = literal
        self.deprecated = bool(operation.raw.get("deprecated"))
        static = operation.uri.partition("?")[2]
        pairs = [part.partition("=") for part in static.split("&") if part]
        self.static = {name: value if equals else None for name, equals, value in pairs}
        self.query: list[str] = []
        self.headers: list[str] = []
        shape = operation.input_shape
        if shape is not None:
            for name in shape.required:
                ref = shape.members[name]
                wire = ref.wire_name or name
                if ref.location == "querystring" and ref.shape.kind != "map":
                    self.query.append(wire)
                elif ref.location == "header":
                    self.headers.append(wire.lower())

    def score(self, query: Mapping[str, str], headers: dict[str, str]) -> tuple[int, int, int, bool] | None:
        """Return how well a request fits, or None if it cannot be for this operation."""
        for name, value in self.static.items():
            if name not in query or (value is not None and query[name] != value):
                return None
        present = 0
        for name in self.query:
            present += name in query
        for name in self.headers:
            present += name in headers
        return len(self.static), present - len(self.query) - len(self.headers), present, not self.deprecated


class Node:
    """A place in the tree of paths."""

    __slots__ = ("_chosen", "greedy", "label", "literals", "routes")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.label: Node | None = None
        self.greedy: Node | None = None
        self.routes: dict[str, list[Route]] = {}
        self._chosen: dict[str, tuple[list[str], dict[tuple[bool, ...], tuple[str, int] | None]]] = {}
        """By method: the headers that tell operations apart, and what was chosen by which of them are there."""

    def choose(self, method: str, query: Mapping[str, str], headers: dict[str, str]) -> tuple[str, int] | None:
        """Return the operation that fits a request for this place best."""
        if query:
            return self._best(method, query, headers)
        known = self._chosen.get(method)
        if known is None:
            if method not in self.routes:
                return None
            names = sorted({name for route in self.routes[method] if not route.static for name in route.headers})
            known = self._chosen[method] = names, {}
        names, chosen = known
        there = tuple([name in headers for name in names])
        if there not in chosen:
            chosen[there] = self._best(method, query, headers)
        return chosen[there]

    def _best(self, method: str, query: Mapping[str, str], headers: dict[str, str]) -> tuple[str, int] | None:
        best: tuple[tuple[int, int, int, bool], Route] | None = None
        for route in self.routes.get(method, ()):
            score = route.score(query, headers)
            if score is not None and (best is None or score > best[0]):
                best = score, route
        if best is None:
            return None
        route = best[1]
        if query and not route.static and any(name in query for name in self._subresources()):
            # The request is about a part of the resource, and this method does not exist for it.
            return None
        return route.name, route.literal

    def _subresources(self) -> set[str]:
        return {
            name
            for routes in self.routes.values()
            for route in routes
            for name, value in route.static.items()
            if value is None
        }


class Router:
    """The routes of a service."""

    def __init__(self, service: ServiceModel) -> None:
        self._root = Node()
        self._anywhere = False
        for operation in service.operations.values():
            self._add(operation)

    def _add(self, operation: Operation) -> None:
        node, literal = self._root, 0
        for segment in split_path(operation.uri.partition("?")[0].rstrip("/")):
            label = _LABEL.fullmatch(segment)
            if label is None:
                literal += 1
                self._anywhere = self._anywhere or segment == _ANYWHERE
                node = node.literals.setdefault(segment, Node())
            elif label[1]:
                node.greedy = node.greedy or Node()
                node = node.greedy
            else:
                node.label = node.label or Node()
                node = node.label
        node.routes.setdefault(operation.http_method, []).append(Route(operation, literal))

    def find(self, request: HttpRequest) -> tuple[str, int] | None:
        """Return the operation that a request is for, and how many segments of its path are literal."""
        segments = split_path(request.path)
        if self._anywhere and _ANYWHERE in segments:
            segments = segments[segments.index(_ANYWHERE) :]
        query = _query(request.query)
        return self._walk(self._root, segments, 0, request.method, query, request.headers)

    def _walk(
        self,
        node: Node,
        segments: list[str],
        position: int,
        method: str,
        query: Mapping[str, str],
        headers: dict[str, str],
    ) -> tuple[str, int] | None:
        if position == len(segments):
            return node.choose(method, query, headers)
        segment = segments[position]
        below = node.literals.get(segment)
        if below is not None:
            found = self._walk(below, segments, position + 1, method, query, headers)
            if found is not None:
                return found
        if node.label is not None and segment:
            found = self._walk(node.label, segments, position + 1, method, query, headers)
            if found is not None:
                return found
        # One slash at the end means nothing, except as the end of a key, which a greedy label keeps for itself.
        if not segment and position == len(segments) - 1:
            return node.choose(method, query, headers)
        if node.greedy is None:
            return None
        if node.greedy.literals:
            # What is said to follow the greedy label is not a part of it.
            for end in range(len(segments) - 1, position, -1):
                found = self._walk(node.greedy, segments, end, method, query, headers)
                if found is not None:
                    return found
        return self._walk(node.greedy, segments, len(segments), method, query, headers)


def split_path(path: str) -> list[str]:
    """Return the segments of a path; the one slash before the first is the template's."""
    return (path[1:] if path.startswith("/") else path).split("/")


def _query(text: str) -> dict[str, str]:
    query = {}
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            query[name] = value
    return query
