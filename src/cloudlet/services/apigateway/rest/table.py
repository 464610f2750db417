"""Which resource a path is for. Developer guide, "Set up API resources for REST APIs".

What is said literally goes before a variable, that before a greedy one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Node(Generic[T]):
    """What follows a part of a path."""

    __slots__ = ("greedy", "literal", "resource", "variable")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[T]] = {}
        self.variable: tuple[str, _Node[T]] | None = None
        self.greedy: tuple[str, T] | None = None
        """The variable that takes all that follows, and its resource."""
        self.resource: T | None = None


class Router(Generic[T]):
    """The resources of a deployed API that have methods."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, path: str, resource: T) -> None:
        """Add a resource by its path, which was checked."""
        node = self._root
        for part in path.strip("/").split("/") if path != "/" else ():
            if part.endswith("+}"):
                node.greedy = (part[1:-2], resource)
                return
            if part.startswith("{"):
                node.variable = node.variable or (part[1:-1], _Node())
                node = node.variable[1]
            else:
                node = node.literal.setdefault(part, _Node())
        node.resource = resource

    def find(self, path: str, fits: Callable[[T], bool] = lambda _: True) -> tuple[T, dict[str, str]] | None:
        """Return the resource for a path, which begins with a slash, and the values of its variables.

        One that does not fit, as it has not the method, leaves the path to those that are less literal.
        """
        bare = path[1:]
        return self._find(self._root, bare.split("/") if bare else (), 0, {}, fits)

    def _find(
        self, node: _Node[T], parts: Sequence[str], at: int, variables: dict[str, str], fits: Callable[[T], bool]
    ) -> tuple[T, dict[str, str]] | None:
        # A slash at the end makes no other resource.
        if at == len(parts) or (at == len(parts) - 1 and not parts[at]):
            return None if node.resource is None or not fits(node.resource) else (node.resource, variables)
        part = parts[at]
        following = node.literal.get(part)
        found = None if following is None else self._find(following, parts, at + 1, variables, fits)
        if found is None and node.variable is not None and part:
            name, below = node.variable
            found = self._find(below, parts, at + 1, {**variables, name: part}, fits)
        if found is None and node.greedy is not None:
            name, resource = node.greedy
            if fits(resource):
                return resource, {**variables, name: "/".join(parts[at:])}
        return found
