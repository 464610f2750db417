"""What the grammars of all expressions share: a reader of tokens, document paths, and operands."""

from __future__ import annotations

from cloudlet.services.dynamodb.expressions.lexer import Kind, Token, near, tokens
from cloudlet.services.dynamodb.expressions.problems import ExpressionProblem, syntax_error
from cloudlet.services.dynamodb.expressions.syntax import Call, Operand, PathSyntax, Placeholder
from cloudlet.services.dynamodb.item_data.values import DEEPEST

MOST_OPERATORS = 300
LARGEST_INDEX = 2**31 - 1
# AWS has no such limit, but no function takes a call within a call within a call: deeper ones are refused all the same.
_DEEPEST_CALLS = 100


class Parser:
    """Reads the tokens of one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._operators = 0
        self._redundant = False
        self._calls = 0

    # -- tokens

    @property
    def token(self) -> Token:
        """The token that is read next."""
        return self._tokens[self._at]

    @property
    def position(self) -> int:
        """The number of tokens that were read."""
        return self._at

    def take(self) -> Token:
        """Return the next token and go on."""
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def follows(self, *symbols: str) -> bool:
        """Whether the next token is one of these symbols or keywords."""
        return self.token.kind in ("symbol", "name") and self.token.keyword in symbols

    def accept(self, symbol: str) -> bool:
        """Take the next token if it is this symbol or keyword."""
        if self.follows(symbol):
            self._at += 1
            return True
        return False

    def expect(self, symbol: str) -> None:
        """Take a symbol or keyword. Raises ExpressionProblem for anything else."""
        if not self.accept(symbol):
            raise self.unexpected()

    def expect_kind(self, kind: Kind) -> Token:
        """Take a token of a kind. Raises ExpressionProblem for anything else."""
        if self.token.kind != kind:
            raise self.unexpected()
        return self.take()

    def unexpected(self) -> ExpressionProblem:
        """Return the error about the next token, which cannot be where it is."""
        token = self.token
        before = self._tokens[self._at - 1].start if self._at else -1
        after = self._tokens[min(self._at + 1, len(self._tokens) - 1)].stop
        return syntax_error(token.text, near(self._text, before, token.start, after))

    # -- limits

    def count_operator(self) -> None:
        self._operators += 1

    def note_redundant_parentheses(self) -> None:
        self._redundant = True

    def finish(self) -> None:
        """Check that all was read, and what can be checked only now. Raises ExpressionProblem."""
        if self.token.kind != "end":
            raise self.unexpected()
        if self._redundant:
            raise ExpressionProblem("The expression has redundant parentheses;")
        if self._operators > MOST_OPERATORS:
            raise ExpressionProblem(f"The expression contains too many operators; operator count: {MOST_OPERATORS + 1}")

    # -- paths and operands

    def path(self) -> PathSyntax:
        """Read a document path, as `a.#b[2].c`. Raises ExpressionProblem."""
        elements: list[str | int] = [self._name()]
        while True:
            if self.accept("."):
                elements.append(self._name())
            elif self.accept("["):
                elements.append(self._index())
                self.expect("]")
            else:
                break
        if len(elements) > DEEPEST:
            raise ExpressionProblem(
                f"The document path has too many nesting levels; nesting levels: {len(elements)}",
            )
        return PathSyntax(tuple(elements))

    def operand(self) -> Operand:
        """Read a path, a placeholder or a call. Raises ExpressionProblem."""
        token = self.token
        if token.kind == ":value":
            return Placeholder(self.take().text)
        if token.kind == "name" and self._tokens[self._at + 1].text == "(":
            return self._call()
        return self.path()

    def list_of_operands(self) -> tuple[Operand, ...]:
        """Read operands in parentheses, one at least. Raises ExpressionProblem."""
        self.expect("(")
        operands = [self.operand()]
        while self.accept(","):
            operands.append(self.operand())
        self.expect(")")
        return tuple(operands)

    def _call(self) -> Call:
        function = self.take().text
        self._calls += 1
        if self._calls > _DEEPEST_CALLS:
            raise ExpressionProblem(f"The expression is nested too deeply; function: {function}")
        operands = self.list_of_operands()
        self._calls -= 1
        return Call(function, operands)

    def _name(self) -> str:
        if self.token.kind not in ("name", "#name"):
            raise self.unexpected()
        return self.take().text

    def _index(self) -> int:
        digits = self.expect_kind("number").text
        index = int(digits)
        if index > LARGEST_INDEX:
            raise ExpressionProblem(f"List index is not within the allowable range; index: [{digits}]")
        return index
