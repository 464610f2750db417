"""What all parts of the grammar share: a reader of tokens, names, document paths and values."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cloudlet.core import AwsError
from cloudlet.services.dynamodb.errors import older_words, validation
from cloudlet.services.dynamodb.expressions.parser import LARGEST_INDEX
from cloudlet.services.dynamodb.item_data.values import Item, Path, Value, check_name, checked_value, type_of
from cloudlet.services.dynamodb.partiql.lexer import Token, malformed, tokens

_WORDS = """
ALL AND ASC BETWEEN BY DELETE DESC EXISTS FALSE FROM IN INSERT INTO IS MISSING NOT NULL OR ORDER REMOVE RETURNING SELECT
SET TRUE UPDATE VALUE VALUES WHERE
"""
_KEYWORDS = frozenset(_WORDS.split())
"""Words that are names in double quotes only."""
_DEEPEST = 64
_INDEX = re.compile(r"[0-9]{1,9}")
_LITERALS: dict[str, Value] = {"TRUE": {"BOOL": True}, "FALSE": {"BOOL": False}, "NULL": {"NULL": True}}
_SET_TYPES = {"S": "SS", "N": "NS", "B": "BS"}


class Reader:
    """Reads a statement from left to right; each `?` is the next one of the parameters."""

    def __init__(self, text: str, parameters: Sequence[Value]) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._parameters = parameters
        self._used = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token that is read next."""
        return self._tokens[self._at]

    def take(self) -> Token:
        """Return the next token and go on."""
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def follows(self, *keywords: str) -> bool:
        """Whether the next tokens are these keywords or symbols."""
        ahead = self._tokens[self._at : self._at + len(keywords)]
        return [token.keyword for token in ahead] == list(keywords)

    def accept(self, *keywords: str) -> bool:
        """Take the next tokens if they are these keywords or symbols."""
        if self.follows(*keywords):
            self._at += len(keywords)
            return True
        return False

    def expect(self, *keywords: str) -> None:
        """Take keywords or symbols. Raises AwsError for anything else."""
        if not self.accept(*keywords):
            raise self.unexpected()

    def unexpected(self) -> AwsError:
        """Return the error about the next token, which cannot be where it is."""
        token = self.token
        if token.kind == "end":
            return malformed("Unexpected term")
        if token.kind == "word" and token.keyword in _KEYWORDS:
            return malformed("Unexpected keyword")
        return malformed(f"Unexpected term {token.text!r}")

    def deeper(self) -> None:
        """Count a parenthesis or bracket that was opened. Raises AwsError for too many within each other."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise malformed(f"More than {_DEEPEST} nesting levels")

    def less_deep(self) -> None:
        self._depth -= 1

    def finish(self) -> None:
        """Check that all was read. Raises AwsError."""
        if self.token.kind != "end":
            raise leftover()
        if self._used != len(self._parameters):
            raise _wrong_number_of_parameters()

    # -- names and paths

    def name(self) -> str:
        """Read a name. Raises AwsError."""
        token = self.token
        if token.kind == "name" or (token.kind == "word" and token.keyword not in _KEYWORDS):
            return self.take().text
        raise self.unexpected()

    def refuse_alias(self) -> None:
        """Raise AwsError where a table is given another name."""
        token = self.token
        if token.kind == "name" or (token.kind == "word" and token.keyword not in _KEYWORDS):
            raise validation("Aliasing is not supported")

    def path(self) -> Path:
        """Read a document path, as `a."b"[2]`. Raises AwsError."""
        elements: list[str | int] = [self.name()]
        check_name(str(elements[0]))
        while True:
            if self.accept("."):
                elements.append(self.name())
            elif self.accept("["):
                elements.append(self._element())
                self.expect("]")
            else:
                return tuple(elements)

    def _element(self) -> str | int:
        token = self.take()
        if token.kind == "string":
            return token.text
        if token.kind == "number" and _INDEX.fullmatch(token.text) and int(token.text) <= LARGEST_INDEX:
            return int(token.text)
        raise malformed("List index is not within the allowable range")

    # -- values

    def at_value(self) -> bool:
        """Whether a literal or a parameter is next."""
        token = self.token
        return (
            token.kind in ("string", "number", "parameter")
            or token.keyword in ("-", "+", "[", "{", "<<")
            or (token.kind == "word" and token.keyword in _LITERALS)
        )

    def value(self) -> Value:
        """Read a literal or a parameter. Raises AwsError."""
        with older_words():
            return checked_value(self._value())

    def _value(self) -> Value:
        if self.accept("["):
            return {"L": self._members("]")}
        if self.accept("<<"):
            return self._set()
        if self.accept("{"):
            return {"M": self._map()}
        sign = "-" if self.accept("-") else ""
        if sign or self.accept("+"):
            if self.token.kind != "number":
                raise self.unexpected()
            return {"N": sign + self.take().text}
        token = self.token
        if token.kind == "parameter":
            self.take()
            return self._parameter()
        if token.kind == "string":
            return {"S": self.take().text}
        if token.kind == "number":
            return {"N": self.take().text}
        if token.kind == "word" and token.keyword in _LITERALS:
            return _LITERALS[self.take().keyword]
        raise self.unexpected()

    def _parameter(self) -> Value:
        if self._used >= len(self._parameters):
            raise _wrong_number_of_parameters()
        self._used += 1
        return self._parameters[self._used - 1]

    def _members(self, closing: str) -> list[Value]:
        self.deeper()
        members: list[Value] = []
        while not self.accept(closing):
            if members:
                self.expect(",")
            members.append(self._value())
        self.less_deep()
        return members

    def _map(self) -> Item:
        self.deeper()
        content: Item = {}
        while not self.accept("}"):
            if content:
                self.expect(",")
            if self.token.kind not in ("string", "name"):
                raise self.unexpected()
            key = self.take().text
            self.expect(":")
            if key in content:
                raise validation(f"Duplicate key in a map: {key}")
            content[key] = self._value()
        self.less_deep()
        return content

    def _set(self) -> Value:
        members = self._members(">>")
        if not members:
            raise validation("Empty bags are not supported")
        kinds = {type_of(member) for member in members}
        if len(kinds) != 1 or not kinds <= _SET_TYPES.keys():
            raise validation("Members of a set must be strings, numbers or binaries, all of one type")
        [kind] = kinds
        return {_SET_TYPES[kind]: [member[kind] for member in members]}


def leftover() -> AwsError:
    """Return the error about what follows a statement, or a part of it, that is complete."""
    return malformed("Unexpected token after expression")


def _wrong_number_of_parameters() -> AwsError:
    return validation("Number of parameters in request and statement don't match.")
