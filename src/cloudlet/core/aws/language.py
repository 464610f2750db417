"""Languages: a grammar, which lark reads (LALR), and what the parts of a text mean.

Lark is imported, and a grammar compiled, when a text of the language is first read. Reading does not recurse, however a
text is nested; brackets within brackets are counted, because what walks through their meaning may well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from lark import Lark, Token

T = TypeVar("T")
_OPENING = frozenset({"LPAR", "LSQB", "LBRACE"})
_CLOSING = frozenset({"RPAR", "RSQB", "RBRACE"})
"""What lark calls brackets."""


class ParseError(ValueError):
    """A text that is not of a language, and which part of it: characters, the end exclusive; empty at its end."""

    def __init__(self, text: str, start: int, end: int, *, is_word: bool = True) -> None:
        super().__init__(text[start:end])
        self.start = start
        self.end = end
        self.is_word = is_word
        """Whether the part is of the language, or its end, and stands in a wrong place; else it is a character."""
        self.word = text[start:end]


class NestingTooDeep(ValueError):
    """A text with too many brackets within brackets, and where."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__("nested too deeply")
        self.start = start
        self.end = end


class Language(Generic[T]):
    """A language of which a text means a T."""

    def __init__(self, module: str, meaning: object, deepest: int) -> None:
        """The grammar is in a file beside a module, under the module's name.

        A method of `meaning` under the name of a rule takes what the rule's parts mean; one under the name of a
        terminal, the token. Both return what that means, or raise what is wrong with it.
        """
        self._file = Path(module).with_suffix(".lark")
        self._meaning = meaning
        self._deepest = deepest

    def read(self, text: str) -> T:
        """Return what a text means. Raises Misread, TooDeep, and what the meaning raises."""
        return self._read(text)

    @cached_property
    def _read(self) -> Callable[[str], T]:
        from lark import Lark
        from lark.exceptions import UnexpectedCharacters, UnexpectedToken

        grammar: Lark = Lark(
            self._file.read_text(),
            parser="lalr",
            transformer=cast(Any, _Inlined(self._meaning)),
            postlex=cast(Any, _Brackets(self._deepest)),
        )

        def read(text: str) -> T:
            try:
                return cast(T, grammar.parse(text))
            except UnexpectedCharacters as problem:
                at = problem.pos_in_stream or 0
                raise ParseError(text, at, at + 1, is_word=False) from None
            except UnexpectedToken as problem:
                token = problem.token
                start, end = (len(text), len(text)) if token.type == "$END" else (token.start_pos, token.end_pos)
                raise ParseError(text, start, end) from None

        return read


class _Inlined:
    """What lark asks for the meaning of a rule, which is called with the parts one by one."""

    def __init__(self, meaning: object) -> None:
        self._meaning = meaning

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._meaning, name)
        return method if name.isupper() else lambda parts: method(*parts)


class _Brackets:
    """Counts how deep brackets are."""

    always_accept = ()

    def __init__(self, deepest: int) -> None:
        self._deepest = deepest

    def process(self, tokens: Iterator[Token]) -> Iterator[Token]:
        """Pass tokens on. Raises TooDeep."""
        depth = 0
        for token in tokens:
            if token.type in _OPENING:
                depth += 1
                if depth > self._deepest:
                    raise NestingTooDeep(token.start_pos or 0, token.end_pos or 0)
            elif token.type in _CLOSING:
                depth -= 1
            yield token
