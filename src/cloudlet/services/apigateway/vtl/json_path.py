"""JSON paths, as `$input.path` and `$input.json` take them: names, places, slices, wildcards, filters
and `..`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from cloudlet.services.apigateway.vtl import steps
from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.json_filter import Filter
from cloudlet.services.apigateway.vtl.values import LARGEST_LIST, JsonArray

_STEP = re.compile(
    r"(?P<deep>\.\.)?(?:\.?(?P<star>\*)|\.?(?P<name>[^.\[\]()'\"*\s]+)(?P<call>\(\))?"
    r"|\.?\[\s*(?:(?P<quoted>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<any>\*)"
    r"|(?P<slice>-?\d{0,9}:-?\d{0,9})|(?P<index>-?\d{1,9})|\?\((?P<filter>[^()]*)\))\s*\])"
)
_LONGEST_PATH = 4096
_FUNCTIONS = ("length", "size")


class _Step(NamedTuple):
    kind: str
    value: Any
    is_deep: bool


@lru_cache(512)
def _compiled(path: str) -> tuple[_Step, ...]:
    if not path.startswith("$"):
        path = f"$.{path}"
    at = 1
    read = []
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match.end() == at:
            raise VtlError(f"the JSON path {path!r} is not supported")
        at = match.end()
        read.append(_step(match))
    return tuple(read)


def _step(match: re.Match[str]) -> _Step:
    deep = match["deep"] is not None
    if match["filter"] is not None:
        return _Step("filter", Filter(match["filter"]), deep)
    if match["star"] or match["any"]:
        return _Step("all", None, deep)
    if match["call"]:
        if match["name"] not in _FUNCTIONS:
            raise VtlError(f"the function {match['name']} of JSON paths is not supported")
        return _Step("length", None, deep)
    if match["name"] is not None:
        return _Step("name", match["name"], deep)
    if match["quoted"] is not None:
        return _Step("name", re.sub(r"\\(.)", r"\1", match["quoted"][1:-1]), deep)
    if match["slice"] is not None:
        first, _, last = match["slice"].partition(":")
        return _Step("slice", slice(int(first) if first else None, int(last) if last else None), deep)
    return _Step("index", int(match["index"]), deep)


def found(document: Any, path: str) -> Any:
    """Return what a path finds: a value, None for nothing, or, where it may find several, an array of them."""
    path = path.strip()
    if len(path) > _LONGEST_PATH:
        raise VtlError("the JSON path is too long")
    nodes = [document]
    is_definite = True
    for step in _compiled(path):
        steps.running().take()
        if step.is_deep:
            nodes = _descendants(nodes)
        is_definite = is_definite and not step.is_deep and step.kind not in ("all", "filter", "slice")
        looked_at, nodes = nodes, []
        for node in looked_at:
            nodes += _taken(node, step)
            if len(nodes) > LARGEST_LIST:
                raise VtlError("the JSON path finds too much")
        steps.running().take_for_items(len(looked_at) + len(nodes))
    if is_definite:
        return nodes[0] if nodes else None
    return JsonArray(nodes)


def _taken(node: Any, step: _Step) -> list[Any]:
    if step.kind == "length":
        return [len(node)] if isinstance(node, (list, dict, str)) else []
    if step.kind == "filter":
        steps.running().take_for_items(step.value.size * (len(node) if isinstance(node, list) else 1))
        return [each for each in (node if isinstance(node, list) else [node]) if step.value.admits(each)]
    if isinstance(node, dict):
        if step.kind == "all":
            return list(node.values())
        return [node[step.value]] if step.kind == "name" and step.value in node else []
    if isinstance(node, list):
        match step.kind:
            case "all":
                return node
            case "slice":
                part: list[Any] = node[step.value]
                return part
            case "index" if -len(node) <= step.value < len(node):
                return [node[step.value]]
    return []


def _descendants(nodes: list[Any]) -> list[Any]:
    result: list[Any] = []
    waiting = list(reversed(nodes))
    while waiting:
        node = waiting.pop()
        result.append(node)
        if len(result) > LARGEST_LIST:
            raise VtlError("the JSON path looks at too much")
        if isinstance(node, dict):
            waiting.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            waiting.extend(reversed(node))
        if len(waiting) > LARGEST_LIST:
            raise VtlError("the JSON path looks at too much")
    steps.running().take_for_items(len(result))
    return result
