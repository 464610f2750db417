"""From a query's words to what it means. User guide, "CloudWatch Logs Insights language query syntax"."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from string import ascii_letters
from typing import Final, TypeVar

from cloudlet.services.logs.insights import regexes
from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem
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
from cloudlet.services.logs.insights.tokens import Token, Tokens, parts_of, text_of

MOST_RESULTS = 100_000
_DEEPEST = 60
_LONGEST_CHAIN = 100
_MOST_COMMANDS, _MOST_STATS = 50, 10
_MOST_PREFIXES, _MOST_ACCOUNTS = 5, 20
_NOT_BUILT: Final = frozenset({"addtotals", "anomaly", "diff", "filterindex", "join", "lookup", "pattern", "unmask"})
_COMPARISONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_RESERVED: Final = frozenset({"as", "by", "and", "or", "not", "in", "like", "asc", "desc", "into"})
T = TypeVar("T")


def parse(text: str) -> Query:
    """Return the query that a text means. Raises QueryProblem, and NotBuilt for commands that are not there."""
    tokens = Tokens(text)
    tokens.check()
    return _Parser(tokens).query()


class _Parser:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._depth = 0
        self._regexes: list[Pattern] = []
        self._commands: dict[str, Callable[[], Command]] = {
            "fields": lambda: Fields(self._columns()),
            "display": lambda: Display(self._columns()),
            "filter": lambda: Filter(self._expression()),
            "parse": self._parse,
            "stats": self._stats,
            "sort": self._sort,
            "limit": self._limit,
            "head": self._limit,
            "dedup": self._dedup,
            "unnest": self._unnest,
            "expand": self._expand,
        }

    def query(self) -> Query:
        source = self._source() if self._tokens.peek().word == "source" else None
        if source is not None and self._tokens.peek().kind == "end":
            return Query((), source, ())
        if source is not None:
            self._expect("|")
        commands = [self._command()]
        while self._accept("|"):
            commands.append(self._command())
            statistics = sum(isinstance(command, Stats) for command in commands)
            if len(commands) > _MOST_COMMANDS or statistics > _MOST_STATS:
                raise QueryProblem("the query has too many commands", 0, len(self._tokens.query))
        if self._tokens.peek().kind != "end":
            raise self._unexpected()
        return Query(tuple(commands), source, tuple(self._regexes))

    # -- words

    def _unexpected(self, token: Token | None = None) -> QueryProblem:
        found = token or self._tokens.peek()
        return self._tokens.unexpected(found.start, found.end)

    def _accept(self, *texts: str) -> Token | None:
        """Take the next word if it is one of these symbols or keywords."""
        token = self._tokens.peek()
        found = token.text if token.kind == "symbol" else token.word
        return self._tokens.take() if found in texts and found else None

    def _expect(self, text: str) -> Token:
        token = self._accept(text)
        if token is None:
            raise self._unexpected()
        return token

    def _take(self, kind: str) -> Token:
        if self._tokens.peek().kind != kind:
            raise self._unexpected()
        return self._tokens.take()

    def _list(self, one: Callable[[], T]) -> tuple[T, ...]:
        found = [one()]
        while self._accept(","):
            found.append(one())
        return tuple(found)

    def _span(self, start: int) -> Span:
        return Span(start, self._tokens.behind)

    # -- commands

    def _command(self) -> Command:
        token = self._tokens.peek()
        if token.word in _NOT_BUILT:
            raise NotBuilt(f"the command {token.word} of Logs Insights")
        read = self._commands.get(token.word)
        if read is None:
            raise self._unexpected()
        self._tokens.take()
        return read()

    def _source(self) -> Source:
        self._tokens.take()
        token = self._tokens.peek()
        if token.word != "loggroups":
            raise NotBuilt("SOURCE other than logGroups(…)") if token.kind == "text" else self._unexpected()
        self._tokens.take()
        self._expect("(")
        found: dict[str, tuple[str, ...]] = {}
        while not self._accept(")"):
            if found:
                self._expect(",")
            name = self._take("name")
            if name.word not in ("nameprefix", "class", "accountidentifiers", "accountidentifier", "loggroupclass"):
                raise self._unexpected(name)
            self._expect(":")
            self._expect("[")
            found[name.word] = self._list(lambda: text_of(self._take("text").text))
            self._expect("]")
            most = _MOST_PREFIXES if name.word == "nameprefix" else _MOST_ACCOUNTS
            if len(found[name.word]) > most:
                raise QueryProblem(f"{name.text} has more than {most} values", name.start, self._tokens.behind)
        return Source(
            found.get("nameprefix", ()),
            found.get("class", ()) + found.get("loggroupclass", ()),
            found.get("accountidentifiers", ()) + found.get("accountidentifier", ()),
        )

    def _regex(self, text: str, start: int) -> str:
        """Return a regular expression as the engine writes it, and note it."""
        self._regexes.append(Pattern(text, self._span(start)))
        return text

    def _columns(self) -> tuple[Named, ...]:
        return self._list(self._named)

    def _named(self) -> Named:
        start = self._tokens.peek().start
        expression = self._expression()
        written = self._tokens.query[start : self._tokens.behind]
        if self._accept("as"):
            return Named(expression, self._name(), True)
        if isinstance(expression, Field) and "`" in written:
            return Named(expression, written.replace("`", ""), False)
        return Named(expression, written, False)

    def _name(self) -> str:
        """Return the name that is given to a field."""
        token = self._take("name")
        return ".".join(parts_of(token.text))

    def _parse(self) -> Parse:
        start = self._tokens.behind
        is_message = self._tokens.peek().kind == "text" or self._tokens.peek().text == "/"
        source: Expression = Field(("@message",), Span(start, start)) if is_message else self._operand()
        begin = self._tokens.peek().start
        regex = self._tokens.regex()
        if regex is not None:
            names = regexes.names_of(regex)
            span = self._span(begin)
            if self._accept("as"):
                aliases = self._list(self._name)
                if names and aliases != names:
                    raise QueryProblem("the names after AS are not those of the groups", span.start, span.end)
                return Parse(source, self._regex(regexes.translated(regex), begin), aliases)
            if not names:
                raise QueryProblem("the regular expression has no named groups", span.start, span.end)
            return Parse(source, self._regex(regexes.only_named(regex), begin), names)
        glob = text_of(self._take("text").text)
        span = self._span(begin)
        self._expect("as")
        aliases = self._list(self._name)
        if glob.count("*") != len(aliases):
            message = f"the pattern has {glob.count('*')} wildcards for {len(aliases)} fields"
            raise QueryProblem(message, span.start, self._tokens.behind)
        return Parse(source, regexes.of_glob(glob), aliases)

    def _stats(self) -> Stats:
        start = self._tokens.peek().start
        columns = self._columns()
        keys = self._columns() if self._accept("by") else ()
        return Stats(columns, keys, self._span(start))

    def _sort(self) -> Sort:
        def key() -> SortKey:
            expression = self._expression()
            word = self._accept("asc", "desc")
            return SortKey(expression, word is not None and word.word == "desc")

        return Sort(self._list(key))

    def _limit(self) -> Limit:
        token = self._take("number")
        if not token.text.isdecimal() or not 1 <= int(token.text) <= MOST_RESULTS:
            raise QueryProblem(f"a limit is from 1 to {MOST_RESULTS}", token.start, token.end)
        return Limit(int(token.text))

    def _dedup(self) -> Dedup:
        start = self._tokens.peek().start
        keys = self._list(self._expression)
        return Dedup(keys, self._span(start))

    def _unnest(self) -> Unnest:
        source = self._operand()
        self._expect("into")
        return Unnest(source, self._name())

    def _expand(self) -> Unnest:
        start = self._tokens.peek().start
        source = self._operand()
        if not isinstance(source, Field):
            raise self._tokens.unexpected(start, self._tokens.behind)
        return Unnest(source, ".".join(map(str, source.path)))

    # -- expressions

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise QueryProblem("the query is nested too deeply", self._tokens.peek().start, self._tokens.peek().end)
        found = self._logic("or", lambda: self._logic("and", self._negation))
        self._depth -= 1
        return found

    def _logic(self, operator: str, operand: Callable[[], Expression]) -> Expression:
        start = self._tokens.peek().start
        found = [operand()]
        while self._accept(operator):
            found.append(operand())
        return found[0] if len(found) == 1 else Logic(operator, tuple(found), self._span(start))

    def _negation(self) -> Expression:
        token = self._accept("not")
        if token is None:
            return self._comparison()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise QueryProblem("the query is nested too deeply", token.start, token.end)
        found = Not(self._negation(), self._span(token.start))
        self._depth -= 1
        return found

    def _comparison(self) -> Expression:
        start = self._tokens.peek().start
        left = self._sum()
        token = self._tokens.peek()
        if token.kind == "symbol" and token.text in _COMPARISONS:
            self._tokens.take()
            right = self._sum()
            return Operation(token.text, left, right, self._span(start))
        is_negated = self._accept("not") is not None
        found: Expression
        if self._accept("in"):
            found = In(left, self._choices(), self._span(start))
        elif self._accept("like"):
            found = self._like(left, start, is_regex=False)
        elif not is_negated and self._accept("=~"):
            found = self._like(left, start, is_regex=True)
        elif is_negated:
            raise self._unexpected()
        else:
            return left
        return Not(found, self._span(start)) if is_negated else found

    def _choices(self) -> tuple[Expression, ...]:
        opened = self._accept("[", "(")
        if opened is None:
            raise self._unexpected()
        if self._tokens.peek().word == "source":
            raise NotBuilt("queries within queries of Logs Insights")
        found = self._list(self._sum)
        self._expect("]" if opened.text == "[" else ")")
        return found

    def _like(self, operand: Expression, start: int, *, is_regex: bool) -> Like:
        begin = self._tokens.peek().start
        regex = self._tokens.regex()
        text = text_of(self._take("text").text) if regex is None else ""
        if regex is not None or is_regex:
            pattern = self._regex(regexes.translated(regex or text), begin)
            return Like(operand, pattern, True, self._span(start))
        return Like(operand, text, False, self._span(start))

    def _sum(self) -> Expression:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/", "%"), self._power))

    def _chain(self, operators: Iterable[str], operand: Callable[[], Expression]) -> Expression:
        start = self._tokens.peek().start
        found = operand()
        length = 1
        while token := self._accept(*operators):
            found = Operation(token.text, found, operand(), self._span(start))
            length += 1
            if length > _LONGEST_CHAIN:
                raise QueryProblem("the expression is too long", start, self._tokens.behind)
        return found

    def _power(self) -> Expression:
        start = self._tokens.peek().start
        found = self._operand()
        if self._accept("^"):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise QueryProblem("the query is nested too deeply", start, self._tokens.behind)
            found = Operation("^", found, self._power(), self._span(start))
            self._depth -= 1
        return found

    def _operand(self) -> Expression:
        token = self._tokens.peek()
        match token.kind:
            case "number":
                self._tokens.take()
                return Number(float(token.text), Span(token.start, token.end))
            case "text":
                self._tokens.take()
                return Text(text_of(token.text), Span(token.start, token.end))
            case "period":
                self._tokens.take()
                digits = token.text.rstrip(ascii_letters)
                return Period(int(digits), token.text[len(digits) :], Span(token.start, token.end))
            case "name" if token.word not in _RESERVED:
                return self._field_or_call()
        if self._accept("("):
            found = self._expression()
            self._expect(")")
            return found
        if self._accept("-"):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise QueryProblem("the query is nested too deeply", token.start, token.end)
            found = Negative(self._operand(), self._span(token.start))
            self._depth -= 1
            return found
        raise self._unexpected()

    def _field_or_call(self) -> Expression:
        token = self._tokens.take()
        if self._accept("("):
            arguments: tuple[Expression, ...] = ()
            if not self._accept(")"):
                is_all = token.word == "count" and self._accept("*")
                arguments = () if is_all else self._list(self._expression)
                self._expect(")")
            return Call(token.word, arguments, self._span(token.start))
        path: list[str | int] = list(parts_of(token.text))
        while (following := self._tokens.peek()).text == "[" and following.start == self._tokens.behind:
            self._tokens.take()
            index = self._take("number")
            if not index.text.isdecimal():
                raise self._unexpected(index)
            self._expect("]")
            path.append(int(index.text))
            # What comes behind a place in a list is written with a dot, which is no symbol of its own.
            path += self._behind_index()
        return Field(tuple(path), self._span(token.start))

    def _behind_index(self) -> list[str]:
        found = self._tokens.dotted()
        return list(parts_of(found)) if found else []
