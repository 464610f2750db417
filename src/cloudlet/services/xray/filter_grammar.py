"""The language of filter expressions. Developer guide, "Using filter expressions".

Conditions on keywords (`responsetime > 5`), joined with AND, which may be left out, OR, `!` and parentheses;
`service(…)` and `edge(…, …)`, which are there or have something in braces that holds of them; `annotation[key]`;
`rootcause.…` with braces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cloudlet.services.xray.errors import invalid

LONGEST = 5000
_DEEPEST = 50
_JSON = re.compile(r"\s*#")
_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')'
    r"|(?P<symbol><=|>=|!=|[=<>!(){}\[\],:])"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<word>[A-Za-z_][\w.\-]*)"
    r"|(?P<end>\Z))"
)
BOOLEANS: Final = frozenset(
    {"ok", "error", "throttle", "fault", "partial", "inferred", "first", "last", "remote", "root"}
)
NUMBERS: Final = frozenset({"responsetime", "duration", "http.status", "index", "coverage"})
TEXTS: Final = frozenset(
    {
        "http.url",
        "http.method",
        "http.useragent",
        "http.clientip",
        "user",
        "name",
        "type",
        "message",
        "availabilityzone",
        "instance.id",
        "resource.arn",
    }
)
GROUPS: Final = frozenset({"group.name", "group.arn"})
_CAUSES: Final = re.compile(r"rootcause\.(fault|error|responsetime)\.(service|entity|exception)")
_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_EQUAL: Final = frozenset({"=", "!="})
_TEXTUAL: Final = frozenset({"CONTAINS", "BEGINSWITH", "ENDSWITH"})
_ID_PARTS: Final = ("name", "type", "account.id")
Value = str | float | bool


@dataclass(frozen=True, slots=True)
class Test:
    """A keyword compared with a value; without an operator, whether it is true or there."""

    keyword: str
    operator: str | None = None
    value: Value = True


@dataclass(frozen=True, slots=True)
class AnnotationTest:
    """An annotation compared with a value; without an operator, whether it is there."""

    key: str
    operator: str | None = None
    value: Value = True


@dataclass(frozen=True, slots=True)
class Selector:
    """Which services are meant: all, or those of a name, a type, an account."""

    name: str | None = None
    type: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """One of the services meant is there, and the filter, if there is one, holds of it."""

    selector: Selector
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Edges:
    """One of the calls meant is there, and the filter, if there is one, holds of it."""

    source: Selector
    target: Selector
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Causes:
    """The filter holds of a service, an entity or an exception on the way to a root cause of a kind."""

    kind: str
    of: str
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class All:
    """All parts hold."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the parts holds, or more."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter


@dataclass(frozen=True, slots=True)
class JsonCauses:
    """The root causes, of whatever kind, have those that are written down, as far as they are."""

    causes: Any


Filter = Test | AnnotationTest | Services | Edges | Causes | JsonCauses | All | AnyOf | Not


@lru_cache(maxsize=1000)
def parse(text: str) -> Filter | None:
    """Return what an expression says; None for an empty one. Raises AwsError."""
    if len(text) > LONGEST:
        raise invalid(f"A filter expression has {LONGEST} characters at most")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        self._braced = ""
        self._json: list[Any] = []
        """What the tokens of JSON say that are still to be read."""
        position = 0
        while not self._tokens or self._tokens[-1][0] != "end":
            if (start := _JSON.match(text, position)) is not None:
                position = self._read_json(text, start.end())
                continue
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise invalid(f"Invalid filter expression: unexpected character at {position}")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def _read_json(self, text: str, position: int) -> int:
        """Read what comes after a `#`; return where it ends."""
        try:
            value, end = json.JSONDecoder().raw_decode(text, position)
        except (ValueError, RecursionError):
            raise invalid(f"Invalid filter expression: no JSON at {position}") from None
        self._json.append(value)
        self._tokens.append(("json", text[position:end]))
        return end

    def whole(self) -> Filter | None:
        found = None if self._kind == "end" else self._any()
        if self._kind != "end":
            raise self._unexpected()
        return found

    @property
    def _kind(self) -> str:
        return self._tokens[self._at][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._at][1]

    def _unexpected(self) -> Exception:
        what = "end of the expression" if self._kind == "end" else self._text
        return invalid(f"Invalid filter expression: unexpected {what}")

    def _accept(self, symbol: str) -> bool:
        if self._kind in ("symbol", "word") and self._text in (symbol, symbol.lower()):
            self._at += 1
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise self._unexpected()

    def _string(self) -> str:
        if self._kind != "text":
            raise self._unexpected()
        self._at += 1
        return re.sub(r"\\(.)", r"\1", self._tokens[self._at - 1][1][1:-1])

    def _any(self) -> Filter:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise invalid("Invalid filter expression: nested too deeply")
        parts = [self._all()]
        while self._accept("OR"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Filter:
        parts = [self._not()]
        while self._accept("AND") or self._continues():
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _continues(self) -> bool:
        """Whether one more part comes without an AND before it."""
        return (self._kind == "word" and self._text not in ("OR", "or")) or (
            self._kind == "symbol" and self._text in ("!", "(")
        )

    def _not(self) -> Filter:
        negations = 0
        while self._accept("!"):
            negations += 1
        part = self._one()
        return Not(part) if negations % 2 else part

    def _one(self) -> Filter:
        if self._accept("("):
            inner = self._any()
            self._expect(")")
            return inner
        if self._kind != "word":
            raise self._unexpected()
        word = self._text
        self._at += 1
        if not word.startswith("annotation."):
            # The guide writes `responsetime` and `responseTime`.
            word = word.lower()
        if word == "service":
            self._expect("(")
            selector = Selector() if self._text == ")" and self._kind == "symbol" else self._selector()
            self._expect(")")
            return Services(selector, self._braces("service"))
        if word == "edge":
            self._expect("(")
            source = self._selector()
            self._expect(",")
            target = self._selector()
            self._expect(")")
            return Edges(source, target, self._braces("edge"))
        if word == "rootcause.json":
            return self._json_causes()
        if (cause := _CAUSES.fullmatch(word)) is not None:
            return Causes(cause[1], cause[2], self._braces("rootcause"))
        return self._condition(word)

    def _json_causes(self) -> Filter:
        """Read what root causes are to look like."""
        if self._braced:
            raise self._unexpected()
        negated = self._accept("!=")
        if not negated:
            self._expect("=")
        if self._kind != "json":
            raise self._unexpected()
        self._at += 1
        found = JsonCauses(self._json.pop(0))
        return Not(found) if negated else found

    def _braces(self, of: str) -> Filter | None:
        if self._braced:
            raise invalid("Invalid filter expression: service, edge and rootcause cannot be in braces")
        if not self._accept("{"):
            return None
        self._braced = of
        inner = self._any()
        self._braced = ""
        self._expect("}")
        return inner

    def _selector(self) -> Selector:
        if not self._accept("id"):
            return Selector(self._string())
        self._expect("(")
        parts: dict[str, str] = {}
        while not parts or self._accept(","):
            part = self._text
            if self._kind != "word" or part not in _ID_PARTS or part in parts:
                raise self._unexpected()
            self._at += 1
            self._expect(":")
            parts[part] = self._string()
        self._expect(")")
        return Selector(parts.get("name"), parts.get("type"), parts.get("account.id"))

    def _condition(self, word: str) -> Filter:
        if (word == "annotation" or word.startswith("annotation.")) and self._braced in ("service", "edge"):
            raise invalid("Invalid filter expression: annotation cannot be used with service or edge")
        if word == "annotation" and self._accept("["):
            key = self._string() if self._kind == "text" else self._word()
            self._expect("]")
            return self._annotation(key)
        if word.startswith("annotation.") and len(word) > len("annotation."):
            return self._annotation(word.removeprefix("annotation."))
        if word in BOOLEANS:
            return Test(word, *self._comparison(_EQUAL, self._boolean))
        if word in NUMBERS:
            return self._compared(word, _EQUAL | _ORDER, self._number)
        if word in TEXTS:
            return Test(word, *self._comparison(_EQUAL | _TEXTUAL, self._string))
        if word in GROUPS and not self._braced:
            return self._compared(word, _EQUAL, self._string)
        raise invalid(f"Invalid filter expression: unknown keyword {word}")

    def _compared(self, word: str, allowed: frozenset[str], value: Callable[[], Value]) -> Test:
        """Read the comparison of a keyword that cannot stand alone."""
        operator, wanted = self._comparison(allowed, value)
        if operator is None:
            raise self._unexpected()
        return Test(word, operator, wanted)

    def _word(self) -> str:
        if self._kind != "word":
            raise self._unexpected()
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _comparison(self, allowed: frozenset[str], value: Callable[[], Value]) -> tuple[str | None, Value]:
        operator = self._text.upper()
        if self._kind not in ("symbol", "word") or operator not in _EQUAL | _ORDER | _TEXTUAL:
            return None, True
        if operator not in allowed:
            raise self._unexpected()
        self._at += 1
        return operator, value()

    def _boolean(self) -> bool:
        word = self._word()
        if word not in ("true", "false"):
            raise invalid(f"Invalid filter expression: {word} is neither true nor false")
        return word == "true"

    def _number(self) -> float:
        if self._kind != "number":
            raise self._unexpected()
        self._at += 1
        return float(self._tokens[self._at - 1][1])

    def _annotation(self, key: str) -> AnnotationTest:
        operator = self._text.upper()
        if self._kind not in ("symbol", "word") or operator not in _EQUAL | _ORDER | _TEXTUAL:
            return AnnotationTest(key)
        self._at += 1
        value: Value
        if self._kind == "number" and operator not in _TEXTUAL:
            value = self._number()
        elif self._kind == "word" and operator in _EQUAL:
            value = self._boolean()
        elif operator not in _ORDER:
            value = self._string()
        else:
            raise self._unexpected()
        return AnnotationTest(key, operator, value)
