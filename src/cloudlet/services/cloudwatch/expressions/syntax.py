"""What an expression is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A string, an argument of some functions."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of a query, or a word that a function knows, as DESC."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function of some arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """Several series: `[m1, m2]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """`-m1`."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and an operator: `+ - * / ^ == != < <= > >= AND OR`."""

    operator: str
    left: Node
    right: Node


Node = Number | Text | Name | Call | Array | Negation | Operation


def children(node: Node) -> tuple[Node, ...]:
    """Return the parts of a node."""
    if isinstance(node, Call):
        return node.arguments
    if isinstance(node, Array):
        return node.items
    if isinstance(node, Negation):
        return (node.operand,)
    if isinstance(node, Operation):
        return (node.left, node.right)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(children(one)))
