"""What templates are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """Text as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a truth value, or text without variables in it."""

    value: Any


@dataclass(frozen=True, slots=True)
class Interpolated:
    """Text in double quotes: a template of its own."""

    block: Block


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class RangeOf:
    """The whole numbers from one to another, both included, in either direction."""

    first: Expression
    last: Expression


@dataclass(frozen=True, slots=True)
class MapOf:
    entries: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class Property:
    name: str


@dataclass(frozen=True, slots=True)
class Method:
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Index:
    at: Expression


Step = Property | Method | Index


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable, and what is looked up in it. `source` is how it is written; `escapes` so many backslashes before."""

    name: str
    steps: tuple[Step, ...]
    is_quiet: bool
    source: str
    escapes: int = 0


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression


Expression = Literal | Interpolated | ListOf | RangeOf | MapOf | Reference | Unary | Binary


@dataclass(frozen=True, slots=True)
class Set:
    """#set: a variable, or something in one, gets a value."""

    target: Reference
    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """#if and #elseif with their conditions; `otherwise` is #else's."""

    branches: tuple[tuple[Expression, Block], ...]
    otherwise: Block


@dataclass(frozen=True, slots=True)
class Foreach:
    name: str
    values: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class Macro:
    """#macro: defines a directive."""

    name: str
    parameters: tuple[str, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Define:
    """#define: a variable gets a template, which is rendered where it is used."""

    name: str
    body: Block


@dataclass(frozen=True, slots=True)
class Call:
    """The use of a macro; written as it is where there is none."""

    name: str
    arguments: tuple[Expression, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Break:
    """#break: leaves the innermost loop, or, outside of any, the template."""


@dataclass(frozen=True, slots=True)
class Stop:
    """#stop, or #return: ends the template."""


Node = Text | Reference | Set | If | Foreach | Macro | Define | Call | Break | Stop
Block = tuple[Node, ...]
