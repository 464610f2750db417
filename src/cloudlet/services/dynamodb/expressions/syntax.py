"""The tree that an expression's text becomes, before its placeholders are filled in.

Trees depend on the text alone, so they can be remembered for the next request with the same text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Comparator = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class PathSyntax:
    """A document path; elements are names as they were written (`a`, `#a`) and positions."""

    elements: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A `:value`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function, known or not."""

    function: str
    operands: tuple[Operand, ...]


Operand: TypeAlias = "PathSyntax | Placeholder | Call"


@dataclass(frozen=True, slots=True)
class Comparison:
    comparator: Comparator
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    lower: Operand
    upper: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    members: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: ConditionSyntax


@dataclass(frozen=True, slots=True)
class And:
    conditions: tuple[ConditionSyntax, ...]


@dataclass(frozen=True, slots=True)
class Or:
    conditions: tuple[ConditionSyntax, ...]


ConditionSyntax: TypeAlias = "Comparison | Between | In | Call | Not | And | Or"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A sum or a difference in an update."""

    operator: Literal["+", "-"]
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class SetAction:
    path: PathSyntax
    value: Operand | Arithmetic


@dataclass(frozen=True, slots=True)
class RemoveAction:
    path: PathSyntax


@dataclass(frozen=True, slots=True)
class SetOperation:
    """ADD or DELETE."""

    operator: Literal["ADD", "DELETE"]
    path: PathSyntax
    value: Placeholder


Action: TypeAlias = "SetAction | RemoveAction | SetOperation"
