"""Reads expressions and references of the Velocity Template Language."""

from __future__ import annotations

import re
from collections.abc import Callable

from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.tree import (
    Binary,
    Block,
    Expression,
    Index,
    Interpolated,
    ListOf,
    Literal,
    MapOf,
    Method,
    Property,
    RangeOf,
    Reference,
    Step,
    Unary,
)

DEEPEST = 50
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_BLANK = re.compile(r"\s*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_INTEGER = re.compile(r"\d+")
_TEXTS = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"\\]|\"\"|\\.)*)\"", re.DOTALL)
_OPERATORS = (
    re.compile(r"(\|\||or\b)"),
    re.compile(r"(&&|and\b)"),
    re.compile(r"(==|!=|eq\b|ne\b)"),
    re.compile(r"(<=|>=|<|>|le\b|ge\b|lt\b|gt\b)"),
    re.compile(r"([+-])"),
    re.compile(r"([*/%])"),
)
"""From those that bind loosest to those that bind tightest."""
_SYMBOLS = {
    "or": "||",
    "and": "&&",
    "eq": "==",
    "ne": "!=",
    "le": "<=",
    "ge": ">=",
    "lt": "<",
    "gt": ">",
}
_WORDS = {"true": True, "false": False}
_LONGEST_NUMBER = 18
_MOST_READS = 100_000


class Reads:
    """What is left of the references and expressions that may be read of a template.

    Where one turns out to be none it is text, which is read again: of a template that is made for that, many times.
    """

    def __init__(self) -> None:
        self._left = _MOST_READS

    def take(self) -> None:
        """Raises VtlError where there are none left."""
        self._left -= 1
        if self._left < 0:
            raise VtlError("there are too many expressions in the template")


class ExpressionReader:
    """Reads a text from a place on; `at` is the place that it has come to."""

    def __init__(self, text: str, reads: Reads, template: Callable[[str, int], Block], depth: int = 0) -> None:
        """`template` reads the text in double quotes."""
        self.text = text
        self.at = 0
        self._reads = reads
        self._template = template
        self._depth = depth

    # -- letters

    def blank(self) -> None:
        """Skip white space."""
        match = _BLANK.match(self.text, self.at)
        self.at = self.at if match is None else match.end()

    def looks_at(self, symbol: str) -> bool:
        return self.text.startswith(symbol, self.at)

    def takes(self, symbol: str) -> bool:
        """Skip white space and a symbol, if that is there."""
        before = self.at
        self.blank()
        if self.looks_at(symbol):
            self.at += len(symbol)
            return True
        self.at = before
        return False

    def expect(self, symbol: str) -> None:
        if not self.takes(symbol):
            raise VtlError(f"{symbol} is expected at {self.at}: {self.text[self.at : self.at + 20]!r}")

    # -- expressions

    def expression(self) -> Expression:
        """Read an expression."""
        self._reads.take()
        self._depth += 1
        if self._depth > DEEPEST:
            raise VtlError("the template is nested too deeply")
        try:
            return self._binary(0)
        finally:
            self._depth -= 1

    def _binary(self, level: int) -> Expression:
        if level == len(_OPERATORS):
            return self._unary()
        left = self._binary(level + 1)
        while True:
            before = self.at
            self.blank()
            match = _OPERATORS[level].match(self.text, self.at)
            if match is None:
                self.at = before
                return left
            self.at = match.end()
            left = Binary(_SYMBOLS.get(match[1], match[1]), left, self._binary(level + 1))

    def _unary(self) -> Expression:
        self.blank()
        if self.looks_at("!") and not self.looks_at("!="):
            self.at += 1
            return Unary("!", self._nested(self._unary))
        if re.compile(r"not\b").match(self.text, self.at):
            self.at += 3
            return Unary("!", self._nested(self._unary))
        if self.looks_at("-"):
            self.at += 1
            return Unary("-", self._nested(self._unary))
        return self._primary()

    def _nested(self, read: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise VtlError("the template is nested too deeply")
        try:
            return read()
        finally:
            self._depth -= 1

    def _primary(self) -> Expression:
        self.blank()
        if self.takes("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.looks_at("$"):
            return self.reference(in_text=False)
        if self.looks_at("["):
            return self._list()
        if self.looks_at("{"):
            return self._map()
        if self.looks_at("'") or self.looks_at('"'):
            return self._quoted()
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            return self._number(number[0])
        word = IDENTIFIER.match(self.text, self.at)
        if word is not None and word[0] in _WORDS:
            self.at = word.end()
            return Literal(_WORDS[word[0]])
        raise VtlError(f"an expression is expected at {self.at}: {self.text[self.at : self.at + 20]!r}")

    def _number(self, text: str) -> Literal:
        # A range's dots are none of a number's.
        whole = _INTEGER.match(self.text, self.at)
        if whole is not None and self.text.startswith("..", whole.end()):
            text = whole[0]
        self.at += len(text)
        if text.isdecimal():
            if len(text) > _LONGEST_NUMBER:
                raise VtlError(f"the number {text[:20]}… is too large")
            return Literal(int(text))
        return Literal(float(text))

    def _quoted(self) -> Expression:
        match = _TEXTS.match(self.text, self.at)
        if match is None:
            raise VtlError(f"a text is not closed: {self.text[self.at : self.at + 20]!r}")
        self.at = match.end()
        if match[1] is not None:
            return Literal(match[1].replace("''", "'"))
        content = match[2].replace('""', '"')
        if "$" not in content and "#" not in content:
            return Literal(content)
        return Interpolated(self._template(content, self._depth + 1))

    def _list(self) -> Expression:
        self.expect("[")
        if self.takes("]"):
            return ListOf(())
        items = [self.expression()]
        if self.takes(".."):
            last = self.expression()
            self.expect("]")
            return RangeOf(items[0], last)
        while self.takes(","):
            items.append(self.expression())
        self.expect("]")
        return ListOf(tuple(items))

    def _map(self) -> Expression:
        self.expect("{")
        entries: list[tuple[Expression, Expression]] = []
        if self.takes("}"):
            return MapOf(())
        while True:
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression()))
            if not self.takes(","):
                break
        self.expect("}")
        return MapOf(tuple(entries))

    # -- references

    def reference(self, *, in_text: bool) -> Reference:
        """Read a reference, which begins here. Raises VtlError where none does."""
        self._reads.take()
        start = self.at
        self.at += 1
        is_quiet = self.looks_at("!")
        if is_quiet:
            self.at += 1
        is_formal = self.looks_at("{")
        if is_formal:
            self.at += 1
        name = IDENTIFIER.match(self.text, self.at)
        if name is None:
            raise VtlError(f"a name is expected at {self.at}: {self.text[start : start + 20]!r}")
        self.at = name.end()
        steps = self._steps(in_text=in_text and not is_formal)
        if is_formal:
            self.expect("}")
        return Reference(name[0], steps, is_quiet, self.text[start : self.at])

    def _steps(self, *, in_text: bool) -> tuple[Step, ...]:
        steps: list[Step] = []
        while True:
            if self.looks_at("."):
                name = IDENTIFIER.match(self.text, self.at + 1)
                if name is None:
                    break
                self.at = name.end()
                steps.append(Method(name[0], self.arguments()) if self.looks_at("(") else Property(name[0]))
            elif self.looks_at("["):
                before = self.at
                try:
                    self.at += 1
                    at = self.expression()
                    self.expect("]")
                except VtlError:
                    if not in_text:
                        raise
                    # Text may go on with a bracket that is none of the reference.
                    self.at = before
                    break
                steps.append(Index(at))
            else:
                break
        return tuple(steps)

    def arguments(self) -> tuple[Expression, ...]:
        """Read expressions in parentheses, with commas between them."""
        self.expect("(")
        if self.takes(")"):
            return ()
        result = [self.expression()]
        while self.takes(","):
            result.append(self.expression())
        self.expect(")")
        return tuple(result)

    def spaced_arguments(self) -> tuple[Expression, ...]:
        """Read expressions in parentheses, with spaces or commas between them, as macros have them."""
        self.expect("(")
        result: list[Expression] = []
        while not self.takes(")"):
            if result:
                self.takes(",")
            result.append(self.expression())
        return tuple(result)
