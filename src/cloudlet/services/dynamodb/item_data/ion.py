"""Items as Amazon Ion text, which exports are written in and imports are read from.

Developer Guide, "DynamoDB table export output format", "Amazon S3 import formats for DynamoDB": an item a line, after
Ion's version marker; numbers are decimals, sets are annotated lists. Of Ion, https://amazon-ion.github.io/ion-docs,
what has no place in an item (timestamps, symbols, clobs) is refused.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import msgspec

from cloudlet.services.dynamodb.item_data.values import DEEPEST, SETS, Item, Value, type_of

_MARKER = "$ion_1_0"
_SET = "$dynamodb_"
_KEYWORDS = ("null", "true", "false", "nan")
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_encode = msgspec.json.Encoder().encode


class Malformed(ValueError):
    """A text that is no item in Ion."""


# -- writing


def line(name: str, content: Item) -> bytes:
    """Return the line of a struct with one member."""
    return f"{_MARKER} {{{name}:{_struct(content)}}}".encode()


def _struct(content: Item) -> str:
    return "{" + ",".join([f"{_name(name)}:{_text(value)}" for name, value in content.items()]) + "}"


def _name(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS and name[0] != "$" else _string(name)


def _string(text: str) -> str:
    # JSON's strings are Ion's.
    return _encode(text).decode()


def _text(value: Value) -> str:
    kind = type_of(value)
    content: Any = value[kind]
    if kind == "M":
        return _struct(content)
    if kind == "L":
        return f"[{','.join(map(_text, content))}]"
    if kind in SETS:
        return f"{_SET}{kind}::[{','.join([_text({kind[0]: member}) for member in content])}]"
    if kind == "N":
        return content if "." in content else f"{content}."
    if kind == "B":
        return f"{{{{{b64encode(content).decode()}}}}}"
    if kind == "S":
        return _string(content)
    return "null" if kind == "NULL" else "true" if content else "false"


# -- reading

_TOKEN = re.compile(
    r"""
    (?> \s++ | //.*+ | /\*.*?\*/ )*+
    (?:
        (?P<blob> \{\{ [A-Za-z0-9+/=\s]*+ \}\} )
      | (?P<string> "(?:[^"\\]|\\.)*+" )
      | (?P<long> '''(?:[^'\\]|\\.|'(?!''))*+''' )
      | (?P<symbol> '(?:[^'\\]|\\.)*+' )
      | (?P<number> [+-]?[0-9][0-9A-Za-z_.+-]* )
      | (?P<word> [A-Za-z_$][A-Za-z0-9_$]*(?:\.[a-z]+)? )
      | (?P<sign> :: | [{}\[\],:] )
      | (?P<end> $ )
    )
    """,
    re.VERBOSE,
)
_DECIMAL = re.compile(r"-?[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?(?:[dDeE][+-]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_ESCAPED = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "v": "\v"}
_ESCAPED |= {char: char for char in "?\"'/\\"}


class _Reader:
    """Reads the values of one line."""

    def __init__(self, text: str) -> None:
        self._tokens = self._all(text)
        self._take()

    def _all(self, text: str) -> Iterator[tuple[str, str]]:
        at = 0
        while True:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise Malformed("a character that is not Ion's")
            yield match.lastgroup, match[match.lastgroup]
            at = match.end()

    def _take(self) -> tuple[str, str]:
        self.kind, self.text = taken = next(self._tokens)
        return taken

    def accept(self, text: str, kind: str = "sign") -> bool:
        """Take a token if it is this one."""
        if (self.kind, self.text) != (kind, text):
            return False
        self._take()
        return True

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise Malformed(f"{text} is missing")

    def value(self, depth: int = 0) -> Value:
        """Read a value with its annotations."""
        if depth > DEEPEST + 2:
            raise Malformed("it is nested too deeply")
        kind, text = self.kind, self.text
        self._take()
        if kind in ("word", "symbol") and self.accept("::"):
            return _as_set(_symbol(kind, text), self.value(depth + 1))
        if kind == "sign" and text == "{":
            return {"M": self.members(depth + 1)}
        if kind == "sign" and text == "[":
            return {"L": self._list(depth + 1)}
        if kind == "long":
            parts = [text[3:-3]]
            while self.kind == "long":
                parts.append(self.text[3:-3])
                self._take()
            return {"S": _unescaped("".join(parts))}
        return _scalar(kind, text)

    def _list(self, depth: int) -> list[Value]:
        found = []
        while not self.accept("]"):
            found.append(self.value(depth))
            if not self.accept(","):
                self.expect("]")
                break
        return found

    def members(self, depth: int) -> Item:
        """Read the members of a struct, after its brace."""
        found: Item = {}
        while not self.accept("}"):
            name = self._member_name()
            if name in found:
                raise Malformed(f"{name} is there twice")
            self.expect(":")
            found[name] = self.value(depth)
            if not self.accept(","):
                self.expect("}")
                break
        return found

    def _member_name(self) -> str:
        kind, text = self.kind, self.text
        if kind not in ("word", "symbol", "string"):
            raise Malformed("the name of a member is missing")
        self._take()
        return _symbol(kind, text)


def _symbol(kind: str, text: str) -> str:
    return text if kind == "word" else _unescaped(text[1:-1])


def _scalar(kind: str, text: str) -> Value:
    if kind == "string":
        return {"S": _unescaped(text[1:-1])}
    if kind == "number":
        if not _DECIMAL.fullmatch(text):
            raise Malformed(f"{text} is no decimal")
        return {"N": text.replace("_", "").replace("d", "e").replace("D", "e")}
    if kind == "blob":
        return {"B": b64decode("".join(text[2:-2].split()), validate=True)}
    if kind == "word" and text in ("true", "false"):
        return {"BOOL": text == "true"}
    if kind == "word" and text.partition(".")[0] == "null":
        return {"NULL": True}
    raise Malformed(f"{text or 'the end'} is no value of an item")


def _as_set(annotation: str, value: Value) -> Value:
    kind = annotation.removeprefix(_SET)
    if kind not in SETS or "L" not in value:
        raise Malformed(f"the annotation {annotation} is not known")
    members = [member.get(kind[0]) for member in value["L"]]
    if None in members:
        raise Malformed("the members of a set have its type")
    return {kind: members}


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    # Two escapes may stand for one character, as in JSON.
    return _ESCAPE.sub(_character, text).encode("utf-16", "surrogatepass").decode("utf-16")


def _character(escape: re.Match[str]) -> str:
    code = escape[0][1:]
    if code[0] in "xuU":
        try:
            return chr(int(code[1:], 16))
        except ValueError:
            raise Malformed(f"{escape[0]} is no character") from None
    if code not in _ESCAPED:
        raise Malformed(f"{escape[0]} is no escape")
    return _ESCAPED[code]


def item(text: bytes) -> Item:
    """Return the item of a line: a struct with the member Item. Raises ValueError for anything else."""
    reader = _Reader(text.decode())
    reader.accept(_MARKER, "word")
    reader.expect("{")
    members = reader.members(0)
    if reader.kind != "end" or members.keys() != {"Item"} or "M" not in members["Item"]:
        raise Malformed("it is no item")
    found: Item = members["Item"]["M"]
    return found
