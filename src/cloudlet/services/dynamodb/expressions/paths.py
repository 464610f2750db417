"""Document paths: what is found at one, and which of them exclude each other.

Developer Guide, "Referring to item attributes when using expressions".
"""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem
from cloudlet.services.dynamodb.item_data.values import Item, Path, Value

Tree = dict[str | int, "Tree | None"]
"""Paths that share their beginnings; None is where one ends."""


def find(item: Item, path: Path) -> Value | None:
    """Return the value at a path, or None."""
    value: Value | None = item.get(path[0])  # type: ignore[arg-type]
    for element in path[1:]:
        if value is None:
            return None
        if isinstance(element, str):
            value = value["M"].get(element) if "M" in value else None
        else:
            members = value.get("L", ())
            value = members[element] if element < len(members) else None
    return value


def tree(paths: Iterable[Path]) -> Tree:
    """Return the tree of paths of which none contains another one. Raises ExpressionProblem for others."""
    root: Tree = {}
    seen: list[Path] = []
    for path in paths:
        if not _add(root, path):
            raise _excluded(seen, path)
        seen.append(path)
    return root


def _add(root: Tree, path: Path) -> bool:
    """Add a path; whether it was possible."""
    node = root
    for element in path[:-1]:
        inner = node.setdefault(element, {})
        if inner is None or not _alike(node, element):
            return False
        node = inner
    if path[-1] in node:
        return False
    node[path[-1]] = None
    return _alike(node, path[-1])


def _alike(node: Tree, element: str | int) -> bool:
    """Whether an element is a name among names or a position among positions."""
    return isinstance(next(iter(node)), str) is isinstance(element, str)


def _excluded(seen: list[Path], path: Path) -> ExpressionProblem:
    for other in seen:
        shared = min(len(other), len(path))
        if other[:shared] == path[:shared]:
            return _two_paths("overlap", other, path)
        differing = next(i for i in range(shared) if other[i] != path[i])
        if isinstance(other[differing], str) is not isinstance(path[differing], str):
            return _two_paths("conflict", other, path)
    raise AssertionError(f"{path} excludes none of {seen}")


def _two_paths(how: str, one: Path, two: Path) -> ExpressionProblem:
    return ExpressionProblem(
        f"Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {to_api(one)}, path two: {to_api(two)}"
    )


def to_api(path: Path) -> str:
    """Return a path as AWS's messages show it, as `[a, b, [2]]`."""
    return f"[{', '.join(element if isinstance(element, str) else f'[{element}]' for element in path)}]"
