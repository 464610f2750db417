"""Whatever can be written in the query language is read as what it says."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.logs.insights.parsing import parse
from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.syntax import (
    Call,
    Command,
    Dedup,
    Display,
    Expression,
    Field,
    Fields,
    Filter,
    In,
    Like,
    Limit,
    Logic,
    Named,
    Negative,
    Not,
    Number,
    Operation,
    Parse,
    Pattern,
    Period,
    Query,
    Sort,
    SortKey,
    Source,
    Span,
    Stats,
    Text,
    Unnest,
)

NOWHERE = Span(0, 0)
_PLAIN = re.compile(r"[A-Za-z_@$][\w@$]*")
_RESERVED = ("as", "by", "and", "or", "not", "in", "like", "asc", "desc", "into")

_words = st.sampled_from(["a", "b_1", "@message", "$x", "odd name", "x.y", "or", "Limit", "in", "fields", "ä"])
_texts = st.text("ab'\"\\/* \n|#", max_size=4)
_fields = st.lists(st.integers(0, 12) | _words, max_size=2).flatmap(
    lambda rest: _words.map(lambda first: Field((first, *rest), NOWHERE))
)
_quoted = st.builds(Text, _texts, st.just(NOWHERE))
_leaves = st.one_of(
    _fields,
    st.builds(Number, st.floats(0, 1e9), st.just(NOWHERE)),
    _quoted,
    st.builds(Period, st.integers(0, 99), st.sampled_from(["m", "hrs"]), st.just(NOWHERE)),
    st.just(Call("count", (), NOWHERE)),
)
_patterns = st.builds(Pattern, st.sampled_from(["x", "a/b+", "(?i)[a-z]#", "\\d{2}|\\w"]), st.just(NOWHERE))


def _several(inner: st.SearchStrategy[Any], least: int = 1) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(inner, min_size=least, max_size=3).map(tuple)


_expressions: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(
            Call, st.sampled_from(["abs", "concat", "now"]), st.lists(inner, max_size=2).map(tuple), st.just(NOWHERE)
        ),
        st.builds(
            Operation,
            st.sampled_from(["+", "-", "*", "/", "%", "^", "=", "!=", "<", "<=", ">", ">="]),
            inner,
            inner,
            st.just(NOWHERE),
        ),
        st.builds(Logic, st.sampled_from(["and", "or"]), _several(inner, 2), st.just(NOWHERE)),
        st.builds(In, inner, _several(inner), st.just(NOWHERE)),
        st.builds(Like, inner, _patterns | _quoted, st.just(NOWHERE)),
        st.builds(Negative, inner, st.just(NOWHERE)),
        st.builds(Not, inner, st.just(NOWHERE)),
    ),
    max_leaves=8,
)
_columns = _several(st.builds(Named, _expressions, _words))
_commands = st.one_of(
    st.builds(Fields, _columns),
    st.builds(Display, _columns),
    st.builds(Filter, _expressions),
    st.builds(Parse, _fields, _patterns, _several(_words)),
    st.builds(Stats, _columns, st.just(()) | _columns, st.just(NOWHERE)),
    st.builds(Sort, _several(st.builds(SortKey, _expressions, st.booleans()))),
    st.builds(Limit, st.integers(1, 100_000)),
    st.builds(Dedup, _several(_expressions), st.just(NOWHERE)),
    st.builds(Unnest, _expressions, _words),
)
_sources = st.builds(Source, _several(_texts), st.just(()) | _several(_texts), st.just(()) | _several(_texts))


def nowhere(node: Any) -> Any:
    """Return something without where it stands."""
    if isinstance(node, tuple):
        return tuple(map(nowhere, node))
    if not is_dataclass(node) or isinstance(node, type):
        return node
    return replace(
        node, **{one.name: NOWHERE if one.name == "span" else nowhere(getattr(node, one.name)) for one in fields(node)}
    )


def name(word: str) -> str:
    return word if _PLAIN.fullmatch(word) and word.lower() not in _RESERVED else f"`{word}`"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def regex(pattern: Pattern) -> str:
    return "/" + pattern.text.replace("/", "\\/") + "/"


def written(node: Expression) -> str:
    """Return an expression as a query has it."""
    match node:
        case Field(path):
            return "".join(f"[{part}]" if isinstance(part, int) else f".{name(part)}" for part in path)[1:]
        case Number(value):
            return repr(value)
        case Text(value):
            return quoted(value)
        case Period(count, unit):
            return f"{count}{unit}"
        case Call("count", ()):
            return "count( * )"
        case Call(function, arguments):
            return f"{function.upper()}({', '.join(map(written, arguments))})"
        case Operation(operator, left, right):
            return f"({written(left)}) {operator} ({written(right)})"
        case Logic(operator, operands):
            return f" {operator} ".join(f"({written(one)})" for one in operands)
        case In(operand, choices):
            return f"({written(operand)}) in [{', '.join(f'({written(one)})' for one in choices)}]"
        case Like(operand, Pattern() as pattern):
            return f"({written(operand)}) like {regex(pattern)}"
        case Like(operand, Text(value)):
            return f"({written(operand)}) LIKE {quoted(value)}"
        case Negative(operand):
            return f"-({written(operand)})"
        case Not(operand):
            return f"not ({written(operand)})"
    raise AssertionError(node)


def columns(some: tuple[Named, ...]) -> str:
    return ", ".join(f"{written(one.expression)} as {name(one.alias or '')}" for one in some)


def command(node: Command) -> str:
    """Return a command as a query has it."""
    match node:
        case Fields(some):
            return f"fields {columns(some)}"
        case Display(some):
            return f"display {columns(some)}"
        case Filter(condition):
            return f"FILTER {written(condition)}"
        case Parse(source, pattern, names):
            return f"parse {written(source)} {regex(pattern)} as {', '.join(map(name, names))}"
        case Stats(some, keys):
            return f"stats {columns(some)}" + (f" by {columns(keys)}" if keys else "")
        case Sort(keys):
            return "sort " + ", ".join(f"{written(key.expression)} {'desc' * key.descending}" for key in keys)
        case Limit(count):
            return f"limit {count}"
        case Dedup(some):
            return f"dedup {', '.join(map(written, some))}"
        case Unnest(source, into):
            return f"unnest ({written(source)}) into {name(into)}"
    raise AssertionError(node)


def of_groups(source: Source) -> str:
    parts = {"namePrefix": source.prefixes, "class": source.classes, "accountIdentifiers": source.accounts}
    given = [f"{name}: [{', '.join(map(quoted, values))}]" for name, values in parts.items() if values]
    return f"SOURCE logGroups({', '.join(given)})"


@given(st.none() | _sources, _several(_commands))
def test_what_is_written_is_read(source: Source | None, commands: tuple[Command, ...]) -> None:
    text = "\n| ".join([*([] if source is None else [of_groups(source)]), *(f"{command(one)} # |" for one in commands)])
    found = parse(text)
    assert nowhere(Query(found.commands, found.source)) == Query(commands, source)


def test_brackets_that_do_not_end_are_read_once() -> None:
    """A class that is looked for from each of its brackets on would take hours."""
    assert parse(f"parse @message /(?<x>.)|{'[' * 300_000}/").regexes
    with pytest.raises(QueryProblem, match="500 items"):
        parse(f"parse @message /(?<x>a{{500}})|{'[' * 300_000}/")


@given(_expressions)
def test_what_has_no_other_name_is_named_as_it_is_written(expression: Expression) -> None:
    text = written(expression)
    query = parse(f"fields  {text} # so")
    [found] = query.commands
    assert isinstance(found, Fields)
    [column] = found.columns
    assert column.name(query.text) == (text.replace("`", "") if isinstance(expression, Field) else text)
    span = column.expression.span
    assert (span.start, span.end) == (8, 8 + len(text))
