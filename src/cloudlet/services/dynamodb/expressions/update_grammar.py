"""The grammar of updates: SET, REMOVE, ADD and DELETE, each once.

Developer Guide, "Using update expressions in DynamoDB".
"""

from __future__ import annotations

from typing import Literal

from cloudlet.services.dynamodb.expressions.parser import Parser
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem
from cloudlet.services.dynamodb.expressions.remembering import remembered
from cloudlet.services.dynamodb.expressions.syntax import (
    Action,
    Arithmetic,
    Operand,
    Placeholder,
    RemoveAction,
    SetAction,
    SetOperation,
)


@remembered
def update_syntax(text: str) -> tuple[Action, ...]:
    """Return the actions of an update, in the order of the text. Raises ExpressionProblem."""
    return _UpdateParser(text).read()


class _UpdateParser:
    def __init__(self, text: str) -> None:
        self._parser = Parser(text)

    def read(self) -> tuple[Action, ...]:
        parser = self._parser
        sections: set[str] = set()
        repeated = None
        actions: list[Action] = []
        while parser.token.kind != "end":
            section = parser.token.keyword
            if not parser.follows("SET", "REMOVE", "ADD", "DELETE"):
                raise parser.unexpected()
            if section in sections:
                repeated = repeated or section
            sections.add(section)
            parser.take()
            actions.append(self._action(section))
            while parser.accept(","):
                actions.append(self._action(section))
        parser.finish()
        if repeated is not None:
            raise ExpressionProblem(f'The "{repeated}" section can only be used once in an update expression;')
        return tuple(actions)

    def _action(self, section: str) -> Action:
        path = self._parser.path()
        if section == "SET":
            self._parser.expect("=")
            return SetAction(path, self._set_value())
        if section == "REMOVE":
            return RemoveAction(path)
        operator: Literal["ADD", "DELETE"] = "ADD" if section == "ADD" else "DELETE"
        return SetOperation(operator, path, Placeholder(self._parser.expect_kind(":value").text))

    def _set_value(self) -> Operand | Arithmetic:
        """Read what an attribute is set to; parentheses may stand around all of it and around each operand."""
        parser = self._parser
        opened = 0
        while parser.accept("("):
            opened += 1
        left = parser.operand()
        closed = self._close(opened)
        if not parser.follows("+", "-"):
            if closed < opened:
                raise parser.unexpected()
            return left
        parser.count_operator()
        operator: Literal["+", "-"] = "+" if parser.take().text == "+" else "-"
        value = Arithmetic(operator, left, self._right_operand())
        if self._close(opened - closed) < opened - closed:
            raise parser.unexpected()
        return value

    def _close(self, opened: int) -> int:
        """Read closing parentheses, as many as are open at most; return how many there were."""
        closed = 0
        while closed < opened and self._parser.accept(")"):
            closed += 1
        if closed > 1:
            self._parser.note_redundant_parentheses()
        return closed

    def _right_operand(self) -> Operand:
        opened = 0
        while self._parser.accept("("):
            opened += 1
        operand = self._parser.operand()
        if self._close(opened) < opened:
            raise self._parser.unexpected()
        return operand
