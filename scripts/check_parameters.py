"""Finds the parameters of operations that no code of their block reads: accepted and ignored, they would be lies.

    python scripts/check_parameters.py             fails where scripts/parameters.toml does not say why one is not read
    python scripts/check_parameters.py --echoed    lists those that are kept and shown again, as far as can be told

A member of an operation's own input is read where its name occurs as a string in what the operation's handler may
call; a member of a structure within, also where it does in what the block's jobs may call. The keys of dictionaries
that functions make are no such strings: those are answers, and calls to other blocks. What goes by no name (a structure
that is kept whole) is not seen: it is listed, with the reason.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from cloudlet.core.kernel.cloud import list_blocks
from cloudlet.core.kernel.service import Service
from cloudlet.wire import load
from cloudlet.wire.shapes import Shape

LISTED: Final = Path(__file__).with_name("parameters.toml")

Members = dict[tuple[str, str], list[str]]
"""Operation or shape, and member → the operations that take it."""


def strings_in(node: ast.AST) -> set[str]:
    """Return the strings in a piece of code, but for the keys of the dictionaries that it makes."""
    keys = {id(key) for each in ast.walk(node) if isinstance(each, ast.Dict) for key in each.keys}
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in keys
    }


class Block:
    """The sources of a block, and what its handlers may call."""

    def __init__(self, name: str, module: str) -> None:
        self.name = name
        self.service: Service = importlib.import_module(module).service
        self._packages = (module.rpartition(".")[0], "cloudlet.core")
        folder = Path(str(sys.modules[module].__file__)).parent
        self.trees = [ast.parse(file.read_text()) for file in sorted(folder.rglob("*.py"))]

    @functools.cached_property
    def beside(self) -> set[str]:
        """The strings in what goes on beside operations: jobs, and the requests to applications."""
        return self.strings_of(*self.service.jobs, self.service.web)

    def strings_of(self, *functions: Callable[..., Any] | None) -> set[str]:
        """Return the strings in some functions, and in what they may call."""
        found: set[str] = set()
        seen: dict[int, Any] = {}
        waiting: list[Any] = list(functions)
        while waiting:
            thing = waiting.pop()
            if id(thing) in seen:
                continue
            seen[id(thing)] = thing
            if isinstance(thing, str):
                found.add(thing)
            elif isinstance(thing, FunctionType):
                if thing.__module__.startswith(self._packages):
                    found |= _strings_of_function(thing)
                    waiting += self._named_in(thing)
            elif inspect.isclass(thing):
                if thing.__module__.startswith(self._packages):
                    # What msgspec reads under names that its fields have not.
                    found |= {*getattr(thing, "__struct_encode_fields__", ())} - set(dir(thing))
                    waiting += (each for name, each in vars(thing).items() if name.startswith("__") or _is_code(each))
            elif not isinstance(thing, ModuleType | Service):
                waiting += _parts(thing)
        return found

    @staticmethod
    def _named_in(function: FunctionType) -> Iterator[Any]:
        """Return what a function names: globals, parts of modules, and what it is closed over."""
        names = _names_in(function.__code__)
        modules = [importlib.import_module(name) for name in names if name.startswith("cloudlet.")]
        known = function.__globals__
        modules += (value for name in names if isinstance(value := known.get(name), ModuleType))
        for name in names:
            yield known.get(name)
            yield from (vars(module).get(name) for module in modules)
        yield from function.__defaults__ or ()
        yield from (function.__kwdefaults__ or {}).values()
        yield from (cell.cell_contents for cell in function.__closure__ or ())
        yield getattr(function, "__wrapped__", None)


def _is_code(value: object) -> bool:
    return isinstance(value, FunctionType | staticmethod | classmethod | property | functools.cached_property)


def _parts(thing: Any) -> Iterable[Any]:
    """Return what an object has in it that may be called or name a member."""
    if isinstance(thing, Mapping):
        return [*thing, *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset):
        return thing
    names = ["__func__", "__self__", "fget", "func", "args", "keywords", "__wrapped__"]
    if type(thing).__module__.startswith("cloudlet."):
        names += (name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))
        names += ("__class__", *getattr(thing, "__dict__", ()))
    return [getattr(thing, name, None) for name in names]


def _names_in(code: CodeType) -> set[str]:
    within = (_names_in(each) for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*within)


@functools.cache
def _functions_of(file: str) -> Mapping[int, list[ast.AST]]:
    """Return the functions of a source file by the lines where they begin, as their code has it."""
    found: dict[int, list[ast.AST]] = defaultdict(list)
    for node in ast.walk(ast.parse(Path(file).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            first = min((each.lineno for each in getattr(node, "decorator_list", ())), default=node.lineno)
            found[min(first, node.lineno)].append(node)
    return found


@functools.cache
def _strings_of_function(function: FunctionType) -> set[str]:
    code = function.__code__
    is_generated = code.co_filename.startswith("<")
    nodes = () if is_generated else _functions_of(code.co_filename)[code.co_firstlineno]
    return set().union(*map(strings_in, nodes))


def unread(block: Block) -> Members:
    """Return the members that nothing reads; what is within one of them is not looked at."""
    found: Members = {}
    for handler in block.service.handlers.values():
        shape = load(handler.model).operations[handler.name].input_shape
        if shape is not None:
            own = block.strings_of(handler.function, block.service.check_request)
            for place, member in _unread(shape, handler.name, own, own | block.beside):
                found.setdefault((place, member), []).append(handler.name)
    return found


def _unread(shape: Shape, operation: str, own: set[str], strings: set[str]) -> Iterator[tuple[str, str]]:
    """Return operation or shape, and member, of what of an input is not among the strings."""
    seen, waiting = {shape.name}, [(shape, operation, own)]
    while waiting:
        outer, place, known = waiting.pop()
        for name, ref in outer.members.items():
            header = (ref.wire_name or name).lower() if ref.location == "header" else name
            if name not in known and header not in known:
                yield place, name
                continue
            inner = _held(ref.shape)
            if inner.name not in seen:
                seen.add(inner.name)
                waiting.append((inner, inner.name, strings))


def _held(shape: Shape) -> Shape:
    """Return what a shape holds, where that is a list or a map, or itself."""
    if shape.kind in ("list", "map"):
        return _held((shape.element if shape.kind == "list" else shape.value).shape)
    return shape


def wrong(block: Block, listed: Path = LISTED) -> Iterator[str]:
    """Return what is wrong with a block, or with what is listed of it: operations or shapes, and members (or `*`)."""
    places: Mapping[str, Mapping[str, str]] = tomllib.loads(listed.read_text()).get(block.name, {})
    known = {(place, pattern) for place, patterns in places.items() for pattern in patterns}
    used = set()
    for (place, member), operations in sorted(unread(block).items()):
        matching = {(place, pattern) for pattern in places.get(place, ()) if fnmatchcase(member, pattern)}
        if not matching:
            yield f"{block.name}: {place}.{member} is read by nothing ({', '.join(operations)})"
        used |= matching
    for place, pattern in sorted(known - used):
        yield f"{block.name}: {place}.{pattern} is listed in {listed.name}, and is read, or not there"


def echoed(block: Block) -> list[str]:
    """Return the members that are kept in a field of a record which is used for nothing but to show it."""
    fields: set[str] = set()
    acting: set[str] = set()
    for tree in block.trees:
        shown = set(_shown(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                targets = [part.target for part in node.body if isinstance(part, ast.AnnAssign)]
                fields |= {each.id for each in targets if isinstance(each, ast.Name)}
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in shown:
                acting.add(node.attr)
    inputs = (load(each.model).operations[each.name].input_shape for each in block.service.handlers.values())
    return sorted({name for shape in inputs if shape for name in shape.members if _snake(name) in fields - acting})


def _shown(tree: ast.AST) -> Iterator[int]:
    """Return the uses of fields that show them under their own names, in a dictionary, or copy them to a record."""
    for node in ast.walk(tree):
        pairs: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.Dict):
            keys = [str(key.value) if isinstance(key, ast.Constant) else "" for key in node.keys]
            pairs = list(zip(keys, node.values, strict=True))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            pairs = [(each.arg or "", each.value) for each in node.keywords]
        for name, value in pairs:
            parts = (part for part in ast.walk(value) if isinstance(part, ast.Attribute))
            yield from (id(part) for part in parts if part.attr == _snake(name))


def _snake(member: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", member).lower()


def main(arguments: list[str]) -> int:
    """Say what is wrong, or what is echoed; return whether anything is wrong."""
    blocks = [Block(name, module) for name, module in list_blocks().items()]
    if arguments == ["--echoed"]:
        for block in blocks:
            print(f"{block.name}: {', '.join(echoed(block))}")
        return 0
    problems = [problem for block in blocks for problem in wrong(block)]
    for problem in problems:
        print(problem)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
