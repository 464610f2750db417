"""From expressions to SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cloudlet.services.logs.insights import aggregates, functions
from cloudlet.services.logs.insights.problems import QueryProblem
from cloudlet.services.logs.insights.scope import Scope
from cloudlet.services.logs.insights.sql import EXACT, Kind, Sql, literal, once
from cloudlet.services.logs.insights.syntax import (
    Call,
    Expression,
    Field,
    In,
    Like,
    Logic,
    Named,
    Negative,
    Not,
    Number,
    Operation,
    Pattern,
    Period,
    Span,
    Text,
    Within,
)
from cloudlet.services.logs.insights.times import Asked

_NUMERIC = (Kind.NUMBER, Kind.TIME, Kind.TRUTH)


@dataclass(frozen=True, slots=True)
class Compiler:
    """Turns expressions over the fields of a scope into SQL."""

    scope: Scope
    text: str
    """Of the query."""
    asked: Asked
    aggregating: bool = False
    """Whether functions that aggregate may be called, and fields only within them, but for those that are made."""
    made: Mapping[str, Sql] = field(default_factory=dict)
    """What fields are that the same command makes, by their names."""
    found: Callable[[Within], str] | None = None
    """Returns the table with what a query within has found; none where there may be no such query."""

    def sql(self, expression: Expression) -> Sql:
        """Return the SQL of an expression. Raises QueryProblem."""
        statistic = self._statistic(expression)
        if statistic is not None:
            return statistic
        match expression:
            case Field(path, span):
                if self.aggregating:
                    made = self.made.get(".".join(map(str, path)))
                    if made is not None:
                        return made
                    raise QueryProblem("a field is neither aggregated nor among those after BY", span.start, span.end)
                return self.scope.field(path)
            case Number(value):
                return Sql(f"CAST({value!r} AS DOUBLE)", Kind.NUMBER)
            case Text(value):
                return Sql(literal(value), Kind.TEXT)
            case Period(_, _, span):
                raise QueryProblem("a length of time is an argument of bin, datefloor and dateceil only", *_ends(span))
            case Negative(operand):
                return Sql(f"(-{self.sql(operand).number})", Kind.NUMBER)
            case Logic(operator, operands):
                truths = f" {operator.upper()} ".join(self.sql(one).truth for one in operands)
                return Sql(f"({truths})", Kind.TRUTH)
            case Not(operand):
                return Sql(f"(NOT {self.sql(operand).truth})", Kind.TRUTH)
            case In(operand, choices):
                given = self.sql(operand)
                equal = " OR ".join(self._compared("=", given, operand, self.sql(one), one) for one in choices)
                return Sql(f"({equal})", Kind.TRUTH)
            case Within(operand, _, span):
                if self.found is None:
                    message = "a query within a query stands in a filter of the outermost one only"
                    raise QueryProblem(message, *_ends(span))
                return Sql(f"({self.sql(operand).key} IN (SELECT v FROM {self.found(expression)}))", Kind.TRUTH)
            case Like(operand, Pattern(text) | Text(text) as pattern):
                function = "regexp_matches" if isinstance(pattern, Pattern) else "contains"
                return Sql(f"{function}({self.sql(operand).shown}, {literal(text)})", Kind.TRUTH)
            case Operation(operator, left, right):
                return self._operation(operator, left, right)
            case Call():
                return self._call(expression)

    def _statistic(self, expression: Expression) -> Sql | None:
        """Return the column of statistics whose name is what is written: `stats count(*) by bin(5m) | sort bin(5m)`."""
        if self.aggregating or isinstance(expression, Field | Number | Text):
            return None
        return self.scope.statistic(Named(expression, None).name(self.text))

    def _operation(self, operator: str, left: Expression, right: Expression) -> Sql:
        one, other = self.sql(left), self.sql(right)
        match operator:
            case "+" | "-" | "*":
                return Sql(f"({one.number} {operator} {other.number})", Kind.NUMBER)
            case "/":
                return Sql(f"({one.number} / nullif({other.number}, 0))", Kind.NUMBER)
            case "%":
                return Sql(f"fmod({one.number}, nullif({other.number}, 0))", Kind.NUMBER)
            case "^":
                return Sql(f"pow({one.number}, {other.number})", Kind.NUMBER)
            case _:
                return Sql(self._compared(operator, one, left, other, right), Kind.TRUTH)

    def _compared(self, operator: str, one: Sql, left: Expression, other: Sql, right: Expression) -> str:
        """Return a comparison: of numbers where both are some (ids may be too long to be exact ones), of texts else."""
        if one.kind in _NUMERIC and other.kind in _NUMERIC:
            return f"({one.number} {operator} {other.number})"
        if _is_word(left) or _is_word(right):
            return f"({one.shown} {operator} {other.shown})"
        first, second = Sql("{0}", one.kind), Sql("{1}", other.kind)
        numbers = f"{first.number} {operator} {second.number}"
        if operator != "!=" and (one.kind in _NUMERIC or other.kind in _NUMERIC):
            return f"({one.number} {operator} {other.number})"
        # What is a number is unlike all other texts.
        both = f"{first.number} IS NOT NULL AND {second.number} IS NOT NULL"
        if operator in ("=", "!="):
            both += f" AND abs({first.number}) < {EXACT}"
        form = f"(CASE WHEN {both} THEN {numbers} ELSE {first.shown} {operator} {second.shown} END)"
        return once(form, one.text, other.text)

    def _call(self, call: Call) -> Sql:
        aggregate = aggregates.named(call.name)
        if aggregate is not None:
            if not self.aggregating:
                raise QueryProblem(f"{call.name} is a function of the command stats only", *_ends(call.span))
            within = Compiler(self.scope, self.text, self.asked)
            return aggregates.sql(aggregate, call, [within.argument(one) for one in call.arguments], self.scope)
        functions.check(call)
        return functions.sql(call, [self.argument(one) for one in call.arguments], self.scope, self.asked)

    def argument(self, expression: Expression) -> Sql:
        """Return the SQL of an argument; functions look at lengths of time themselves."""
        return Sql("NULL", Kind.TEXT) if isinstance(expression, Period) else self.sql(expression)


def _is_word(expression: Expression) -> bool:
    """Whether it is a quoted text that is no number."""
    if not isinstance(expression, Text):
        return False
    try:
        float(expression.value)
    except ValueError:
        return True
    return False


def _ends(span: Span) -> tuple[int, int]:
    return span.start, span.end
