"""Renders templates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from cloudlet.services.apigateway.vtl import methods, reading, values
from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.steps import RUNNING, Steps
from cloudlet.services.apigateway.vtl.tree import (
    Binary,
    Block,
    Break,
    Call,
    Define,
    Expression,
    Foreach,
    If,
    Index,
    Interpolated,
    ListOf,
    Literal,
    Macro,
    MapOf,
    Method,
    Node,
    Property,
    RangeOf,
    Reference,
    Set,
    Stop,
    Text,
    Unary,
)

MOST_TURNS = 1000
"""Of a loop; API Gateway's quota."""
_SHORT = 8 << 10
_DEEPEST = 20
"""So deep macros may use one another."""


class Result(NamedTuple):
    """A rendered text, and the variables that the template has left."""

    text: str
    variables: dict[str, Any]


class _Left(Exception):
    """Ends a loop."""


class _Ended(Exception):
    """Ends the template."""


class Template:
    """A template that was read."""

    def __init__(self, text: str) -> None:
        """Raises VtlError for one that cannot be read."""
        self._block = reading.read(text)

    def render(self, variables: Mapping[str, Any]) -> Result:
        """Return what the template makes of variables. Raises VtlError where it goes too far."""
        steps = Steps()
        run = _Run(dict(variables), steps)
        token = RUNNING.set(steps)
        try:
            run.block(self._block)
        except (_Left, _Ended):
            # What was written so far is the result.
            pass
        except RecursionError as error:
            raise VtlError("the template is nested too deeply") from error
        finally:
            RUNNING.reset(token)
        return Result("".join(run.out), run.variables)


def compiled(text: str) -> Template:
    """Return a template, read once for all its uses. Raises VtlError."""
    return _short(text) if len(text) <= _SHORT else _long(text)


_short = lru_cache(1000)(Template)
_long = lru_cache(20)(Template)
"""One of 300 KB takes up to 15 MB, read."""


class _Run:
    """One rendering."""

    def __init__(self, variables: dict[str, Any], steps: Steps) -> None:
        self.variables = variables
        self.out: list[str] = []
        self._size = 0
        self._step = steps.take
        self._take_for_text = steps.take_for_text
        self._take_for_items = steps.take_for_items
        self._depth = 0
        self._macros: dict[str, Macro] = {}

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > values.LARGEST_TEXT:
            raise VtlError("the result is too large")
        self.out.append(text)

    # -- what a template is made of

    def block(self, block: Block) -> None:
        for node in block:
            self._step()
            self._node(node)

    def _node(self, node: Node) -> None:
        match node:
            case Text():
                self._write(node.text)
            case Reference():
                self._reference(node)
            case Set():
                self._set(node)
            case If():
                self._if(node)
            case Foreach():
                self._foreach(node)
            case Macro():
                self._macros.setdefault(node.name, node)
            case Define():
                self.variables[node.name] = node
            case Call():
                self._call(node)
            case Break():
                raise _Left
            case Stop():
                raise _Ended

    def _reference(self, node: Reference) -> None:
        value = self._value_of(node)
        if value is None:
            if node.escapes:
                self._write("\\" * node.escapes + node.source)
            elif not node.is_quiet:
                self._write(node.source)
            return
        self._write("\\" * (node.escapes // 2))
        self._write(node.source if node.escapes % 2 else values.text(value))

    def _set(self, node: Set) -> None:
        value = self.value(node.value)
        target = node.target
        if value is None:
            return
        if not target.steps:
            self.variables[target.name] = value
            return
        *path, last = target.steps
        holder = self._value_of(Reference(target.name, tuple(path), True, ""))
        if isinstance(last, Property):
            methods.put(holder, last.name, value)
        elif isinstance(last, Index):
            methods.put(holder, self.value(last.at), value)
        else:
            raise VtlError(f"{target.source} cannot be set")

    def _if(self, node: If) -> None:
        for condition, body in node.branches:
            if values.is_true(self.value(condition)):
                self.block(body)
                return
        self.block(node.otherwise)

    def _foreach(self, node: Foreach) -> None:
        items = _items(self.value(node.values))
        names = (node.name, "foreach", "velocityCount")
        before = {name: self.variables[name] for name in names if name in self.variables}
        outer = self.variables.get("foreach")
        count = len(items)
        try:
            for number, item in enumerate(items):
                self._step()
                self.variables[node.name] = item
                self.variables["velocityCount"] = number + 1
                self.variables["foreach"] = {
                    "index": number,
                    "count": number + 1,
                    "hasNext": number + 1 < count,
                    "first": number == 0,
                    "last": number + 1 == count,
                    "parent": outer,
                }
                self.block(node.body)
        except _Left:
            # The loop is over.
            pass
        finally:
            for name in names:
                self.variables.pop(name, None)
            self.variables |= before

    def _call(self, node: Call) -> None:
        macro = self._macros.get(node.name)
        if macro is None:
            self._write(node.source)
            return
        self._depth += 1
        if self._depth > _DEEPEST:
            raise VtlError(f"#{node.name} is used too deeply within itself")
        given = [self.value(argument) for argument in node.arguments]
        before = {name: self.variables[name] for name in macro.parameters if name in self.variables}
        for number, name in enumerate(macro.parameters):
            self.variables.pop(name, None)
            if number < len(given) and given[number] is not None:
                self.variables[name] = given[number]
        self.block(macro.body)
        for name in macro.parameters:
            self.variables.pop(name, None)
        self.variables |= before
        self._depth -= 1

    # -- values

    def value(self, node: Expression) -> Any:
        """Return the value of an expression; None where it has none."""
        self._step()
        match node:
            case Literal():
                return node.value
            case Reference():
                return self._value_of(node)
            case Interpolated():
                return self._rendered(node.block)
            case ListOf():
                return [self.value(item) for item in node.items]
            case MapOf():
                return {self._key(key): self.value(item) for key, item in node.entries}
            case RangeOf():
                return self._range(node)
            case Unary():
                operand = self.value(node.operand)
                if node.operator == "!":
                    return not values.is_true(operand)
                return -operand if values.is_number(operand) else None
            case Binary():
                return self._binary(node)

    def _key(self, node: Expression) -> str:
        return values.text(self.value(node))

    def _rendered(self, block: Block) -> str:
        """Return what a template within this one makes."""
        out, size = self.out, self._size
        self.out, self._size = [], 0
        self._depth += 1
        if self._depth > _DEEPEST:
            raise VtlError("the template is nested too deeply")
        try:
            self.block(block)
            self._take_for_text(self._size)
            return "".join(self.out)
        finally:
            self.out, self._size = out, size
            self._depth -= 1

    def _range(self, node: RangeOf) -> list[int] | None:
        first, last = self.value(node.first), self.value(node.last)
        if not isinstance(first, int) or not isinstance(last, int):
            return None
        if abs(last - first) >= values.LARGEST_LIST:
            raise VtlError("the range is too large")
        self._take_for_items(abs(last - first))
        return list(range(first, last + 1) if first <= last else range(first, last - 1, -1))

    def _binary(self, node: Binary) -> Any:
        left = self.value(node.left)
        match node.operator:
            case "||":
                return values.is_true(left) or values.is_true(self.value(node.right))
            case "&&":
                return values.is_true(left) and values.is_true(self.value(node.right))
        right = self.value(node.right)
        match node.operator:
            case "==":
                return values.equal(left, right)
            case "!=":
                return not values.equal(left, right)
            case "<" | "<=" | ">" | ">=":
                return values.compared(node.operator, left, right)
        result = values.reckoned(node.operator, left, right)
        if isinstance(result, str):
            self._take_for_text(len(result))
        return result

    def _value_of(self, node: Reference) -> Any:
        value = self.variables.get(node.name)
        if isinstance(value, Define):
            value = self._rendered(value.body)
        for step in node.steps:
            self._step()
            if value is None:
                return None
            if isinstance(step, Property):
                value = methods.property_of(value, step.name)
            elif isinstance(step, Method):
                value = methods.called(value, step.name, [self.value(each) for each in step.arguments])
            else:
                value = methods.element(value, self.value(step.at))
        return value


def _items(value: Any) -> list[Any]:
    """Return what a loop goes over."""
    if isinstance(value, list):
        return value[:MOST_TURNS]
    if isinstance(value, dict):
        return list(islice(value.values(), MOST_TURNS))
    return []
