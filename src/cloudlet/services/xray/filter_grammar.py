"""The language of filter expressions. Developer guide, "Using filter expressions".

Conditions on keywords (`responsetime > 5`), joined with AND, which may be left out, OR, `!` and parentheses;
`service(…)` and `edge(…, …)`, which are there or have something in braces that holds of them; `annotation[key]`;
`rootcause.…` with braces.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from cloudlet.core import AwsError
from cloudlet.core.aws import logic
from cloudlet.core.aws.language import Language, NestingTooDeep, ParseError
from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.services.xray.errors import invalid

LONGEST = 5000
_DEEPEST = 50
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
class JsonCauses:
    """The root causes, of whatever kind, have those that are written down, as far as they are."""

    causes: Any


Filter: TypeAlias = (
    "Test | AnnotationTest | Services | Edges | Causes | JsonCauses | All[Filter] | AnyOf[Filter] | Not[Filter]"
)


@lru_cache(maxsize=1000)
def parse(text: str) -> Filter | None:
    """Return what an expression says; None for an empty one. Raises AwsError."""
    if len(text) > LONGEST:
        raise _refused(f"{LONGEST} characters are the most")
    try:
        return _LANGUAGE.read(text)
    except NestingTooDeep:
        raise _refused("nested too deeply") from None
    except ParseError as problem:
        raise _refused(f"unexpected {problem.word or 'end of the expression'}") from None


def _refused(why: str) -> AwsError:
    return invalid(f"Invalid filter expression: {why}")


class _Meaning(logic.Meaning):
    def start(self, filter: Filter | None) -> Filter | None:
        return filter

    def test(self, keyword: str, operator: str | None = None, value: Value = True) -> Filter:
        # The guide writes `responsetime` and `responseTime`.
        return Test(keyword.lower(), operator and operator.upper(), value)

    def annotation_test(self, key: str, operator: str | None = None, value: Value = True) -> Filter:
        return AnnotationTest(str(key), operator and operator.upper(), value)

    def unknown(self, word: str) -> Filter:
        raise _refused(f"{word} is no keyword here")

    def services(self, selector: Selector | None, filter: Filter | None) -> Filter:
        return Services(selector or Selector(), filter)

    def edges(self, source: Selector, target: Selector, filter: Filter | None) -> Filter:
        return Edges(source, target, filter)

    def causes(self, cause: str, filter: Filter | None) -> Filter:
        _, kind, of = cause.lower().split(".")
        return Causes(kind, of, filter)

    def named(self, name: str) -> Selector:
        return Selector(name)

    def identified(self, *parts: tuple[str, str]) -> Selector:
        if len(dict(parts)) < len(parts):
            raise _refused("a part of an id is given twice")
        return Selector(**{"account" if name == "account.id" else str(name): text for name, text in parts})

    def part(self, name: str, text: str) -> tuple[str, str]:
        return name, text

    member = part

    def json_causes(self, operator: str, causes: Any) -> Filter:
        found = JsonCauses(causes)
        return found if operator == "=" else Not(found)

    def list(self, *items: Any) -> Any:
        return [*items]

    def object(self, *members: tuple[str, Any]) -> Any:
        return dict(members)

    def ANNOTATION(self, text: str) -> str:
        return text[len("annotation.") :]

    def TEXT(self, text: str) -> str:
        return re.sub(r"\\(.)", r"\1", text[1:-1])

    def NUMBER(self, text: str) -> float:
        return float(text)

    def TRUTH(self, text: str) -> bool:
        return text == "true"

    def STRING(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            raise _refused(f"{text} is no string of JSON") from None

    DECIMAL = CONSTANT = STRING


_LANGUAGE: Language[Filter | None] = Language(__file__, _Meaning(), _DEEPEST)
