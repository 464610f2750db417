"""From a query to what it means; the grammar is in `parsing.lark`.

User guide, "CloudWatch Logs Insights language query syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from string import ascii_letters
from typing import TYPE_CHECKING, Any

from cloudlet.core.aws.language import Language, NestingTooDeep, ParseError
from cloudlet.services.logs.insights import regexes
from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
from cloudlet.services.logs.insights.sql import EXACT
from cloudlet.services.logs.insights.syntax import (
    Accumulate,
    AddTotals,
    AppendColumns,
    Autoregress,
    Before,
    Call,
    Command,
    CountFrequent,
    Dedup,
    Diff,
    Display,
    Expression,
    Field,
    Fields,
    FillDown,
    FillMissing,
    Filter,
    FilterIndex,
    In,
    Join,
    JsonField,
    Like,
    Limit,
    Logic,
    Lookup,
    Named,
    Negative,
    Not,
    Number,
    Operation,
    Outlier,
    Parse,
    ParseCsv,
    ParseGlob,
    ParseLogfmt,
    Pattern,
    Period,
    Query,
    Sessionize,
    Sort,
    SortKey,
    Source,
    Span,
    Stats,
    Structures,
    Text,
    Unnest,
    Within,
)

if TYPE_CHECKING:
    from lark import Token

MOST_RESULTS = 100_000
_DEEPEST = 60
_MOST_LEVELS = 150
_MOST_COMMANDS, _MOST_STATS = 50, 10
_MOST_PARSED = 200
"""Fields that a command may take out of a text."""
_MOST_PREFIXES, _MOST_ACCOUNTS = 5, 20
_MOST_LAGS = 100
_APPENDED = 10_000
"""Records of a query whose fields are appended. User guide, "appendcols"."""
_FENCE = 2.5
"""How many widths of the middle half of all values away an outlier is. User guide, "outlier"."""
_DECIMAL = re.compile(r"\d{1,9}(\.\d{1,9})?")
_INDEXED = frozenset({"@logStream", "attributes.session.id", "severityText", "traceId"})
"""The fields with a default index that there are here. User guide, "filterIndex"."""
_PART = re.compile(r"`([^`]+)`|\[\s*(\d+)\s*\]|([^.`\[]+)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse(text: str) -> Query:
    """Return the query that a text means. Raises QueryProblem, and NotBuilt for commands that are not there."""
    if (place := text.find("\x00")) >= 0:
        raise _unexpected(text, place, place + 1)
    try:
        query = _LANGUAGE.read(text)
    except NestingTooDeep as problem:
        raise QueryProblem("the query is nested too deeply", problem.start, problem.end) from None
    except ParseError as problem:
        raise _unexpected(text, problem.start, problem.end) from None
    parts = list(_parts(query.commands))
    statistics = sum(isinstance(part, Stats) for part in parts)
    if sum(isinstance(part, Command) for part in parts) > _MOST_COMMANDS or statistics > _MOST_STATS:
        raise QueryProblem("the query has too many commands", 0, len(text))
    found = [part for part in parts if isinstance(part, Pattern)]
    for part in parts:
        match part:
            case Call("regexreplace", (_, Text(regex, span), *_)):
                found.append(Pattern(regex, span))
            case Parse(_, pattern, names):
                _check_parsed(pattern, names)
    return replace(query, regexes=tuple(found), text=text)


def _check_parsed(pattern: Pattern, names: tuple[str, ...]) -> None:
    """Raise QueryProblem for fields whose places in a text take long to find."""
    _check_count(len(names), pattern.span)
    if regexes.items_in(pattern.text) > regexes.MOST_PARSED_ITEMS:
        message = f"a regular expression of parse can have {regexes.MOST_PARSED_ITEMS} items at most"
        raise QueryProblem(f"{message}, with what it repeats", pattern.span.start, pattern.span.end)


def _check_count(fields: int, span: Span) -> None:
    if fields > _MOST_PARSED:
        raise QueryProblem(f"parse can take {_MOST_PARSED} fields at most out of a text", span.start, span.end)


def _unexpected(text: str, start: int, end: int) -> QueryProblem:
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    what = text[start:end] or "end of query"
    return QueryProblem(f"unexpected symbol found {what} at line {line} and position {column}", start, end)


def _parts(commands: tuple[Command, ...]) -> Iterator[Any]:
    """Yield commands and all that is within them, in order. Raises QueryProblem where it is nested too deeply."""
    waiting: list[tuple[Any, int]] = [(commands, 0)]
    while waiting:
        node, level = waiting.pop()
        if isinstance(node, tuple):
            waiting += [(one, level) for one in reversed(node)]
        elif is_dataclass(node):
            yield node
            if level > _MOST_LEVELS and isinstance(node, Expression):
                raise QueryProblem("the query is nested too deeply", node.span.start, node.span.end)
            waiting += [(getattr(node, part.name), level + 1) for part in reversed(fields(node))]


def _between(first: Expression, last: Expression) -> Span:
    return Span(first.span.start, last.span.end)


def _span(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)


def _path(name: str) -> tuple[str | int, ...]:
    """Return the parts of a name, between dots and without backticks, and places in lists."""
    return tuple(int(index) if index else quoted or plain for quoted, index, plain in _PART.findall(name))


def _within(alias: Token, key: Token) -> tuple[str | int, ...]:
    """Return which field of the records of an alias a name means. Raises QueryProblem."""
    path = _path(key)
    if len(path) == 1 or path[0] != alias:
        raise QueryProblem(f"a field of {alias} is expected, and not {key}", _span(key).start, _span(key).end)
    return path[1:]


@dataclass(frozen=True, slots=True)
class _Option:
    """An argument of a command that has a name (in small letters) and a value."""

    name: str
    value: str
    span: Span

    @property
    def is_true(self) -> bool:
        """Raises QueryProblem."""
        if self.value.lower() not in ("true", "false"):
            raise self.problem("is true or false")
        return self.value.lower() == "true"

    def problem(self, what: str) -> QueryProblem:
        return QueryProblem(f"{self.name} {what}, and not {self.value}", self.span.start, self.span.end)


def _split(parts: Sequence[Any], *names: str) -> tuple[dict[str, _Option], tuple[Any, ...]]:
    """Return the options of a command, which have some names, and its other parts. Raises QueryProblem."""
    options = {part.name: part for part in parts if isinstance(part, _Option)}
    for option in options.values():
        if option.name not in names:
            message = f"unknown argument {option.name}: there are {', '.join(names)}"
            raise QueryProblem(message, option.span.start, option.span.end)
    return options, tuple(part for part in parts if not isinstance(part, _Option))


def _values(texts: Sequence[Text]) -> tuple[str, ...]:
    return tuple(text.value for text in texts)


def _plain(character: str) -> str:
    return character if character in "\"'\\" else f"\\{character}"


class _Meaning:
    def start(self, *parts: Source | Command) -> Query:
        source = parts[0] if isinstance(parts[0], Source) else None
        if source is not None and source.name:
            raise NotBuilt("SOURCE other than logGroups(…) at the begin of a query")
        return self.subquery(*parts)

    def subquery(self, *parts: Source | Command) -> Query:
        source = parts[0] if isinstance(parts[0], Source) else None
        return Query(tuple(part for part in parts if not isinstance(part, Source)), source)

    def source(self, *arguments: tuple[str, tuple[str, ...]]) -> Source:
        found = dict(arguments)
        return Source(
            found.get("nameprefix", ()),
            found.get("class", ()) + found.get("loggroupclass", ()),
            found.get("accountidentifiers", ()) + found.get("accountidentifier", ()),
        )

    def named_source(self, name: Text) -> Source:
        if not name.value:
            raise QueryProblem("SOURCE needs the name of a log group", name.span.start, name.span.end)
        return Source(name=name.value)

    def GROUP(self, name: Token) -> Text:
        return Text(str(name), _span(name))

    def argument(self, name: Token, *values: Text) -> tuple[str, tuple[str, ...]]:
        most = _MOST_PREFIXES if name.lower() == "nameprefix" else _MOST_ACCOUNTS
        if len(values) > most:
            raise QueryProblem(f"{name} has more than {most} values", _span(name).start, values[-1].span.end)
        return name.lower(), _values(values)

    # -- commands

    def NOT_BUILT(self, word: Token) -> Command:
        raise NotBuilt(f"the command {word.lower()} of Logs Insights")

    def fields(self, columns: tuple[Named, ...]) -> Command:
        return Fields(columns)

    def display(self, columns: tuple[Named, ...]) -> Command:
        return Display(columns)

    def filter(self, condition: Expression) -> Command:
        return Filter(condition)

    def filter_index(self, field: Field, *values: Expression) -> Command:
        if field.name not in _INDEXED:
            raise NotBuilt(f"field index policies, and filterIndex of others than {', '.join(sorted(_INDEXED))}")
        return FilterIndex(In(field, values, _between(field, values[-1])))

    def parse_glob(self, subject: Expression | None, glob: Text, names: tuple[Text, ...]) -> Command:
        if glob.value.count("*") != len(names):
            message = f"the pattern has {glob.value.count('*')} wildcards for {len(names)} fields"
            raise QueryProblem(message, glob.span.start, names[-1].span.end)
        _check_count(len(names), glob.span)
        return ParseGlob(_subject(subject, glob.span), tuple(glob.value.split("*")), _values(names))

    def parse_regex(
        self, subject: Expression | None, regex: Pattern, aliases: tuple[Text, ...] | None, multi: Token | None
    ) -> Command:
        names, span, is_multiple = regexes.names_of(regex.text), regex.span, multi is not None
        if aliases is None:
            if not names:
                raise QueryProblem("the regular expression has no named groups", span.start, span.end)
            return Parse(_subject(subject, span), Pattern(regexes.only_named(regex.text), span), names, is_multiple)
        if names and _values(aliases) != names:
            raise QueryProblem("the names after AS are not those of the groups", span.start, span.end)
        return Parse(_subject(subject, span), _translated(regex), _values(aliases), is_multiple)

    def parse_logfmt(self, subject: Expression | None, name: Text) -> Command:
        return ParseLogfmt(_subject(subject, name.span), name.value)

    def parse_csv(self, subject: Expression | None, names: tuple[Text, ...]) -> Command:
        return ParseCsv(_subject(subject, names[0].span), _values(names))

    def json_field(self, source: Field, path: Text, name: Text) -> Command:
        return JsonField(source, _path(path.value), name.value)

    def stats(
        self, columns: tuple[Named, ...], keys: tuple[Named, ...] | None, offset: Token | None, _: Period | None
    ) -> Command:
        if offset is not None:
            raise NotBuilt("offset behind stats by bin()")
        last = (keys or columns)[-1].expression
        return Stats(columns, keys or (), _between(columns[0].expression, last))

    def sort(self, *keys: SortKey) -> Command:
        return Sort(keys)

    def limit(self, any: Token | None, count: Token) -> Command:
        if not 1 <= int(count) <= MOST_RESULTS:
            span = _span(count)
            raise QueryProblem(f"a limit is from 1 to {MOST_RESULTS}", span.start, span.end)
        return Limit(int(count), any is not None)

    def dedup(self, *keys: Expression) -> Command:
        return Dedup(keys, _between(keys[0], keys[-1]))

    def unnest(self, source: Expression, name: Text) -> Command:
        return Unnest(source, name.value)

    def expand(self, name: Token) -> Command:
        source = self.field(name)
        return Unnest(source, source.name)

    def accumulate(self, source: Field, alias: Text | None) -> Command:
        return Accumulate(source, _named_as(source, alias))

    def autoregress(self, source: Field, alias: Text | None, lags: Token | None) -> Command:
        first, _, last = ("1" if lags is None else lags).partition("-")
        begin, end = int(first), int(last or first)
        if lags is not None and not 1 <= begin <= end < begin + _MOST_LAGS:
            message = f"{lags} is no number of records, or a range of {_MOST_LAGS} numbers at most"
            raise QueryProblem(message, _span(lags).start, _span(lags).end)
        name = _named_as(source, alias)
        if alias is not None and begin == end:
            return Autoregress(source, ((begin, name),))
        return Autoregress(source, tuple((lag, f"{name}_p{lag}") for lag in range(begin, end + 1)))

    def fill_down(self, *names: Token) -> Command:
        return FillDown(tuple(map(str, names)))

    def filling(self, value: Expression, name: Text) -> tuple[str, Expression]:
        return name.value, value

    def FILLMISSING(self, word: Token) -> Span:
        return _span(word)

    def fill_missing(self, span: Span, *values: tuple[str, Expression] | None) -> Command:
        return FillMissing(tuple(value for value in values if value is not None), span)

    def option(self, name: Token, value: Token) -> _Option:
        return _Option(name.lower(), str(value), Span(_span(name).start, _span(value).end))

    def add_totals(self, *parts: Any) -> Command:
        options, given = _split(parts, "fieldname", "row", "col")
        row, column, name = (options.get(one) for one in ("row", "col", "fieldname"))
        total = "Total" if name is None else ".".join(map(str, _path(name.value)))
        has_row = row is None or row.is_true
        return AddTotals(given, total if has_row else None, column is not None and column.is_true)

    def count_frequent(self, *given: Field) -> Command:
        return CountFrequent(given, _between(given[0], given[-1]))

    def outlier(self, *parts: Any) -> Command:
        options, given = _split(parts, "action", "param", "uselower", "mark")
        action, param, lower, mark = (options.get(one) for one in ("action", "param", "uselower", "mark"))
        if action is not None and action.value.lower() not in ("remove", "transform"):
            raise action.problem("is remove or transform")
        if param is not None and not _DECIMAL.fullmatch(param.value):
            raise param.problem("is a number")
        if mark is not None and mark.is_true:
            raise NotBuilt("outlier with mark=true: AWS does not name the field that it adds")
        return Outlier(
            given,
            _FENCE if param is None else float(param.value),
            lower is not None and lower.is_true,
            action is not None and action.value.lower() == "remove",
        )

    def sessionize(self, *parts: Any) -> Command:
        *given, gap, name = parts
        span = _between(given[0], given[-1])
        return Sessionize(
            tuple(given), gap or Period(30, "m", span), "session_id" if name is None else name.value, span
        )

    def APPENDCOLS(self, word: Token) -> Span:
        return _span(word)

    def append_columns(self, span: Span, *parts: Any) -> Command:
        options, (query,) = _split(parts, "override", "max")
        override, most = options.get("override"), options.get("max")
        if most is not None and not (most.value.isdecimal() and 1 <= int(most.value) <= MOST_RESULTS):
            raise most.problem(f"is from 1 to {MOST_RESULTS}")
        count = _APPENDED if most is None else int(most.value)
        return AppendColumns(query, count, override is not None and override.is_true, span)

    def TABLE(self, name: Token) -> Text:
        return Text(str(name), _span(name))

    def lookup_key(self, column: Text, field: Field) -> tuple[str, Field]:
        return column.value, field

    def output(self, column: Text, alias: Text | None) -> tuple[str, str]:
        return column.value, (alias or column).value

    def lookup(self, table: Text, *parts: Any) -> Command:
        at = next(number for number, part in enumerate(parts) if isinstance(part, str))
        overwrites = parts[at].lower() == "output"
        return Lookup(table.value, parts[:at], parts[at + 1 :], overwrites, is_of_subnets=False, span=table.span)

    def cidr_lookup(
        self, table: Text, field: Field, column: Text | None, mode: Token, *outputs: tuple[str, str]
    ) -> Command:
        keys = ((field.name if column is None else column.value, field),)
        return Lookup(table.value, keys, outputs, mode.lower() == "output", is_of_subnets=True, span=table.span)

    def pattern(self, source: Expression) -> Command:
        return Structures(source)

    def join(
        self, kind: Token | None, left: Token, right: Token, left_key: Token, right_key: Token, source: Source
    ) -> Command:
        if left == right:
            raise QueryProblem("both sides of a join have the same alias", _span(left).start, _span(right).end)
        keeps_all, span = kind is not None and kind.lower() == "left", Span(_span(left).start, _span(right_key).end)
        keys = _within(left, left_key), _within(right, right_key)
        return Join(keeps_all, str(left), str(right), *keys, source, span)

    def DIFF(self, word: Token) -> Span:
        return _span(word)

    def diff(self, span: Span, before: Token | None) -> Command:
        return Diff(Before.PERIOD if before is None else Before(before.lower()), span)

    def columns(self, *columns: Named) -> tuple[Named, ...]:
        return columns

    def named(self, expression: Expression, alias: Text | None) -> Named:
        return Named(expression, None if alias is None else alias.value)

    def names(self, *names: Text) -> tuple[Text, ...]:
        return names

    def key(self, expression: Expression, direction: str | None) -> SortKey:
        return SortKey(expression, direction is not None and direction.lower() == "desc")

    # -- expressions

    def disjunction(self, *operands: Expression) -> Expression:
        return operands[0] if len(operands) == 1 else Logic("or", operands, _between(operands[0], operands[-1]))

    def conjunction(self, *operands: Expression) -> Expression:
        return Logic("and", operands, _between(operands[0], operands[-1]))

    def negated(self, *parts: Any) -> Expression:
        words: list[Token] = [*parts[:-1]]
        found: Expression = parts[-1]
        for word in reversed(words[: 2 - len(words) % 2]):
            found = Not(found, Span(_span(word).start, found.span.end))
        return found

    def operation(self, left: Expression, operator: Token, right: Expression) -> Expression:
        return Operation(str(operator), left, right, _between(left, right))

    def is_in(self, operand: Expression, negation: Token | None, choices: tuple[Any, ...]) -> Expression:
        *found, end = choices
        span = Span(operand.span.start, _span(end).end)
        is_in: Expression = In(operand, tuple(found), span)
        if isinstance(found[0], Query):
            if not isinstance(operand, Field):
                raise QueryProblem("a field is expected before IN", operand.span.start, operand.span.end)
            is_in = Within(operand, found[0], span)
        return is_in if negation is None else Not(is_in, span)

    def choices(self, *parts: Any) -> tuple[Any, ...]:
        """Return them, and the bracket behind."""
        return (*(part for part in parts if not isinstance(part, str)), parts[-1])

    def like(self, operand: Expression, negation: Token | None, pattern: Text | Pattern) -> Expression:
        span = Span(operand.span.start, pattern.span.end)
        found = Like(operand, _translated(pattern) if isinstance(pattern, Pattern) else pattern, span)
        return found if negation is None else Not(found, span)

    def matches(self, operand: Expression, pattern: Text | Pattern) -> Expression:
        text = pattern.text if isinstance(pattern, Pattern) else pattern.value
        span = Span(operand.span.start, pattern.span.end)
        return Like(operand, _translated(Pattern(text, pattern.span)), span)

    def power(self, *operands: Expression) -> Expression:
        *bases, found = operands
        for base in reversed(bases):
            found = Operation("^", base, found, _between(base, found))
        return found

    def negative(self, *parts: Any) -> Expression:
        signs: list[Token] = [*parts[:-1]]
        found: Expression = parts[-1]
        for sign in reversed(signs[: 2 - len(signs) % 2]):
            found = Negative(found, Span(_span(sign).start, found.span.end))
        return found

    def group(self, opening: Token, expression: Expression, closing: Token) -> Expression:
        return replace(expression, span=Span(_span(opening).start, _span(closing).end))

    def field(self, name: Token) -> Field:
        return Field(_path(name), _span(name))

    def call(self, name: Token, *parts: Any) -> Expression:
        arguments = tuple(part for part in parts if not isinstance(part, str))
        return Call(name.lower(), arguments, Span(_span(name).start, _span(parts[-1]).end))

    def COUNT_ALL(self, text: Token) -> Expression:
        return Call("count", (), _span(text))

    def NUMBER(self, text: Token) -> Expression:
        number = float(text)
        # The digits of long ids would be lost in a double.
        return Text(str(text), _span(text)) if text.isdecimal() and number >= EXACT else Number(number, _span(text))

    def PERIOD(self, text: Token) -> Expression:
        digits = text.rstrip(ascii_letters)
        return Period(int(digits), text[len(digits) :], _span(text))

    def TEXT(self, text: Token) -> Text:
        """A backslash stands before a quote, itself, or n, t, r."""
        value = _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], _plain(found[1])), text[1:-1])
        return Text(value, _span(text))

    def REGEX(self, text: Token) -> Pattern:
        return Pattern(text[1:-1].replace("\\/", "/"), _span(text))

    def NAME(self, text: Token) -> Text:
        return Text(".".join(map(str, _path(text))), _span(text))


def _named_as(source: Field, alias: Text | None) -> str:
    return source.name if alias is None else alias.value


def _subject(given: Expression | None, behind: Span) -> Expression:
    return given or Field(("@message",), Span(behind.start, behind.start))


def _translated(regex: Pattern) -> Pattern:
    return replace(regex, text=regexes.translated(regex.text))


_LANGUAGE: Language[Query] = Language(__file__, _Meaning(), _DEEPEST)
